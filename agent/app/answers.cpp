// What the daemon answers: the control API and the metrics. Answers are made on threads of their
// own (answer_threads.hpp), of what the engine and the control thread hand out and of values that
// the main thread gives.
#include <pwd.h>
#include <spdlog/spdlog.h>

#include <tuple>

#include "agent/app/daemon_state.hpp"
#include "agent/control/admission/admission.hpp"
#include "agent/control/hook/requirement.hpp"
#include "agent/control/libvirt/domain_xml.hpp"
#include "agent/report/explain.hpp"
#include "agent/report/policies.hpp"
#include "agent/report/preview.hpp"
#include "agent/report/store.hpp"

namespace vmirror {

namespace json = boost::json;
using Answer = ApiBackend::Answer;

namespace {
/// For what a person applied to show its effect.
constexpr std::chrono::milliseconds kSettle{500};
constexpr std::chrono::seconds kMetricsAge{1};

/// The name of a user of this host; its number where it has none.
std::string user_name(std::optional<std::uint32_t> user) {
  if (!user) return "-";
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  ::getpwuid_r(*user, &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? found->pw_name : std::to_string(*user);
}

Error no_store(const std::string& host) {
  return {Error::Kind::unsupported, "this daemon has no store", host,
          "add `store` to its configuration, or see `vmirror policies` and `vmirror sessions`"};
}
}  // namespace

std::shared_ptr<const ControlSnapshot> Daemon::State::control_now() const {
  static const auto none = std::make_shared<const ControlSnapshot>();
  return control ? control->snapshot() : none;
}

/// What the main thread gives: values, so that nothing of it changes while an answer is made.
struct Daemon::State::Known {
  std::shared_ptr<const ControlSnapshot> control;
  PolicyFolder policies;
  std::vector<CoverageRow> coverage;
  std::vector<SinkStatus> outputs;
  std::optional<LibvirtStatus> libvirt;
  std::optional<PeersStatus> peers;
  std::optional<StoreStatus> store;
  std::optional<FollowingStatus> following;
  HookStatus hook;
  std::optional<Error> hook_file_error;
  json::object sensor;
  std::size_t locations_gone = 0;
  std::uint64_t locations_overflow = 0;
  GuestBook::Count guests;
  Collectors collectors;
  bool drained;
};

Daemon::State::Known Daemon::State::known_here() {
  auto now = control_now();
  return {now,
          asked_policies(),
          coverage.rows(*now),
          eve ? eve->status() : std::vector<SinkStatus>{},
          libvirt ? std::optional(libvirt->status()) : std::nullopt,
          peers ? std::optional(peers->status()) : std::nullopt,
          store ? std::optional(store->status()) : std::nullopt,
          following ? std::optional(following->status()) : std::nullopt,
          hook.status(),
          hook_file_error,
          sensor->status(wall_clock()),
          locations.gone(),
          locations.overflow(),
          guests.count(),
          copies->collectors(),
          drained};
}

/// The interfaces that the engine's inputs read, as they are now.
std::map<std::string, std::vector<NicState>> Daemon::State::nics(
    const std::vector<InputSnapshot>& inputs) const {
  std::map<std::string, std::vector<NicState>> out;
  for (const InputSnapshot& input : inputs)
    for (const std::string& interface : interfaces_of(config, input.name))
      if (auto nic = read_nic(interface)) out[input.name].push_back(std::move(*nic));
  return out;
}

template <typename Work>
auto Daemon::State::on_main(Work work) -> Result<std::invoke_result_t<Work&>> {
  auto value = answering.on_main(std::move(work));
  if (!value)
    return fail(Error::Kind::unreachable, "the daemon ends", config.host, "start it again");
  return std::move(*value);
}

/// Calls `make` with everything that is known now.
template <typename Made, typename Make>
Result<Made> Daemon::State::view(const Make& make) {
  const EngineCounters seen = engine->counters();
  auto known = on_main([this] { return known_here(); });
  if (!known) return tl::unexpected(known.error());
  return make(DaemonView{config.host,
                         config.driver ? std::optional(config.driver->name) : std::nullopt,
                         wall_clock(),
                         started,
                         *known->control,
                         seen,
                         known->policies,
                         std::move(known->coverage),
                         std::move(known->outputs),
                         std::move(known->libvirt),
                         std::move(known->peers),
                         std::move(known->store),
                         std::move(known->following),
                         known->hook,
                         known->hook_file_error,
                         std::move(known->sensor),
                         known->locations_gone,
                         known->locations_overflow,
                         known->guests,
                         std::move(known->collectors),
                         known->drained,
                         confinement,
                         nics(seen.inputs)});
}

/// The same for what the policies ask for; no worker of the engine is asked.
template <typename Made, typename Make>
Result<Made> Daemon::State::asked(const Make& make) {
  const auto here = on_main([this] { return std::tuple(asked_policies(), hypervisor(), drained); });
  if (!here) return tl::unexpected(here.error());
  const auto known = control_now();
  const auto& [folder, hypervisor, drained_here] = *here;
  return make(AskedView{*known, folder, control != nullptr, peers != nullptr || store != nullptr,
                        hypervisor, drained_here});
}

std::optional<HypervisorView> Daemon::State::hypervisor() const {
  return libvirt ? std::optional(hypervisor_of(libvirt->status())) : std::nullopt;
}

ApiBackend Daemon::State::backend() {
  ApiBackend b;
  add_listings(b);
  add_plans(b);
  add_changes(b);
  add_store_answers(b);
  b.hook = [this](const HookCall& call) {
    return on_main([&] { return on_hook(call); })
        .value_or(HookAnswer{HookAnswer::Kind::unknown, "the agent ends"});
  };
  return b;
}

Result<void> Daemon::State::needs_switch() const {
  if (control) return {};
  return fail(Error::Kind::unsupported, "this daemon drives no switch", config.host,
              "add `switch` to its configuration");
}

void Daemon::State::add_listings(ApiBackend& b) {
  b.status = [this]() -> Answer { return view<json::object>(status_json); };
  b.sessions = [this]() -> Answer { return asked<json::object>(sessions_json); };
  b.policies = [this]() -> Answer { return asked<json::object>(policies_json); };
  b.policy = [this](const std::string& name) -> Answer {
    return asked<json::object>([&](const AskedView& v) { return policy_json(v, name); });
  };
  b.locations = [this]() -> Answer {
    const auto rows = on_main([this] { return locations.rows(wall_clock()); });
    if (!rows) return tl::unexpected(rows.error());
    return locations_json(*rows, *control_now());
  };
  b.migrations = [this](const std::string& vm) -> Answer {
    const auto records = on_main(
        [this] { return following ? following->records() : std::vector<MigrationRecord>{}; });
    if (!records) return tl::unexpected(records.error());
    return migrations_json(*records, vm);
  };
  b.assets = [this]() -> Answer { return assets_json(engine->assets()); };
  b.findings = [this]() -> Answer { return findings_json(engine->findings()); };
  b.flows = [this]() -> Answer { return flows_json(engine->top_flows()); };
  b.explain = [this](const std::string& name) -> Answer {
    const auto rows = on_main([this] { return locations.rows(wall_clock()); });
    if (!rows) return tl::unexpected(rows.error());
    return view<json::object>([&](const DaemonView& v) { return explain_json(v, *rows, name); });
  };
}

void Daemon::State::add_plans(ApiBackend& b) {
  b.plan = [this]() -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    auto known = control->snapshot();
    if (!known->observed && !known->observe_error) known = control->settle(kSettle);
    // Without a reading, or without policies, nobody can tell whether there is drift.
    if (known->observe_error) return tl::unexpected(*known->observe_error);
    const auto bad = on_main([this] { return asked_policies().first_error(); });
    if (!bad) return tl::unexpected(bad.error());
    if (*bad && !known->policies_known) return tl::unexpected(**bad);
    return asked<json::object>(plan_json);
  };
  b.preview = [this](const std::vector<Policy>& given) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    const auto here = on_main(
        [this] { return std::pair(in_force.value_or(std::vector<Policy>{}), hypervisor()); });
    if (!here) return tl::unexpected(here.error());
    const auto known = control->snapshot();
    const auto realise = [this](const Desired& d, const Observed& o) {
      return control->realise(d, o);
    };
    return preview_json(
        {*known, here->first, realise, config.monitor_nic, here->second, wall_clock()}, given);
  };
}

void Daemon::State::add_changes(ApiBackend& b) {
  b.put_policy = [this](const std::string& yaml, std::optional<std::uint32_t> user) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    const auto name = keep_policy(yaml, user);
    if (!name) return tl::unexpected(name.error());
    control->settle(kSettle);
    return asked<json::object>([&](const AskedView& v) { return policy_json(v, *name); });
  };
  b.drop_policy = [this](const std::string& name, std::optional<std::uint32_t> user) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    if (const auto done = drop_policy(name, user); !done) return tl::unexpected(done.error());
    control->settle(kSettle);
    return json::object{{"policy", name}};
  };
  b.drain = [this](bool on) -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    const auto done = on_main([=, this] { return drain(on), on; });
    if (!done) return tl::unexpected(done.error());
    control->settle(kSettle);
    return asked<json::object>(plan_json);
  };
  b.prune = [this]() -> Answer {
    if (const auto ok = needs_switch(); !ok) return tl::unexpected(ok.error());
    // The daemon does so all the time: look once more, and tell what is left to do.
    control->settle(kSettle);
    return asked<json::object>(plan_json);
  };
}

/// A change that was written is acted on at once, not at the store's next hint.
Result<void> Daemon::State::see_store_change() {
  const auto seen = on_main([this] { return look_at_store(), true; });
  if (!seen) return tl::unexpected(seen.error());
  return {};
}

/// In the store, where there is one, else in the folder. Returns the policy's name.
Result<std::string> Daemon::State::keep_policy(const std::string& yaml,
                                               std::optional<std::uint32_t> user) {
  if (!store) {
    const auto kept = on_main([&] { return policies->keep(yaml); });
    if (!kept) return tl::unexpected(kept.error());
    if (!*kept) return tl::unexpected(kept->error());
    return (*kept)->first;
  }
  const auto policy = parse_policy(yaml, "the policy");
  if (!policy) return tl::unexpected(policy.error());
  const auto done = store->put(yaml, user_name(user) + "@" + config.host, wall_clock());
  if (!done) return tl::unexpected(done.error());
  if (const auto seen = see_store_change(); !seen) return tl::unexpected(seen.error());
  return policy->name;
}

/// Of the store or, where that has none of this name, of the folder.
Result<void> Daemon::State::drop_policy(const std::string& name,
                                        std::optional<std::uint32_t> user) {
  if (store) {
    const auto done = store->drop(name, user_name(user) + "@" + config.host, wall_clock());
    if (done) return see_store_change();
    if (done.error().kind != Error::Kind::missing) return done;
  }
  const auto done = on_main([&] { return policies->drop(name); });
  if (!done) return tl::unexpected(done.error());
  return *done;
}

void Daemon::State::add_store_answers(ApiBackend& b) {
  const auto told = [this](json::object (*make)(const StoreContents&)) {
    return [this, make]() -> Answer {
      if (!store) return tl::unexpected(no_store(config.host));
      return store->contents(wall_clock()).map(make);
    };
  };
  b.store_policies = told(
      [](const StoreContents& contents) { return store_policies_json(contents, wall_clock()); });
  b.store_hosts = told(store_hosts_json);
  b.store_sessions = told(store_sessions_json);
  b.store_removals = told(store_removals_json);
  b.forget_host = [this](const std::string& name) -> Answer {
    if (!store) return tl::unexpected(no_store(config.host));
    if (const auto done = store->forget_host(name, wall_clock()); !done)
      return tl::unexpected(done.error());
    return json::object{{"host", name}};
  };
}

/// Any local user may scrape: one text serves all who ask within a second, and while the next is
/// made the last one does.
HttpResponse Daemon::State::metrics_answer() {
  {
    std::unique_lock lock(metrics_text.mutex);
    metrics_text.made.wait(lock, [this] { return metrics_text.text || !metrics_text.making; });
    const bool fresh = std::chrono::steady_clock::now() - metrics_text.at < kMetricsAge;
    if (metrics_text.text && (fresh || metrics_text.making))
      return {200, kPrometheusContentType, *metrics_text.text};
    metrics_text.making = true;
  }
  auto text = view<std::string>([](const DaemonView& v) { return prometheus_text(metrics(v)); });
  const std::lock_guard lock(metrics_text.mutex);
  metrics_text.making = false;
  metrics_text.made.notify_all();
  if (!text) return {503, "text/plain", text.error().text() + "\n"};
  metrics_text.text = std::move(*text);
  metrics_text.at = std::chrono::steady_clock::now();
  return {200, kPrometheusContentType, *metrics_text.text};
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
  HookAnswer said =
      answer({*in_force, *known, realise, config.monitor_nic, now}, call.operation, guest);
  // A policy that is not known may require this guest, too.
  if (!all_known && said.kind == HookAnswer::Kind::go_on && guest &&
      !required_by(requirements_of(*in_force), &*guest, now))
    return {HookAnswer::Kind::unknown, "a policy file is bad: see `vmirror status`"};
  return said;
}

}  // namespace vmirror
