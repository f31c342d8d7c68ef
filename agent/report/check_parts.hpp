// The checks, one function each, and what they read the evidence with. For check*.cpp only.
#pragma once

#include "agent/report/check.hpp"

namespace vmirror::checks {

/// A verdict with its evidence and remedy; the table adds the ID.
struct Told {
  CheckVerdict verdict = CheckVerdict::pass;
  std::string evidence = {}, remedy = {};
};

// ---- Reading JSON; `path` has its keys with dots between them

const boost::json::value* at(const boost::json::object& object, std::string_view path);
/// 0 where it is no number, or below 0.
std::uint64_t number(const boost::json::value* value);
std::uint64_t number(const boost::json::object& object, std::string_view path);
/// "" where it is no text.
std::string text(const boost::json::object& object, std::string_view path);
/// Empty where it is no array.
const boost::json::array& list(const boost::json::object& object, std::string_view path);
std::vector<std::string> strings_of(const boost::json::array& lines);

/// How far a counter came between the two readings; of a capture file all of it.
std::uint64_t grown(const CheckEvidence& e, std::string_view path);
std::string percent(std::uint64_t part, std::uint64_t whole);
/// "a, b, c and 4 more"
std::string some(const std::vector<std::string>& all);

/// The evidence is a daemon's, not that of a capture file.
bool is_live(const CheckEvidence& e);
Told only_live();

// ---- What the policies ask for, and what surrounds it: check_asked.cpp

Told check_switch(const CheckEvidence& e);
Told check_watched(const CheckEvidence& e);
Told check_proven(const CheckEvidence& e);
Told check_coverage(const CheckEvidence& e);
Told check_sessions(const CheckEvidence& e);
Told check_drift(const CheckEvidence& e);
Told check_foreign_mirrors(const CheckEvidence& e);

// ---- What arrives, and what it shows: check_arrival.cpp

Told check_traffic(const CheckEvidence& e);
Told check_unicast(const CheckEvidence& e);
Told check_both_directions(const CheckEvidence& e);
Told check_domain_controllers(const CheckEvidence& e);
Told check_duplicates(const CheckEvidence& e);
Told check_truncation(const CheckEvidence& e);
Told check_sequence(const CheckEvidence& e);
Told check_drops(const CheckEvidence& e);
Told check_inputs(const CheckEvidence& e);
Told check_vlans(const CheckEvidence& e);
Told check_devices(const CheckEvidence& e);
Told check_protocols(const CheckEvidence& e);
Told check_expected(const CheckEvidence& e);
Told check_limits(const CheckEvidence& e);

// ---- Clocks: check_clocks.cpp

Told check_clocks(const CheckEvidence& e);
Told check_clock_skew(const CheckEvidence& e);

// ---- The interfaces that frames are captured on: check_nic.cpp

Told check_monitor_nics(const CheckEvidence& e);

}  // namespace vmirror::checks
