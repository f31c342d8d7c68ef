// vmirrord's picture. Frames go from top to bottom through the workers, policies through the
// control thread; the main thread watches files, follows guests, and carries values between the
// two. It waits for none of them. Who asks is answered on other threads (answer_threads.hpp).
//
//   inputs -> Engine (workers) -> EVE sinks, re-injection
//                 | snapshot ^ mirror index
//                 v          |
//   main: policy folder, timers, signals, following  <-- API, metrics (threads of their own)
//                 | policies, evidence ^ ControlSnapshot
//                 v                    |
//   Control (thread) -> driver -> switch
#include "agent/app/wiring.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <filesystem>

#include "agent/app/daemon_state.hpp"
#include "agent/app/options.hpp"
#include "agent/engine/health/copies_json.hpp"

namespace vmirror {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kRemoval{8000};  ///< For our mirrors to go when the daemon stops.
/// Events of the control side that are kept, so that `explain` tells of sessions that went.
constexpr std::size_t kHistory = 4096;

}  // namespace

// ---- Start

Result<void> Daemon::State::open_outputs() {
  if (config.eve.empty()) return {};
  auto sinks = LineSinks::open(config.eve);
  if (!sinks) return tl::unexpected(sinks.error());
  eve = std::move(*sinks);
  return {};
}

Result<void> Daemon::State::open_engine() {
  auto options = engine_options(config);
  if (!options) return tl::unexpected(options.error());
  options->pipeline.eve.sinks = eve.get();
  options->pipeline.eve.host = config.host;
  engine = std::make_unique<Engine>(std::move(*options));
  return {};
}

Result<void> Daemon::State::open_control() {
  if (!config.driver) return {};
  auto driver = make_driver(*config.driver);
  if (!driver) return tl::unexpected(driver.error());
  ControlOptions options;
  options.host = config.host;
  options.reconciler.monitor_nic = config.monitor_nic;
  options.reconciler.local_input = config.local.name;
  options.reconciler.history = kHistory;
  options.reconciler.budgets = config.budgets;
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
  silent = std::make_unique<TraceAsker>((*driver)->tracer());
  control = std::make_unique<Control>(std::move(options), std::move(*driver));
  following = std::make_unique<Following>(io, following_options(config), *engine, eve.get());
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
  if (config.store) {
    auto link = StoreLink::start(*config.store, wall_clock(),
                                 [this] { asio::post(io, [this] { look_at_store(); }); });
    if (!link) return tl::unexpected(link.error());
    store = std::move(*link);
  }
  policies = std::make_unique<PolicyStore>(io, config.policies,
                                           [this](const PolicyFolder& folder) { use(folder); });
  return {};
}

Result<void> Daemon::State::open_peers() {
  if (config.peers) {
    const auto on_main = [this](auto call) { asio::post(io, [this, call] { call(*this); }); };
    PeersHandlers handlers;
    handlers.on_message = [=](const std::string& host, const std::string& type, PeerBody body) {
      if (type == SensorFollower::kMessage)
        on_main([host, body](State& s) { s.sensor->on_message(host, body.bytes, wall_clock()); });
      else if (type == kCopiesMessage)
        on_main([host, body](State& s) { s.copies->on_message(host, body.bytes, wall_clock()); });
    };
    handlers.on_up = [=](const std::string& host) {
      spdlog::info("the agent of {} is linked", host);
      on_main([host](State& s) {
        s.sensor->on_peer_up(host, wall_clock());
        s.copies->on_peer_up(host, wall_clock());
      });
    };
    handlers.on_down = [=](const std::string& host, const std::string& reason) {
      spdlog::warn("the agent of {} is not linked: {}", host, reason);
      on_main([host](State& s) {
        s.sensor->on_peer_down(host);
        s.copies->on_peer_down(host, wall_clock());
      });
    };
    if (following) handlers = following->handlers(std::move(handlers));
    auto link = Peers::start(peers_options(config), std::move(handlers));
    if (!link) return tl::unexpected(link.error());
    peers = std::move(*link);
    if (following) following->use(*peers);
  }
  copies = std::make_unique<CollectorLink>(collector_link_options(config), peers.get());
  sensor = std::make_unique<SensorFollower>(io, sensor_options(config), libvirt.get(), peers.get());
  return {};
}

Result<void> Daemon::State::open_servers() {
  std::error_code ignored;  // Listening says what is wrong.
  std::filesystem::create_directories(std::filesystem::path(config.socket).parent_path(), ignored);
  auto server =
      HttpServer::on_unix_socket(answering.sockets(), answering.executor(), config.socket,
                                 api_routes(backend()), {}, {is_hook_call, answering.urgent()});
  if (!server) return tl::unexpected(server.error());
  api = std::move(*server);
  if (!config.prometheus) return {};
  server = HttpServer::on_loopback(
      answering.sockets(), answering.executor(), config.prometheus->address,
      config.prometheus->port, [this](const HttpRequest& request) {
        return request.target == "/metrics" ? metrics_answer()
                                            : HttpResponse{404, "text/plain", "see /metrics\n"};
      });
  if (!server) return tl::unexpected(server.error());
  metrics_server = std::move(*server);
  return {};
}

/// Whoever waits for an answer that is under way gets it.
void Daemon::State::close_servers() {
  answering.stop();
  api.reset();
  metrics_server.reset();
}

// ---- The daemon

Daemon::Daemon(std::unique_ptr<State> state) : state_(std::move(state)) {}

Daemon::~Daemon() {
  State& s = *state_;
  s.close_servers();
  s.policies.reset();
  s.store.reset();      // Its thread posts to `io`.
  s.libvirt.reset();    // It tells control and following.
  s.following.reset();  // It uses the link and the engine.
  s.peers.reset();
  s.control.reset();  // It posts to `io` and adds to the engine: before both.
  if (s.engine) s.engine->stop();
  if (s.eve) s.eve->stop();
}

Result<std::unique_ptr<Daemon>> Daemon::start(Config config, Confinement confinement) {
  if (const auto good = check(config); !good) return tl::unexpected(good.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::make_unique<State>(std::move(config), std::move(confinement))));
  State& s = *daemon->state_;
  for (const auto open : {&State::open_outputs, &State::open_engine, &State::open_control,
                          &State::open_peers, &State::open_servers})
    if (const auto done = (s.*open)(); !done) return tl::unexpected(done.error());
  s.answering.start();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) s.signals.add(signal);
  s.wait_for_signal();
  s.on_tick();
  if (s.control) s.sample_counts();
  if (s.eve && s.config.eve_stats_interval.count() > 0) s.write_stats();
  return daemon;
}

Result<void> Daemon::run() {
  State& s = *state_;
  s.io.run();
  s.close_servers();
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
