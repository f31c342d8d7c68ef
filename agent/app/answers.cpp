// What the daemon answers: the control API and the metrics, from what is known at the moment.
#include <spdlog/spdlog.h>

#include "agent/app/daemon_state.hpp"
#include "agent/control/admission/admission.hpp"
#include "agent/control/libvirt/domain_xml.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {
/// For what a person applied to show its effect.
constexpr std::chrono::milliseconds kSettle{500};
}  // namespace

std::shared_ptr<const ControlSnapshot> Daemon::State::control_now() const {
  static const auto none = std::make_shared<const ControlSnapshot>();
  return control ? control->snapshot() : none;
}

/// Calls `make` with everything that is known now.
template <typename Make>
auto Daemon::State::view(Make make) {
  const auto known = control_now();
  const EngineCounters seen = engine->counters();
  static const PolicyFolder no_folder;
  std::vector<SinkStatus> outputs;
  if (eve) outputs.push_back(eve->status());
  return make(DaemonView{
      config.host, config.driver ? std::optional(config.driver->name) : std::nullopt, wall_clock(),
      started, *known, seen, policies ? policies->folder() : no_folder, coverage.rows(*known),
      std::move(outputs), libvirt ? std::optional(libvirt->status()) : std::nullopt,
      peers ? std::optional(peers->status()) : std::nullopt,
      following ? std::optional(following->status()) : std::nullopt, hook.status(), hook_file_error,
      sensor->status(wall_clock()), locations.gone(), locations.overflow(), guests.count()});
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
  b.assets = [this]() -> Answer { return assets_json(engine->assets()); };
  b.flows = [this]() -> Answer { return flows_json(engine->top_flows()); };
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

}  // namespace vmirror
