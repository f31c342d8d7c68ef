// The interfaces that frames are captured on: what their ring loses, and what merges frames.
#include <algorithm>
#include <utility>

#include "agent/report/check_parts.hpp"
#include "plugin/base/text.hpp"

namespace vmirror::checks {

namespace json = boost::json;

namespace {

/// What is said of all interfaces.
struct NicLines {
  std::vector<std::string> faults, remedies;
  std::vector<std::string> facts;  ///< Of the interface that is looked at.
  bool fails = false;
  bool any_ring = false;  ///< Of one of them it is known how long its ring is.
};

/// "256 of at most 4096"
std::string setting_text(const json::object& setting) {
  return std::to_string(number(setting, "now")) + " of at most " +
         std::to_string(number(setting, "most"));
}

void tell_ring(const json::object& nic, const std::string& name, NicLines& out) {
  const auto* ring = at(nic, "ring");
  if (ring == nullptr || !ring->is_object()) {
    const std::string driver = text(nic, "driver");
    out.facts.push_back("ring not available: " +
                        (driver.empty() ? "the kernel names no driver of it"
                                        : "the driver " + driver + " has none to tell of"));
    return;
  }
  out.any_ring = true;
  const json::object& r = ring->get_object();
  if (number(r, "now") >= number(r, "most")) {
    out.facts.push_back("ring " + setting_text(r));
    return;
  }
  out.faults.push_back(name + ": its ring has " + setting_text(r) + " descriptors");
  out.remedies.push_back("`ethtool -G " + name + " rx " + std::to_string(number(r, "most")) + "`");
}

/// Each queue's frames are taken in on one CPU, however many workers wait for them.
void tell_queues(const json::object& nic, const std::string& name, std::uint64_t workers,
                 NicLines& out) {
  const auto* queues = at(nic, "queues");
  if (queues == nullptr || !queues->is_object()) {
    out.facts.push_back("queues not available: the driver does not tell");
    return;
  }
  const json::object& q = queues->get_object();
  const std::uint64_t wanted = std::min(workers, number(q, "most"));
  if (number(q, "now") >= wanted) {
    out.facts.push_back("queues " + setting_text(q));
    return;
  }
  const auto* combined = at(nic, "combined");
  const bool both = combined != nullptr && combined->is_bool() && combined->get_bool();
  out.faults.push_back(name + ": " + count(number(q, "now"), "queue") + " for " +
                       count(workers, "worker"));
  out.remedies.push_back("`ethtool -L " + name + (both ? " combined " : " rx ") +
                         std::to_string(wanted) + "`");
}

void tell_offloads(const json::object& nic, const std::string& name, NicLines& out) {
  const std::vector<std::string> merging = strings_of(list(nic, "merging"));
  if (merging.empty()) {
    out.facts.push_back("no offload merges frames");
    return;
  }
  std::string off;
  for (const std::string& each : merging) off += " " + each + " off";
  out.faults.push_back(name + ": merges frames by " + some(merging));
  out.remedies.push_back("`ethtool -K " + name + off + "`, or `offloads_off: true` of the input");
}

/// Of the time that is looked at: of that interface how far a counter came.
std::uint64_t grown_of(const CheckEvidence& e, const json::object& nic, const char* key) {
  const std::uint64_t is = number(nic, key);
  for (const json::value& input : list(e.before, "inputs"))
    for (const json::value& each : list(input.as_object(), "nics"))
      if (text(each.as_object(), "interface") == text(nic, "interface")) {
        const std::uint64_t was = number(each.as_object(), key);
        return is >= was ? is - was : is;
      }
  return is;
}

void tell_missed(const CheckEvidence& e, const json::object& nic, const std::string& name,
                 NicLines& out) {
  const std::uint64_t missed = grown_of(e, nic, "missed"), all = grown_of(e, nic, "received");
  const std::string when = e.before.empty() ? " since it was made" : " meanwhile";
  if (missed == 0) {
    out.facts.push_back("0 frames missed" + when);
    return;
  }
  out.fails = out.fails || missed * 100 > all + missed;
  out.faults.push_back(name + ": " + count(missed, "frame") + " missed" + when + ", " +
                       std::to_string(all) + " received: the NIC had no room for them");
  out.remedies.push_back("a longer ring, more queues, or less load on " + name + "; `ethtool -S " +
                         name + "`");
}

}  // namespace

Told check_monitor_nics(const CheckEvidence& e) {
  if (!is_live(e)) return only_live();
  NicLines lines;
  std::vector<std::string> told;
  for (const json::value& input : list(e.after, "inputs"))
    for (const json::value& each : list(input.as_object(), "nics")) {
      const json::object& nic = each.as_object();
      const std::string name = text(nic, "interface");
      const std::uint64_t workers =
          std::max<std::uint64_t>(1, number(input.as_object(), "workers"));
      tell_missed(e, nic, name, lines);
      tell_ring(nic, name, lines);
      tell_queues(nic, name, workers, lines);
      tell_offloads(nic, name, lines);
      std::string line = name + ":";
      for (const std::string& fact : std::exchange(lines.facts, {}))
        line += (line.ends_with(':') ? " " : ", ") + fact;
      told.push_back(std::move(line));
    }
  if (!lines.faults.empty())
    return {lines.fails ? CheckVerdict::fail : CheckVerdict::warn, some(lines.faults),
            some(lines.remedies)};
  if (told.empty())
    return {CheckVerdict::not_told, "not available: no interface is captured on", ""};
  return {lines.any_ring ? CheckVerdict::pass : CheckVerdict::not_told, some(told), ""};
}

}  // namespace vmirror::checks
