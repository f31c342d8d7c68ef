// vmirrord's picture. Frames go from top to bottom through the workers, policies through the
// control thread; the main thread serves, watches files, and carries snapshots between the two.
//
//   inputs -> Engine (workers) -> EVE sink, re-injection
//                 | snapshot ^ mirror index
//                 v          |
//   main: API, metrics, policy folder, timers, signals
//                 | policies, evidence ^ ControlSnapshot
//                 v                    |
//   Control (thread) -> driver -> switch
#include "agent/app/wiring.hpp"

#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>

#include "agent/affinity/lingering_nics.hpp"
#include "agent/api/routes.hpp"
#include "agent/app/admission.hpp"
#include "agent/app/control.hpp"
#include "agent/app/following.hpp"
#include "agent/app/guest_book.hpp"
#include "agent/app/hook_watch.hpp"
#include "agent/app/inputs.hpp"
#include "agent/app/policy_store.hpp"
#include "agent/app/requirements_file.hpp"
#include "agent/app/sensor_follower.hpp"
#include "agent/app/status.hpp"
#include "agent/engine/worker.hpp"
#include "agent/export/eve.hpp"
#include "agent/libvirt/connection.hpp"
#include "agent/libvirt/domain_xml.hpp"

namespace vmirror {

namespace asio = boost::asio;
namespace json = boost::json;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kSettle{500};    ///< For what a person applied to show its effect.
constexpr milliseconds kRemoval{8000};  ///< For our mirrors to go when the daemon stops.
constexpr milliseconds kTick{1000};
/// Between attempts to open an input: a mirror port's first frames come at once.
constexpr milliseconds kRetryMin{20}, kRetryMax{100};

std::uint64_t random_seed() {
  std::uint64_t seed = 0x2545f4914f6cdd1d;
  return ::getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0 ? seed : seed;
}

/// What the engine received of each NIC: unicast, because a group's frame may be another NIC's.
Evidence evidence_of(const std::vector<NicFrames>& nics) {
  Evidence out;
  for (const NicFrames& nic : nics)
    out.received.insert_or_assign(out.received.end(), nic.mac,
                                  nic.out + nic.in - std::min(nic.in, nic.in_group));
  return out;
}

}  // namespace

struct Daemon::State {
  explicit State(Config c) : config(std::move(c)) {}

  const Config config;
  const Time started = wall_clock();
  asio::io_context io{1};

  // The data side, in the frames' order.
  LocalPorts local_ports;        ///< Where copies for the local engine come out; control tells.
  std::size_t local_inputs = 0;  ///< Of those, that became inputs. The control thread's.
  std::unique_ptr<LineSink> eve;
  std::unique_ptr<Engine> engine;

  // The control side, in the policies' order.
  std::unique_ptr<PolicyStore> policies;
  std::optional<std::vector<Policy>> in_force;  ///< None: no good set was read yet.
  std::unique_ptr<Control> control;             ///< Null: this daemon drives no switch.
  GuestBook guests{[this](std::shared_ptr<const Guests> g) { on_guests(std::move(g)); }};
  std::unique_ptr<Libvirt> libvirt;  ///< Null: this daemon asks no hypervisor.
  LocationTable locations;
  std::unique_ptr<Following> following;  ///< With control.
  HookWatch hook;
  std::unique_ptr<Peers> peers;  ///< Null: this daemon knows no other.
  std::unique_ptr<SensorFollower> sensor;
  LingeringNics lingering;
  std::shared_ptr<const MirrorIndex> index;  ///< What the engine watches.
  CoverageLog coverage;
  Evidence evidence;                     ///< What control was told last.
  std::uint64_t logged = 0;              ///< Events of the control side that are in the log.
  std::atomic<bool> round_waits{false};  ///< A round's news are on their way to the main thread.

  // Outwards.
  std::unique_ptr<HttpServer> api, metrics_server;
  asio::signal_set signals{io};
  asio::steady_timer tick{io}, stats{io}, pair{io};
  bool pairing = false;  ///< `pair` is set.

  // -- start --
  Result<void> open_outputs();
  Result<void> open_engine();
  Result<void> open_control();
  Result<void> open_peers();
  Result<void> open_servers();

  // -- on the main thread --
  ApiBackend backend();
  HttpResponse metrics_answer();
  template <typename Make>
  auto view(Make make);
  void use(std::vector<Policy> all);
  HookAnswer on_hook(const HookCall& call);
  HookAnswer hook_answer(const HookCall& call);
  void on_guest_event(const GuestEvent& event);
  void on_round();
  void on_change(const RoundChanges& changes);
  void watch_nics(const ControlSnapshot& known);
  void on_guests(std::shared_ptr<const Guests> told);
  void pair_counters();
  void tell_evidence(const std::vector<NicFrames>& nics);
  void on_tick();
  void write_stats();
  void wait_for_signal();
  std::shared_ptr<const ControlSnapshot> control_now() const;
};

// ---- Start

Result<void> Daemon::State::open_outputs() {
  if (config.eve.size() > 1)
    return fail(Error::Kind::unsupported, "more than one EVE output", "export.eve",
                "keep one; a socket's reader can write the file");
  if (config.eve.empty()) return {};
  auto sink = LineSink::open(config.eve.front());
  if (!sink) return tl::unexpected(sink.error());
  eve = std::move(*sink);
  return {};
}

Result<void> Daemon::State::open_engine() {
  const auto dissectors = Dissectors::select(config.protocols);
  if (!dissectors) return tl::unexpected(dissectors.error());
  EngineOptions options;
  options.pipeline.dissectors = std::make_shared<const Dissectors>(*dissectors);
  if (auto vendors = Vendors::load())
    options.pipeline.vendors = std::make_shared<const Vendors>(std::move(*vendors));
  else
    spdlog::warn("no vendors of MACs: {}", vendors.error().text());
  options.pipeline.flows.max_flows = config.max_flows;
  options.pipeline.flows.seed = random_seed();
  // So that a flow that comes with its guest does not meet one of its number here.
  options.pipeline.flows.first_number =
      (static_cast<std::uint32_t>(random_seed()) & 0x0fffffff) | 1;
  options.pipeline.max_streams = config.max_streams;
  options.pipeline.inventory.max_assets = config.max_assets;
  options.pipeline.top_flows = config.top_flows;
  options.pipeline.eve.sink = eve.get();
  options.retry_min = kRetryMin;
  options.retry_max = kRetryMax;
  options.inputs = make_inputs(config);
  engine = std::make_unique<Engine>(std::move(options));
  return {};
}

Result<void> Daemon::State::open_control() {
  if (!config.driver) return {};
  auto driver = make_driver(*config.driver);
  if (!driver) return tl::unexpected(driver.error());
  ControlOptions options;
  options.host = config.host;
  options.reconciler.monitor_nic = config.monitor_nic;
  options.on_round = [this](const std::shared_ptr<const ControlSnapshot>& snapshot) {
    // Here, so that the ring is opened without waiting for the main thread.
    if (!config.monitor_nic)
      for (const std::string& port : local_ports.set(local_outputs(*snapshot)))
        engine->add(make_local_input(config, local_ports, port, local_inputs++));
    if (!round_waits.exchange(true)) asio::post(io, [this] { on_round(); });
  };
  options.on_change = [this](const RoundChanges& changes) {
    asio::post(io, [this, changes] { on_change(changes); });
  };
  control = std::make_unique<Control>(std::move(options), std::move(*driver));
  following = std::make_unique<Following>(io, config, *engine, eve.get());
  if (config.libvirt) {
    libvirt = Libvirt::start(
        {.uri = config.libvirt->uri,
         .on_guests =
             [this](std::shared_ptr<const Guests> g) { guests.told(std::move(g), wall_clock()); },
         .on_event =
             [this](const GuestEvent& event) {
               asio::post(io, [this, event] { on_guest_event(event); });
             }});
    following->use(*libvirt);
  }
  policies = std::make_unique<PolicyStore>(
      io, config.policies, [this](std::vector<Policy> all) { use(std::move(all)); });
  return {};
}

Result<void> Daemon::State::open_peers() {
  if (config.peers) {
    if (!control)
      return fail(Error::Kind::invalid, "this daemon drives no switch: it has no guest to follow",
                  "peers", "add `switch`, or leave `peers` out");
    const auto sources = [this](auto call) { asio::post(io, [this, call] { call(*sensor); }); };
    PeersHandlers handlers;
    handlers.on_message = [=](const std::string& host, const std::string& type, std::string body) {
      if (type == SensorFollower::kMessage)
        sources([host, body](SensorFollower& s) { s.on_message(host, body, wall_clock()); });
    };
    handlers.on_up = [=](const std::string& host) {
      spdlog::info("the agent of {} is linked", host);
      sources([host](SensorFollower& s) { s.on_peer_up(host, wall_clock()); });
    };
    handlers.on_down = [=](const std::string& host, const std::string& reason) {
      spdlog::warn("the agent of {} is not linked: {}", host, reason);
      sources([host](SensorFollower& s) { s.on_peer_down(host); });
    };
    auto link = Peers::start(config.peers->link, following->handlers(std::move(handlers)));
    if (!link) return tl::unexpected(link.error());
    peers = std::move(*link);
    following->use(*peers);
  }
  sensor = std::make_unique<SensorFollower>(io, config, libvirt.get(), peers.get());
  return {};
}

Result<void> Daemon::State::open_servers() {
  auto server = HttpServer::on_unix_socket(io, config.socket, api_routes(backend()));
  if (!server) return tl::unexpected(server.error());
  api = std::move(*server);
  if (!config.prometheus) return {};
  server = HttpServer::on_loopback(
      io, config.prometheus->address, config.prometheus->port, [this](const HttpRequest& request) {
        return request.target == "/metrics" ? metrics_answer()
                                            : HttpResponse{404, "text/plain", "see /metrics\n"};
      });
  if (!server) return tl::unexpected(server.error());
  metrics_server = std::move(*server);
  return {};
}

// ---- Questions

std::shared_ptr<const ControlSnapshot> Daemon::State::control_now() const {
  static const auto none = std::make_shared<const ControlSnapshot>();
  return control ? control->snapshot() : none;
}

/// Calls `make` with everything that is known now.
template <typename Make>
auto Daemon::State::view(Make make) {
  const auto known = control_now();
  const auto seen = engine->snapshot();
  static const PolicyFolder no_folder;
  std::vector<SinkStatus> outputs;
  if (eve) outputs.push_back(eve->status());
  return make(DaemonView{config, wall_clock(), started, *known, *seen,
                         policies ? policies->folder() : no_folder, coverage.rows(*known, *seen),
                         std::move(outputs),
                         libvirt ? std::optional(libvirt->status()) : std::nullopt,
                         peers ? std::optional(peers->status()) : std::nullopt,
                         following ? std::optional(following->status()) : std::nullopt,
                         hook.status(), sensor->status(wall_clock()), locations.overflow()});
}

ApiBackend Daemon::State::backend() {
  using Answer = ApiBackend::Answer;
  const auto needs_switch = [this]() -> Result<void> {
    if (control) return {};
    return fail(Error::Kind::unsupported, "this daemon drives no switch", config.host,
                "add `switch` to its configuration");
  };
  ApiBackend b;
  b.status = [this]() -> Answer { return view(status_json); };
  b.sessions = [this]() -> Answer { return sessions_json(*control_now()); };
  b.locations = [this]() -> Answer {
    return locations_json(locations.rows(wall_clock()), *control_now());
  };
  b.migrations = [this](const std::string& vm) -> Answer {
    return migrations_json(following ? following->records() : std::vector<MigrationRecord>{}, vm);
  };
  b.assets = [this]() -> Answer { return assets_json(*engine->snapshot()); };
  b.flows = [this]() -> Answer { return flows_json(*engine->snapshot()); };
  b.explain = [this](const std::string& name) -> Answer {
    return view([&](const DaemonView& v) { return explain_json(v, name); });
  };
  b.plan = [=, this]() -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    auto known = control->snapshot();
    if (!known->observed && !known->observe_error) known = control->settle(kSettle);
    // Without a reading, or without policies, nobody can tell whether there is drift.
    if (known->observe_error) return tl::unexpected(*known->observe_error);
    if (const auto bad = policies->folder().first_error(); bad && !known->policies_known)
      return tl::unexpected(*bad);
    return plan_json(*known);
  };
  b.put_policy = [=, this](const std::string& yaml) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    const auto kept = policies->keep(yaml);
    if (!kept) return tl::unexpected(kept.error());
    control->settle(kSettle);
    return json::object{{"policy", kept->first}, {"file", kept->second}};
  };
  b.drop_policy = [=, this](const std::string& name) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    if (const auto done = policies->drop(name); !done) return tl::unexpected(done.error());
    control->settle(kSettle);
    return json::object{{"policy", name}};
  };
  b.prune = [=, this]() -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    // The daemon does so all the time: look once more, and tell what is left to do.
    return plan_json(*control->settle(kSettle));
  };
  b.hook = [this](const HookCall& call) { return on_hook(call); };
  return b;
}

HttpResponse Daemon::State::metrics_answer() {
  return {200, kPrometheusContentType,
          view([](const DaemonView& v) { return prometheus_text(metrics(v)); })};
}

// ---- What happens

/// The hook is told before the switch is, so that it never knows of less.
void Daemon::State::use(std::vector<Policy> all) {
  in_force = std::move(all);
  if (const auto saved = save_requirements(requirements_path(config.state), *in_force); !saved)
    spdlog::error("for the hook: {}", saved.error().text());
  control->set_policies(*in_force);
}

HookAnswer Daemon::State::on_hook(const HookCall& call) {
  HookAnswer said = hook_answer(call);
  hook.called(call, said.kind, wall_clock());
  if (said.kind == HookAnswer::Kind::refuse)
    spdlog::warn("guest {} is refused at {}: {}", call.guest, call.operation, said.reason);
  return said;
}

HookAnswer Daemon::State::hook_answer(const HookCall& call) {
  if (!control) return {HookAnswer::Kind::unknown, "this daemon drives no switch"};
  const auto guest = parse_domain(call.xml);
  const Time now = wall_clock();
  if (guest) guests.announced(call.operation, *guest, now);
  if (!in_force) return {HookAnswer::Kind::unknown, "the policies can't be read"};
  const auto known = control->snapshot();
  const auto realise = [this](const Desired& d, const Observed& o) {
    return control->realise(d, o);
  };
  return answer({*in_force, *known, realise, config.monitor_nic, now}, call.operation, guest);
}

void Daemon::State::on_guest_event(const GuestEvent& event) {
  following->on_guest_event(event);
  if (hook.happened(event) && in_force && std::ranges::any_of(*in_force, &Policy::require))
    spdlog::warn("guest {} began without libvirt's hook: what policies require is not refused",
                 event.name);
}

/// News of the control side: the log, the engine's mirror index, coverage, evidence.
void Daemon::State::on_round() {
  round_waits = false;
  const auto known = control->snapshot();
  for (auto at = known->history.lower_bound(logged); at != known->history.end(); ++at)
    spdlog::info("{}: {}", at->second.subject, at->second.text);
  logged = known->events;
  watch_nics(*known);
  following->on_round(known->observed && !known->observe_error,
                      known->observed ? known->observed->outage : std::nullopt, known->time);
  if (!coverage.due(*known) || pairing) return;
  pairing = true;
  pair.expires_after(std::chrono::nanoseconds(CoverageLog::kPause));
  pair.async_wait([this](boost::system::error_code error) {
    if (!error) pair_counters();
  });
}

void Daemon::State::watch_nics(const ControlSnapshot& known) {
  auto watched = lingering.follow(known.index, wall_clock());
  if (watched == index) return;
  index = std::move(watched);
  engine->watch(index);
}

void Daemon::State::on_guests(std::shared_ptr<const Guests> told) {
  control->set_guests(told);
  asio::post(io, [this, told = std::move(told)] { following->on_guests(told, wall_clock()); });
}

void Daemon::State::on_change(const RoundChanges& changes) {
  for (const auto& [before, after] : changes.ports)
    if (after)
      locations.put(*after, changes.time);
    else
      locations.remove(before->switch_name, before->port, changes.time);
  following->on_change(changes);
  for (const auto& port : changes.ports)  // A guest that nobody told of: is it known by now?
    if (libvirt && port.after && port.after->vm_name.empty() && !port.after->vm_uuid.empty())
      libvirt->hint(port.after->vm_uuid);
}

void Daemon::State::pair_counters() {
  pairing = false;
  const auto known = control->snapshot();
  const auto seen = engine->snapshot();
  coverage.take(*known, *seen);
  tell_evidence(seen->nics);
}

/// Most of a thousand quiet guests' NICs are as they were.
void Daemon::State::tell_evidence(const std::vector<NicFrames>& nics) {
  Evidence now = evidence_of(nics);
  if (now == evidence) return;
  evidence = std::move(now);
  control->set_evidence(evidence);
}

/// Once a second: while a session waits for its proof, what the engine received of it.
void Daemon::State::on_tick() {
  if (policies && policies->folder().error) policies->reload();
  if (control) {
    const auto known = control->snapshot();
    if (known->unproven != 0) tell_evidence(engine->nics().nics);
    watch_nics(*known);
    if (in_force) sensor->look(*known, *in_force, following->migrating(), wall_clock());
  }
  tick.expires_after(kTick);
  tick.async_wait([this](boost::system::error_code error) {
    if (!error) on_tick();
  });
}

void Daemon::State::write_stats() {
  const auto seen = engine->snapshot();
  std::vector<InputStats> inputs;
  for (const InputSnapshot& input : seen->inputs) inputs.push_back({input.name, input.frames});
  std::string line;
  const Time now = wall_clock();
  append_stats_event(line, now, static_cast<std::uint64_t>((now - started) / kSecond), inputs);
  eve->submit(line);
  stats.expires_after(config.eve_stats_interval);
  stats.async_wait([this](boost::system::error_code error) {
    if (!error) write_stats();
  });
}

void Daemon::State::wait_for_signal() {
  signals.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (signal != SIGHUP) {
      spdlog::info("ends by signal {}", signal);
      io.stop();
      return;
    }
    spdlog::info("SIGHUP: reads the policies anew");
    if (eve) eve->reopen();
    if (policies) policies->reload();
    wait_for_signal();
  });
}

// ---- The daemon

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}

Daemon::~Daemon() {
  State& s = *state_;
  s.api.reset();
  s.metrics_server.reset();
  s.policies.reset();
  s.libvirt.reset();    // It tells control and following.
  s.following.reset();  // It uses the link and the engine.
  s.peers.reset();
  s.control.reset();  // It posts to `io` and adds to the engine: before both.
  if (s.engine) s.engine->stop();
  if (s.eve) s.eve->stop();
}

Result<std::unique_ptr<Daemon>> Daemon::start(Config config) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::make_unique<State>(std::move(config))));
  State& s = *daemon->state_;
  for (const auto open : {&State::open_outputs, &State::open_engine, &State::open_control,
                          &State::open_peers, &State::open_servers})
    if (const auto done = (s.*open)(); !done) return tl::unexpected(done.error());
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) s.signals.add(signal);
  s.wait_for_signal();
  s.on_tick();
  if (s.eve && s.config.eve_stats_interval.count() > 0) s.write_stats();
  return daemon;
}

Result<void> Daemon::run() {
  State& s = *state_;
  s.io.run();
  s.api.reset();
  s.metrics_server.reset();
  Result<void> end;
  if (s.control && s.config.on_stop == OnStop::remove) end = s.control->remove_all(kRemoval);
  s.engine->stop();
  return end;
}

void Daemon::stop() {
  state_->io.stop();
}

std::uint16_t Daemon::metrics_port() const {
  return state_->metrics_server ? state_->metrics_server->port() : 0;
}

}  // namespace vmirror
