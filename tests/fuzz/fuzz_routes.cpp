// Fuzzes the control API: whatever the method, the path and the body, the answer is JSON in valid
// UTF-8, or the hook's one line. The input is "METHOD TARGET\n" and the body.
#include <boost/json.hpp>
#include <cstdlib>

#include "agent/api/routes.hpp"
#include "plugin/base/plain_text.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

namespace {

/// A daemon that repeats what it is asked for.
ApiBackend echo() {
  using Answer = ApiBackend::Answer;
  const auto plain = []() -> Answer { return boost::json::object{{"well", true}}; };
  const auto named = [](const std::string& name) -> Answer {
    return boost::json::object{{"name", name}, {name, 1}};
  };
  ApiBackend b;
  b.status = b.sessions = b.locations = b.assets = b.flows = b.findings = b.plan = b.prune =
      b.policies = plain;
  b.store_policies = b.store_hosts = b.store_sessions = b.store_removals = plain;
  b.migrations = b.explain = b.policy = b.forget_host = named;
  b.drop_policy = [=](const std::string& name, auto) { return named(name); };
  b.put_policy = [=](const std::string& yaml, auto) { return named(yaml); };
  b.drain = [](bool on) -> Answer { return boost::json::object{{"on", on}}; };
  b.preview = [](const std::vector<Policy>& given) -> Answer {
    boost::json::array names;
    for (const Policy& policy : given) names.emplace_back(policy.name);
    return boost::json::object{{"names", names}};
  };
  b.hook = [](const HookCall& call) {
    return HookAnswer{HookAnswer::Kind::refuse, call.operation + call.guest + call.xml};
  };
  return b;
}

}  // namespace

VMIRROR_FUZZ(bytes) {
  static const HttpHandler handler = api_routes(echo());
  const std::string text(as_text(bytes));
  const std::size_t line = std::min(text.find('\n'), text.size());
  const std::size_t space = std::min(text.find(' '), line);
  const HttpRequest request{text.substr(0, space),
                            space < line ? text.substr(space + 1, line - space - 1) : "",
                            line < text.size() ? text.substr(line + 1) : ""};
  const HttpResponse response = handler(request);
  if (response.status < 200 || response.status > 599) std::abort();
  if (is_hook_call(request)) {
    if (response.body.find('\n') != std::string::npos) std::abort();
    return;
  }
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = 64;
  if (!boost::json::parse(response.body, error, {}, options).is_object() || error) std::abort();
  if (valid_utf8(response.body) != response.body) std::abort();
}

VMIRROR_SEEDS() {
  using vmirror::test::text;
  return {
      text("GET /v1/status\n"),
      text("GET /v1/explain/%ff%00%e2%80%ae\n"),
      text("GET /v1/migrations/dc1?x=%zz\n"),
      text("DELETE /v1/policies/a\n"),
      text("POST /v1/hook?operation=prepare&guest=dc1\n<domain/>"),
      text("POST /v1/plan\n{\"policies\": [{\"file\": \"a.yaml\", \"yaml\": \"policy: a\\nselect: "
           "[{port: x}]\\ntargets: [local]\"}]}"),
      text("PUT /v1/policies\npolicy: a\n"),
      text("BREW /v1/drain\n")};
}
