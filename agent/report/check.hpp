// `vmirror check`: the validation that guides of sensor vendors ask a person to do by hand, as a
// table of checks over what the daemon, or a capture file, shows. Pure.
//
//   status before, status after, flows, assets --> kChecks, one function each --> findings
#pragma once

#include <boost/json.hpp>
#include <string>
#include <vector>

namespace vmirror {

/// What the checks look at, in the JSON of agent/engine/worker/json.hpp and status.hpp.
struct CheckEvidence {
  boost::json::object before;  ///< Status at the begin; empty for a capture file.
  boost::json::object after;   ///< Status at the end; for a capture file what was counted.
  boost::json::array flows;    ///< The greatest flows: "client", "server", "application".
  boost::json::array assets;
  std::vector<std::string> expected = {};  ///< Protocols that must be seen, by their names.
};

enum class CheckVerdict : std::uint8_t {
  pass,
  warn,      ///< It may be as wanted; a person should look.
  fail,      ///< The sensor does not get what it should.
  not_told,  ///< The evidence says nothing of it; the finding's evidence says why.
};
/// "pass", "warn", "fail", "not told"
const char* to_text(CheckVerdict verdict);

struct CheckFinding {
  std::string id;  ///< As docs/OPERATING.md lists it.
  CheckVerdict verdict = CheckVerdict::pass;
  std::string evidence;  ///< The numbers or names that say so.
  std::string remedy;    ///< Of warn and fail.
};

/// All checks in the order of the manual's table.
std::vector<CheckFinding> run_checks(const CheckEvidence& evidence);
/// Their IDs, in this order.
std::vector<std::string> check_ids();

/// {"well", "pass", "warn", "fail", "not_told", "findings": [{"id", "verdict", "evidence",
/// "remedy"}]}. `well`: none fails.
boost::json::object to_json(const std::vector<CheckFinding>& findings);

}  // namespace vmirror
