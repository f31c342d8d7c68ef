// Fuzzes what the hook reads: the agent's answer, the file of requirements, its settings. (The
// domain's XML has a target of its own.)
#include <algorithm>
#include <cstdlib>

#include "agent/control/hook/message.hpp"
#include "agent/control/hook/requirement.hpp"
#include "agent/control/hook/settings.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

namespace {

/// An answer that was whole before the connection ended is the same after.
void check_reply(std::string_view text) {
  const auto open = parse_hook_reply(text, false);
  const auto closed = parse_hook_reply(text, true);
  if (closed && !*closed) std::abort();  // Nothing more will come.
  if (open && *open && (!closed || **open != **closed)) std::abort();
  if (closed && (*closed)->body.size() > text.size()) std::abort();
}

/// What is read is written and read as the same, but for lines that ask for any guest.
void check_requirements(std::string_view text) {
  const auto all = parse_requirements(text);
  const auto any = [](const Requirement& r) { return r.selector == Selector{}; };
  if (std::ranges::none_of(all, any) && parse_requirements(requirements_text(all)) != all)
    std::abort();
  Guest guest;
  guest.nics.resize(1);
  const bool required = required_by(all, &guest, 0).has_value();
  if (std::ranges::any_of(all, [&](const Requirement& r) { return any(r) && !r.expires; }) &&
      !required)
    std::abort();
}

void check_settings(std::string_view text) {
  const auto settings = parse_hook_file(text);
  if (!settings) return;
  const auto written = hook_file("/hook", *settings);
  if (!written || parse_hook_file(*written) != *settings) std::abort();
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  const std::string_view text = as_text(bytes);
  check_reply(text);
  check_requirements(text);
  check_settings(text);
}

VMIRROR_SEEDS() {
  using vmirror::test::text;
  return {
      text("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nwhy"),
      text("HTTP/1.0 409 Conflict\r\nServer: x\r\n\r\nno bridge"),
      text("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      text("# vmirror requirements 1\np\t0\tvm=a*\tlabel:ro%3dle=d[c]\nq\t1700000000\tmac=52:*\n"),
      text("#!/x\n# vmirror\nsocket /a\nrequirements /b\ntimeout_ms 500\n")};
}
