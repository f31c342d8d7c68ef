// The control API's paths: which request reaches what, and how failures look.
#include "agent/api/routes.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

namespace json = boost::json;

/// A backend that answers with the name of what was called, and its argument.
ApiBackend echo() {
  const auto said = [](std::string what) {
    return [what] { return ApiBackend::Answer(json::object{{"called", what}}); };
  };
  const auto named = [](std::string what) {
    return [what](const std::string& argument) {
      return ApiBackend::Answer(json::object{{"called", what + " " + argument}});
    };
  };
  ApiBackend b;
  b.status = said("status");
  b.sessions = said("sessions");
  b.locations = said("locations");
  b.assets = said("assets");
  b.flows = said("flows");
  b.findings = said("findings");
  b.migrations = named("migrations");
  b.explain = named("explain");
  b.plan = said("plan");
  b.put_policy = [named](const std::string& yaml, auto) { return named("put")(yaml); };
  b.drop_policy = [named](const std::string& name, auto) { return named("drop")(name); };
  b.prune = said("prune");
  b.drain = [](bool on) {
    return ApiBackend::Answer(json::object{{"called", on ? "drain" : "undo"}});
  };
  b.policies = said("policies");
  b.policy = named("policy");
  b.preview = [](const std::vector<Policy>& given) {
    std::string names;
    for (const Policy& policy : given) names += " " + policy.name;
    return ApiBackend::Answer(json::object{{"called", "preview" + names}});
  };
  b.store_policies = said("store policies");
  b.store_hosts = said("store hosts");
  b.store_sessions = said("store sessions");
  b.store_removals = said("store removals");
  b.forget_host = named("forget host");
  return b;
}

TEST(Routes, ReachTheirFunctions) {
  const HttpHandler handler = api_routes(echo());
  struct Case {
    const char *method, *target, *body, *called;
  };
  for (
      const Case& c : {
          Case{"GET", "/v1/status", "", "status"},
          Case{"GET", "/v1/status?pretty=1", "", "status"},
          Case{"GET", "/v1/sessions", "", "sessions"},
          Case{"GET", "/v1/locations", "", "locations"},
          Case{"GET", "/v1/migrations", "", "migrations "},
          Case{"GET", "/v1/migrations/dc1", "", "migrations dc1"},
          Case{"GET", "/v1/assets", "", "assets"},
          Case{"GET", "/v1/flows", "", "flows"},
          Case{"GET", "/v1/explain/vnet0@local", "", "explain vnet0@local"},
          Case{"GET", "/v1/explain/a%20b%2Fc", "", "explain a b/c"},
          Case{"GET", "/v1/plan", "", "plan"},
          Case{
              "POST", "/v1/plan",
              R"({"policies": [{"file": "a", "yaml": "{policy: a, select: [{port: p}], targets: [local]}"},
                                 {"file": "b", "yaml": "{policy: b, select: [{port: p}], targets: [local]}"}]})",
              "preview a b"},
          Case{"GET", "/v1/policies", "", "policies"},
          Case{"GET", "/v1/policies/a", "", "policy a"},
          Case{"PUT", "/v1/policies", "policy: a", "put policy: a"},
          Case{"DELETE", "/v1/policies/a", "", "drop a"},
          Case{"POST", "/v1/prune", "", "prune"},
          Case{"POST", "/v1/drain", "", "drain"},
          Case{"DELETE", "/v1/drain", "", "undo"},
          Case{"GET", "/v1/findings", "", "findings"},
          Case{"GET", "/v1/store/policies", "", "store policies"},
          Case{"GET", "/v1/store/hosts", "", "store hosts"},
          Case{"GET", "/v1/store/sessions", "", "store sessions"},
          Case{"DELETE", "/v1/store/hosts/kvm9", "", "forget host kvm9"},
      }) {
    const HttpResponse r = handler({c.method, c.target, c.body});
    EXPECT_EQ(r.status, 200) << c.target;
    EXPECT_EQ(json::parse(r.body).at("called").as_string(), c.called);
  }
}

TEST(Routes, RefuseWhatTheyDoNotKnow) {
  const HttpHandler handler = api_routes(echo());
  EXPECT_EQ(handler({"GET", "/", ""}).status, 404);
  EXPECT_EQ(handler({"GET", "/v1/statusx", ""}).status, 404);
  EXPECT_EQ(handler({"GET", "/v1/explain/", ""}).status, 404);
  EXPECT_EQ(handler({"GET", "no path", ""}).status, 404);
  EXPECT_EQ(handler({"POST", "/v1/status", ""}).status, 405);
}

TEST(Routes, AnswerAnErrorByItsKindAndWhole) {
  struct Case {
    Error::Kind kind;
    int status;
  };
  for (const Case& c : {Case{Error::Kind::invalid, 400}, Case{Error::Kind::missing, 404},
                        Case{Error::Kind::refused, 409}, Case{Error::Kind::unreachable, 503},
                        Case{Error::Kind::unsupported, 501}, Case{Error::Kind::internal, 500}}) {
    ApiBackend backend = echo();
    const Error error{c.kind, "what", "where", "remedy"};
    backend.status = [&] { return ApiBackend::Answer(tl::unexpected(error)); };
    const HttpResponse r = api_routes(backend)({"GET", "/v1/status", ""});
    EXPECT_EQ(r.status, c.status);
    EXPECT_EQ(error_from_json(json::parse(r.body).at("error")), error);
  }
}

TEST(Routes, APreviewNamesTheFileThatIsWrong) {
  const HttpHandler handler = api_routes(echo());
  const auto where = [&](const std::string& body) {
    const HttpResponse r = handler({"POST", "/v1/plan", body});
    EXPECT_EQ(r.status, 400) << body;
    return error_from_json(json::parse(r.body).at("error")).where;
  };
  EXPECT_EQ(where("policy: a"), "/v1/plan");
  EXPECT_EQ(where(R"({"policies": ["policy: a"]})"), "/v1/plan");
  EXPECT_EQ(where(R"({"policies": [{"file": "x.yaml", "yaml": "policy: a"}]})"), "x.yaml:1");
  const std::string twice = R"({"yaml": "{policy: a, select: [{port: p}], targets: [local]}", )";
  EXPECT_EQ(where(R"({"policies": [)" + twice + R"("file": "x"}, )" + twice + R"("file": "y"}]})"),
            "y");
}

TEST(Routes, AnExceptionIsAnAnswer) {
  ApiBackend backend = echo();
  backend.status = []() -> ApiBackend::Answer { throw std::runtime_error("out of luck"); };
  const HttpResponse r = api_routes(backend)({"GET", "/v1/status", ""});
  EXPECT_EQ(r.status, 500);
  EXPECT_EQ(error_from_json(json::parse(r.body).at("error")).what,
            "a fault of vmirrord: out of luck");
}

TEST(Routes, AnswerInUtf8WhateverNamesSay) {
  ApiBackend backend = echo();
  backend.assets = []() -> ApiBackend::Answer {
    return json::object{{"name", json::array{"dc\xff\xc3", "\xc3\xa4"}}, {"\xfekey", 1}};
  };
  backend.flows = []() -> ApiBackend::Answer {
    return fail(Error::Kind::missing, "no `\xff`", "\x80");
  };
  const HttpHandler handler = api_routes(std::move(backend));
  json::error_code error;
  const json::value assets = json::parse(handler({"GET", "/v1/assets", ""}).body, error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_EQ(assets.at("name").at(0), "dc\\xff\\xc3");
  EXPECT_EQ(assets.at("name").at(1), "\xc3\xa4");
  EXPECT_EQ(assets.at("\\xfekey"), 1);
  const json::value flows = json::parse(handler({"GET", "/v1/flows", ""}).body, error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_EQ(flows.at("error").at("what"), "no `\\xff`");
}

}  // namespace
}  // namespace vmirror
