#include "agent/api/routes.hpp"

#include <algorithm>
#include <array>
#include <boost/url/decode_view.hpp>
#include <boost/url/parse.hpp>
#include <utility>

#include "agent/control/policy/policy_file.hpp"
#include "plugin/base/clock.hpp"
#include "plugin/base/plain_text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

struct KindText {
  Error::Kind kind;
  const char* text;
  int status;
};
constexpr std::array kKinds{
    KindText{Error::Kind::invalid, "invalid", 400},
    KindText{Error::Kind::unreachable, "unreachable", 503},
    KindText{Error::Kind::refused, "refused", 409},
    KindText{Error::Kind::unsupported, "unsupported", 501},
    KindText{Error::Kind::missing, "missing", 404},
    KindText{Error::Kind::exhausted, "exhausted", 507},
    KindText{Error::Kind::internal, "internal", 500},
};

const KindText& kind_text(Error::Kind kind) {
  for (const KindText& k : kKinds)
    if (k.kind == kind) return k;
  return kKinds.back();
}

bool is_valid(std::string_view text) {
  for (std::size_t size = 0; !text.empty(); text.remove_prefix(size))
    if ((size = utf8_size(text)) == 0) return false;
  return true;
}

/// Guests and files choose the bytes of names, and Boost.JSON writes them as they are.
void make_valid(json::value& value) {
  if (auto* text = value.if_string(); text != nullptr && !is_valid(*text))
    *text = valid_utf8(*text);
  if (auto* array = value.if_array())
    for (json::value& element : *array) make_valid(element);
  auto* object = value.if_object();
  if (object == nullptr) return;
  if (!std::ranges::all_of(*object, [](const auto& m) { return is_valid(m.key()); })) {
    json::object again;
    for (auto& member : *object) again[valid_utf8(member.key())] = std::move(member.value());
    *object = std::move(again);
  }
  for (auto& member : *object) make_valid(member.value());
}

HttpResponse json_response(int status, json::value body) {
  make_valid(body);
  return {status, "application/json", json::serialize(body)};
}

HttpResponse failure(const Error& error, int status) {
  return json_response(status, json::object{{"error", to_json(error)}});
}

HttpResponse reply(ApiBackend::Answer answer) {
  if (!answer) return failure(answer.error(), kind_text(answer.error().kind).status);
  return json_response(200, std::move(*answer));
}

/// The path without its query, percent-decoded; empty when it is no path.
std::string path_of(const std::string& target) {
  const auto url = boost::urls::parse_origin_form(target);
  if (!url) return {};
  return url->path();
}

using RouteAnswer =
    std::function<ApiBackend::Answer(const HttpRequest&, const std::string& argument)>;

/// One request that can't be answered ends no daemon.
HttpResponse answer(const RouteAnswer& make, const HttpRequest& request,
                    const std::string& argument) {
  try {
    return reply(make(request, argument));
  } catch (const std::exception& e) {
    return failure({Error::Kind::internal, std::string("a fault of vmirrord: ") + e.what(),
                    request.target, "report it with the version"},
                   500);
  }
}

/// {"policies": [{"file", "yaml"}]}; `file` is for errors only.
Result<std::vector<Policy>> given_policies(const std::string& body) {
  const auto wrong = [] {
    return fail(Error::Kind::invalid, "the body is not {\"policies\": [{\"file\", \"yaml\"}]}",
                "/v1/plan", "see docs/OPERATING.md");
  };
  json::error_code code;
  const json::value value = json::parse(body, code);
  const auto* object = code ? nullptr : value.if_object();
  const auto* list = object == nullptr ? nullptr : object->if_contains("policies");
  if (list == nullptr || !list->is_array()) return wrong();
  std::vector<Policy> out;
  for (const json::value& given : list->get_array()) {
    const auto* one = given.if_object();
    const auto* file = one == nullptr ? nullptr : one->if_contains("file");
    const auto* yaml = one == nullptr ? nullptr : one->if_contains("yaml");
    if (file == nullptr || yaml == nullptr || !file->is_string() || !yaml->is_string())
      return wrong();
    const std::string name(file->get_string());
    auto policy = parse_policy(std::string_view(yaml->get_string()), name);
    if (!policy) return tl::unexpected(policy.error());
    if (std::ranges::find(out, policy->name, &Policy::name) != out.end())
      return fail(Error::Kind::invalid, "policy `" + policy->name + "` is given twice", name,
                  "give one of them another name");
    out.push_back(std::move(*policy));
  }
  return out;
}

template <typename T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

}  // namespace

HttpHandler api_routes(ApiBackend backend) {
  struct Route {
    const char* method;
    std::string path;  ///< Ends with '/': the rest is the argument.
    RouteAnswer answer;
  };
  const auto plain = [](std::function<ApiBackend::Answer()> f) {
    return [f = std::move(f)](const HttpRequest&, const std::string&) { return f(); };
  };
  const auto named = [](std::function<ApiBackend::Answer(const std::string&)> f) {
    return [f = std::move(f)](const HttpRequest&, const std::string& name) { return f(name); };
  };
  std::vector<Route> routes;
  routes.push_back({"GET", "/v1/status", plain(backend.status)});
  routes.push_back({"GET", "/v1/sessions", plain(backend.sessions)});
  routes.push_back({"GET", "/v1/locations", plain(backend.locations)});
  routes.push_back(
      {"GET", "/v1/migrations",
       [all = backend.migrations](const HttpRequest&, const std::string&) { return all({}); }});
  routes.push_back({"GET", "/v1/migrations/", named(backend.migrations)});
  routes.push_back({"GET", "/v1/assets", plain(backend.assets)});
  routes.push_back({"GET", "/v1/flows", plain(backend.flows)});
  routes.push_back({"GET", "/v1/findings", plain(backend.findings)});
  routes.push_back({"GET", "/v1/explain/", named(backend.explain)});
  routes.push_back({"GET", "/v1/plan", plain(backend.plan)});
  routes.push_back({"POST", "/v1/plan",
                    [preview = backend.preview](const HttpRequest& request, const std::string&) {
                      return given_policies(request.body).and_then(preview);
                    }});
  routes.push_back({"GET", "/v1/policies", plain(backend.policies)});
  routes.push_back({"GET", "/v1/policies/", named(backend.policy)});
  routes.push_back({"PUT", "/v1/policies",
                    [put = backend.put_policy](const HttpRequest& request, const std::string&) {
                      return put(request.body, request.user);
                    }});
  routes.push_back(
      {"DELETE", "/v1/policies/",
       [drop = backend.drop_policy](const HttpRequest& request, const std::string& name) {
         return drop(name, request.user);
       }});
  routes.push_back({"GET", "/v1/store/policies", plain(backend.store_policies)});
  routes.push_back({"GET", "/v1/store/hosts", plain(backend.store_hosts)});
  routes.push_back({"GET", "/v1/store/sessions", plain(backend.store_sessions)});
  routes.push_back({"GET", "/v1/store/removals", plain(backend.store_removals)});
  routes.push_back({"DELETE", "/v1/store/hosts/", named(backend.forget_host)});
  routes.push_back({"POST", "/v1/prune", plain(backend.prune)});
  routes.push_back(
      {"POST", "/v1/drain", plain([=, drain = backend.drain] { return drain(true); })});
  routes.push_back(
      {"DELETE", "/v1/drain", plain([=, drain = backend.drain] { return drain(false); })});

  return [routes = std::move(routes), hook = backend.hook](const HttpRequest& request) {
    const std::string path = path_of(request.target);
    if (is_hook_call(request)) return answer_hook(hook, request);
    bool known = false;
    for (const Route& route : routes) {
      const bool takes_argument = route.path.back() == '/';
      if (takes_argument ? !path.starts_with(route.path) || path.size() == route.path.size()
                         : path != route.path)
        continue;
      known = true;
      if (request.method == route.method)
        return answer(route.answer, request, path.substr(route.path.size()));
    }
    if (known)
      return failure({Error::Kind::unsupported, "no method " + request.method, path, ""}, 405);
    return failure({Error::Kind::missing, "no such path", path, "see docs/OPERATING.md"}, 404);
  };
}

json::object to_json(const Error& error) {
  return {{"kind", kind_text(error.kind).text},
          {"what", error.what},
          {"where", error.where},
          {"remedy", error.remedy}};
}

Error error_from_json(const json::value& value) {
  Error error;
  const auto* object = value.if_object();
  if (object == nullptr) return error;
  const auto text = [&](const char* key) -> std::string {
    const auto* member = object->if_contains(key);
    return member != nullptr && member->is_string() ? std::string(member->get_string()) : "";
  };
  for (const KindText& k : kKinds)
    if (text("kind") == k.text) error.kind = k.kind;
  error.what = text("what");
  error.where = text("where");
  error.remedy = text("remedy");
  return error;
}

json::object to_json(const SessionStatus& s) {
  const char* proof = told_proof(s.state, s.proof);
  return {{"name", s.name},
          {"state", to_text(s.state)},
          {"state_text", state_text(s)},
          {"proof", proof != nullptr ? json::value(proof) : nullptr},
          {"reason", s.reason},
          {"warnings", json::array(s.warnings.begin(), s.warnings.end())},
          {"since", format_time(s.since)},
          {"policy", s.policy},
          {"vm", s.vm},
          {"mac", s.mac ? json::value(s.mac->text()) : json::value(nullptr)},
          {"switch", s.switch_name},
          {"port", s.port},
          {"direction", to_text(s.direction)},
          {"target", s.target},
          {"filter", s.filter.empty() ? json::value(nullptr) : json::value(s.filter)},
          {"filtered", s.filtering == Filtering::none ? json::value(nullptr)
                                                      : json::value(to_text(s.filtering))},
          {"mirror", s.mirror},
          {"more_mirrors", json::array(s.more_mirrors.begin(), s.more_mirrors.end())},
          {"output", s.output},
          {"session_id", or_null(s.session_id)},
          {"copied_frames", or_null(s.copied_frames)},
          {"port_frames", or_null(s.port_frames)}};
}

json::object to_json(const PolicyStatus& p) {
  return {{"name", p.name},
          {"state", to_text(p.state)},
          {"reason", p.reason},
          {"sessions", p.sessions}};
}

json::object to_json(const Step& step) {
  return {{"step", step.text()}, {"why", step.why}};
}

}  // namespace vmirror
