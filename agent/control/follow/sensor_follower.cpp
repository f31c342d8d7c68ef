#include "agent/control/follow/sensor_follower.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "agent/control/affinity/set_back.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxSources = 4096;  ///< Of one host; more are not heard.

bool follows(const Policy& policy, Time now) {
  return policy.sensor == Policy::Sensor::follow && (!policy.expires || now < *policy.expires);
}

bool is_followed(const std::vector<Policy>& policies, const Location& at, Time now) {
  return std::ranges::any_of(policies, [&](const Policy& policy) {
    return follows(policy, now) &&
           std::ranges::any_of(policy.select, [&](const Selector& s) { return selects(s, at); });
  });
}

/// The time of an age in milliseconds; none: it is no such number.
std::optional<Time> time_of(const json::value* age, Time now) {
  if (age == nullptr || !age->is_int64()) return std::nullopt;
  const std::int64_t ms = age->get_int64();
  if (ms < 0 || ms > now / kMillisecond) return std::nullopt;
  return now - ms * kMillisecond;
}

std::optional<SensorSource> source_of(const std::string& host, const json::value& from, Time now) {
  const auto* object = from.if_object();
  if (object == nullptr) return std::nullopt;
  const auto* vm = object->if_contains("vm");
  const auto* moving = object->if_contains("moving");
  const auto since = time_of(object->if_contains("here_ms"), now);
  if (vm == nullptr || !vm->is_string() || !since) return std::nullopt;
  return SensorSource{std::string(vm->get_string()), host, *since,
                      moving != nullptr && moving->is_bool() && moving->get_bool()};
}

const json::array* array_of(const json::object& in, const char* key) {
  const auto* value = in.if_contains(key);
  return value ? value->if_array() : nullptr;
}

}  // namespace

SensorFollower::SensorFollower(boost::asio::io_context& io, SensorFollowerOptions options,
                               Libvirt* libvirt, Peers* peers)
    : io_(io), options_(std::move(options)), libvirt_(libvirt), peers_(peers) {}

bool SensorFollower::is_sensor(const std::string& name, const std::string& uuid) const {
  const std::string& sensor = options_.sensor;
  return !sensor.empty() && (name == sensor || uuid == sensor);
}

/// The wall clock may have been set back since it was last told: all is as old as it was.
void SensorFollower::go_to(Time now) {
  const Time by = now_ - now;
  now_ = now;
  if (by <= 0) return;
  const auto move = [by, now](Time& time) { time = set_back(time, by, now); };
  for (auto& [uuid, since] : since_) move(since);
  for (SensorSource& source : here_) move(source.since);
  for (auto& [host, sources] : there_)
    for (SensorSource& source : sources) move(source.since);
  if (came_) move(*came_);
  for (Time& at : history_.moves) move(at);
  std::ranges::sort(history_.moves);
}

// ---- What is here

void SensorFollower::look(const ControlSnapshot& control, const std::vector<Policy>& policies,
                          const std::vector<std::string>& migrating, Time now) {
  go_to(now);
  const bool wanted =
      std::ranges::any_of(policies, [now](const Policy& p) { return follows(p, now); });
  tell(wanted ? sources_here(control, policies, migrating, now) : std::vector<SensorSource>{}, now);
  decide(wanted, migrating, now);
}

std::vector<SensorSource> SensorFollower::sources_here(const ControlSnapshot& control,
                                                       const std::vector<Policy>& policies,
                                                       const std::vector<std::string>& migrating,
                                                       Time now) {
  std::map<std::string, Time> since;
  std::vector<SensorSource> here;
  for (const auto& [key, is] : control.locations) {
    const Location& at = is.at;
    if (at.presence != Presence::active || at.no_port || at.vm_uuid.empty() ||
        !is_followed(policies, at, now) || is_sensor(at.vm_name, at.vm_uuid))
      continue;
    const auto known = since_.find(at.vm_uuid);
    if (!since.emplace(at.vm_uuid, known == since_.end() ? now : known->second).second) continue;
    const bool moving = std::ranges::find(migrating, at.vm_uuid) != migrating.end();
    here.push_back({at.vm(), options_.host, since[at.vm_uuid], moving});
  }
  since_ = std::move(since);
  return here;
}

// ---- What the agents tell each other

void SensorFollower::tell(std::vector<SensorSource> here, Time now) {
  if (looked_ && here == here_ && history_.moves == told_moves_) return;
  looked_ = true;
  here_ = std::move(here);
  told_moves_ = history_.moves;
  if (peers_ == nullptr) return;
  const std::string body = message(now);
  for (const std::string& host : options_.peers)
    (void)peers_->send(host, kMessage, body);  // One that is down is told at on_peer_up.
}

std::string SensorFollower::message(Time now) const {
  const auto age = [now](Time at) { return std::max<Time>(0, now - at) / kMillisecond; };
  json::array sources, moves;
  for (const SensorSource& s : here_) {
    if (sources.size() == kMaxSources) break;
    sources.push_back({{"vm", s.vm}, {"here_ms", age(s.since)}, {"moving", s.moving}});
  }
  for (const Time at : history_.moves) moves.emplace_back(age(at));
  return json::serialize(json::object{{"sources", sources}, {"moved_ms_ago", moves}});
}

void SensorFollower::on_peer_up(const std::string& host, Time now) {
  go_to(now);
  if (looked_ && peers_ != nullptr) (void)peers_->send(host, kMessage, message(now));
}

void SensorFollower::on_peer_down(const std::string& host) {
  there_.erase(host);  // Unknown is not empty: without its sources nothing is decided for it.
}

void SensorFollower::on_message(const std::string& host, const std::string& body, Time now) {
  go_to(now);
  json::error_code error;
  const json::value value = json::parse(body, error);
  const auto* object = error ? nullptr : value.if_object();
  const json::array* sources = object ? array_of(*object, "sources") : nullptr;
  if (sources == nullptr) return;
  std::vector<SensorSource>& there = there_[host];
  there.clear();
  for (const json::value& one : *sources)
    if (auto source = source_of(host, one, now); source && there.size() < kMaxSources)
      there.push_back(std::move(*source));
  if (const json::array* moves = array_of(*object, "moved_ms_ago"))
    for (const json::value& age : *moves)
      if (const auto at = time_of(&age, now)) history_ = heard(std::move(history_), *at, now);
}

// ---- What is done

void SensorFollower::decide(bool wanted, const std::vector<std::string>& migrating, Time now) {
  if (options_.sensor.empty() || libvirt_ == nullptr) {
    decision_ = "no `libvirt: {sensor: VM}` is configured";
    return;
  }
  if (moving_) return;  // The decision stands until libvirt tells what became of it.
  const auto guests = libvirt_->guests();
  if (guests->error) {
    decision_ = "stays: libvirt is not known: " + guests->error->text();
    return;
  }
  const auto& known = guests->by_uuid;
  const auto sensor = std::find_if(known.begin(), known.end(), [&](const auto& entry) {
    return is_sensor(entry.second->name, entry.first);
  });
  const auto state = sensor == known.end() ? GuestState::off : sensor->second->state;
  if (state != GuestState::running && state != GuestState::suspended)
    came_.reset();
  else if (!came_)
    came_ = now;
  if (!wanted) {
    decision_ = "stays: no policy says `sensor: follow`";
    return;
  }
  SensorView view{.running_here = state == GuestState::running,
                  .moving = false,
                  .here = options_.host,
                  .sources = here_,
                  .since = came_.value_or(now)};
  if (view.running_here)
    view.moving = std::ranges::find(migrating, sensor->first) != migrating.end();
  for (const auto& [host, sources] : there_)
    view.sources.insert(view.sources.end(), sources.begin(), sources.end());
  const SensorDecision decision = follow(view, history_, now, options_.follow);
  if (const auto* hold = std::get_if<HoldSensor>(&decision))
    decision_ = "stays: " + hold->why;
  else
    migrate(std::get<MigrateSensor>(decision), sensor->first);
}

void SensorFollower::migrate(const MigrateSensor& decision, const std::string& uuid) {
  const auto uri = options_.libvirt.find(decision.to);
  if (uri == options_.libvirt.end()) {
    decision_ = "stays: " + decision.why + ", but `peers` names no libvirt of " + decision.to;
    return;
  }
  decision_ = "migrates to " + decision.to + ": " + decision.why;
  spdlog::info("sensor {}: {}", options_.sensor, decision_);
  moving_ = true;
  const auto done = [this](Result<void> end) {
    boost::asio::post(io_, [this, end = std::move(end)] {
      moving_ = false;
      history_ = moved(std::move(history_), end.has_value(), wall_clock());
      error_ = end ? "" : end.error().text();
      if (end)
        spdlog::info("sensor {}: migrated", options_.sensor);
      else
        spdlog::warn("sensor {}: {}", options_.sensor, error_);
    });
  };
  if (const auto begun = libvirt_->migrate(uuid, uri->second, {}, done); !begun)
    done(tl::unexpected(begun.error()));
}

json::object SensorFollower::status(Time now) const {
  json::object sources{{options_.host, here_.size()}};
  for (const std::string& host : options_.peers) {
    const auto known = there_.find(host);
    sources[host] = known == there_.end() ? json::value() : json::value(known->second.size());
  }
  return {
      {"vm", options_.sensor.empty() ? json::value() : json::value(options_.sensor)},
      {"decision", decision_},
      {"sources", sources},
      {"moves_in_an_hour",
       std::ranges::count_if(history_.moves, [now](Time at) { return at > now - 3600 * kSecond; })},
      {"error", error_.empty() ? json::value() : json::value(error_)}};
}

}  // namespace vmirror
