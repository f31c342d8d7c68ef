#include "agent/app/sensor_follower.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxSources = 4096;  ///< Of one host; more are not heard.

bool is_followed(const std::vector<Policy>& policies, const Location& at) {
  return std::ranges::any_of(policies, [&](const Policy& policy) {
    return policy.sensor == Policy::Sensor::follow &&
           std::ranges::any_of(policy.select, [&](const Selector& s) { return selects(s, at); });
  });
}

std::string to_message(const std::vector<SensorSource>& sources) {
  json::array out;
  for (const SensorSource& s : sources)
    out.push_back({{"vm", s.vm}, {"since", s.since}, {"moving", s.moving}});
  return json::serialize(out);
}

std::vector<SensorSource> from_message(const std::string& host, const std::string& body) {
  std::vector<SensorSource> out;
  json::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_array()) return out;
  for (const json::value& one : value.get_array()) {
    const auto* object = one.if_object();
    if (object == nullptr || out.size() >= kMaxSources) break;
    const auto* vm = object->if_contains("vm");
    const auto* since = object->if_contains("since");
    const auto* moving = object->if_contains("moving");
    if (vm == nullptr || !vm->is_string() || since == nullptr || !since->is_int64()) continue;
    out.push_back({std::string(vm->get_string()), host, since->get_int64(),
                   moving != nullptr && moving->is_bool() && moving->get_bool()});
  }
  return out;
}

}  // namespace

SensorFollower::SensorFollower(boost::asio::io_context& io, const Config& config, Libvirt* libvirt,
                               Peers* peers)
    : io_(io), config_(config), libvirt_(libvirt), peers_(peers) {}

void SensorFollower::look(const ControlSnapshot& control, const std::vector<Policy>& policies,
                          const std::vector<std::string>& migrating, Time now) {
  if (std::ranges::none_of(policies,
                           [](const Policy& p) { return p.sensor == Policy::Sensor::follow; })) {
    if (!here_.empty() || told_.empty()) tell({});
    decision_ = "stays: no policy says `sensor: follow`";
    return;
  }
  std::map<std::string, Time> since;
  std::vector<SensorSource> here;
  for (const auto& [key, is] : control.locations) {
    const Location& at = is.at;
    if (at.presence != Presence::active || at.vm_uuid.empty() || !is_followed(policies, at) ||
        (config_.libvirt && at.vm_name == config_.libvirt->sensor))
      continue;
    const auto known = since_.find(at.vm_uuid);
    if (!since.emplace(at.vm_uuid, known == since_.end() ? now : known->second).second) continue;
    const bool moving = std::ranges::find(migrating, at.vm_uuid) != migrating.end();
    here.push_back({at.vm(), config_.host, since[at.vm_uuid], moving});
  }
  since_ = std::move(since);
  tell(std::move(here));
  decide(migrating, now);
}

void SensorFollower::tell(std::vector<SensorSource> here) {
  here_ = std::move(here);
  std::string message = to_message(here_);
  if (message == told_) return;
  told_ = std::move(message);
  if (peers_ == nullptr || !config_.peers) return;
  for (const Peer& peer : config_.peers->link.peers)
    (void)peers_->send(peer.host, kMessage, told_);  // A peer that is down hears at on_peer_up.
}

void SensorFollower::on_peer_up(const std::string& host) {
  (void)peers_->send(host, kMessage, told_.empty() ? "[]" : told_);
}

void SensorFollower::on_peer_down(const std::string& host) {
  there_.erase(host);  // Unknown is not empty: without its sources nothing is decided for it.
}

void SensorFollower::on_message(const std::string& host, const std::string& body) {
  there_[host] = from_message(host, body);
}

void SensorFollower::decide(const std::vector<std::string>& migrating, Time now) {
  if (!config_.libvirt || config_.libvirt->sensor.empty() || libvirt_ == nullptr) {
    decision_ = "no `libvirt: {sensor: VM}` is configured";
    return;
  }
  const auto guests = libvirt_->guests();
  const auto sensor = std::ranges::find_if(guests->by_uuid, [&](const auto& entry) {
    return entry.second->name == config_.libvirt->sensor || entry.first == config_.libvirt->sensor;
  });
  SensorView view{.running_here = false, .moving = moving_, .here = config_.host, .sources = here_};
  if (sensor != guests->by_uuid.end() && !guests->error) {
    view.running_here = sensor->second->state == GuestState::running;
    view.moving = view.moving || std::ranges::find(migrating, sensor->first) != migrating.end();
  }
  for (const auto& [host, sources] : there_)
    view.sources.insert(view.sources.end(), sources.begin(), sources.end());
  const SensorDecision decision = follow(view, history_, now);
  if (const auto* hold = std::get_if<HoldSensor>(&decision)) {
    decision_ = "stays: " + hold->why;
    return;
  }
  migrate(std::get<MigrateSensor>(decision), sensor->first);
}

void SensorFollower::migrate(const MigrateSensor& decision, const std::string& uuid) {
  const auto uri = config_.peers ? config_.peers->libvirt.find(decision.to)
                                 : std::map<std::string, std::string>::const_iterator{};
  if (!config_.peers || uri == config_.peers->libvirt.end()) {
    decision_ = "stays: " + decision.why + ", but `peers` names no libvirt of " + decision.to;
    return;
  }
  decision_ = "migrates to " + decision.to + ": " + decision.why;
  spdlog::info("sensor {}: {}", config_.libvirt->sensor, decision_);
  moving_ = true;
  const auto done = [this](Result<void> end) {
    boost::asio::post(io_, [this, end = std::move(end)] {
      moving_ = false;
      history_ = moved(std::move(history_), end.has_value(), wall_clock());
      error_ = end ? "" : end.error().text();
      if (!end) spdlog::warn("sensor {}: {}", config_.libvirt->sensor, error_);
    });
  };
  if (const auto begun = libvirt_->migrate(uuid, uri->second, {}, done); !begun)
    done(tl::unexpected(begun.error()));
}

json::object SensorFollower::status() const {
  return {{"vm", config_.libvirt ? json::value(config_.libvirt->sensor) : json::value()},
          {"decision", decision_},
          {"moves_in_an_hour", history_.moves.size()},
          {"error", error_.empty() ? json::value() : json::value(error_)}};
}

}  // namespace vmirror
