// The HTTP client against Debian's nginx with TLS, whose certificates openssl made.
#include "plugin/net/http.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "plugin/net/soap.hpp"
#include "tests/support/nginx.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::net {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using test::Nginx;
using test::TemporaryDirectory;

// Ports: 0 a good certificate, 1 one that expired, 2 one of another host, 3 one that signed itself,
// 4 nobody, 5 HTTP for the proxy below, 6 TLS 1.1 only.
constexpr const char* kServers = R"(
  ssl_certificate {dir}/good.pem; ssl_certificate_key {dir}/good.key;
  server { listen 127.0.0.1:{0} ssl; root {dir}/files;
    location /hello { default_type text/plain; return 200 "hello"; }
    location /moved { return 302 https://127.0.0.1:{0}/hello; }
    location /status/401 { return 401; }
    location /status/500 { return 500; }
    location /status/503 { return 503; }
    location /busy { add_header Retry-After 1 always; return 503; }
    location /busy-for-long { add_header Retry-After 3600 always; return 503; }
    location /later { add_header Retry-After 0 always; if (!-f {dir}/ready) { return 503; } return 200 "done"; }
    location /big {}
    location /slow { limit_rate 100; }
    location /cut { proxy_pass http://127.0.0.1:{5}/big; proxy_read_timeout 300ms; proxy_buffering off; }
    location /basic { auth_basic "x"; auth_basic_user_file {dir}/users; alias {dir}/files/; }
    location /login { add_header Set-Cookie "session=abc; Secure; HttpOnly; Path=/"; return 200 "in"; }
    location /cookie { return 200 "$http_cookie"; }
    location /fields { return 200 "$request_method $http_soapaction $http_content_type $content_length"; }
    location /soap/ok { return 200 '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><ok/></e:Body></e:Envelope>'; }
    location /soap/fault { return 500 '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>Server</faultcode><faultstring>no</faultstring></e:Fault></e:Body></e:Envelope>'; }
    location /soap/sender { return 400 '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault/></e:Body></e:Envelope>'; }
    location /soap/html { return 200 '<html><body>welcome</body></html>'; }
  }
  server { listen 127.0.0.1:{1} ssl; ssl_certificate {dir}/expired.pem; ssl_certificate_key {dir}/expired.key; return 200 "in"; }
  server { listen 127.0.0.1:{2} ssl; ssl_certificate {dir}/other.pem; ssl_certificate_key {dir}/other.key; return 200 "in"; }
  server { listen 127.0.0.1:{3} ssl; ssl_certificate {dir}/self.pem; ssl_certificate_key {dir}/self.key; return 200 "in"; }
  server { listen 127.0.0.1:{5}; root {dir}/files; limit_rate 1000; }
  server { listen 127.0.0.1:{6} ssl; ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0; return 200 "in"; }
)";

class HttpTest : public testing::Test {
 protected:
  /// The certificates are the same for all tests: openssl needs a second for them.
  static void SetUpTestSuite() {
    certificates_ = std::make_unique<TemporaryDirectory>();
    const std::string& dir = certificates_->path();
    test::make_ca(dir, "ca");
    test::make_ca(dir, "strangers");
    test::make_ca(dir, "self");
    test::make_certificate(dir, "good", "ca", "IP:127.0.0.1");
    test::make_certificate(dir, "expired", "ca", "IP:127.0.0.1", -1);
    test::make_certificate(dir, "other", "ca", "DNS:other.example");
  }
  static void TearDownTestSuite() { certificates_.reset(); }

  void SetUp() override {
    if (const std::string why = Nginx::unavailable(); !why.empty()) GTEST_SKIP() << why;
    test::run_shell(
        "cd '" + directory_.path() + "' && cp '" + certificates_->path() + "'/*.pem '" +
        certificates_->path() + "'/*.key . && mkdir files && " +
        "head -c 300000 /dev/zero > files/big && cp files/big files/slow && " +
        "echo secret > files/index.html && openssl rand -hex 16 > password && " +
        "echo agent:$(openssl passwd -apr1 \"$(cat password)\") > users && umask 077 && " +
        "printf 'username=agent\\npassword=%s\\n' \"$(cat password)\" > credentials");
    nginx_ = std::make_unique<Nginx>(directory_, kServers);
  }

  std::string file(const std::string& name) const { return directory_.path() + "/" + name; }
  HttpOptions options(int port = 0) const {
    HttpOptions out;
    out.url = "https://127.0.0.1:" + std::to_string(nginx_->port(port));
    out.ca_file = file("ca.pem");
    out.retry.attempts = 1;
    return out;
  }
  static std::unique_ptr<HttpClient> client(HttpOptions options) {
    auto made = HttpClient::make(std::move(options));
    EXPECT_TRUE(made) << made.error().text();
    return made ? std::move(*made) : nullptr;
  }
  Result<HttpResponse> get(const HttpOptions& options, const std::string& path = "/hello") {
    return client(options)->send({.path = path});
  }
  /// Numbers of nginx's connections, of its access log.
  std::set<std::string> connections(std::size_t requests) {
    EXPECT_TRUE(eventually([&] { return nginx_->log().size() >= requests; }));
    std::set<std::string> out;
    for (const std::string& line : nginx_->log()) out.insert(line.substr(0, line.find(' ')));
    return out;
  }
  std::size_t requests_of(const std::string& path) {
    const auto log = nginx_->log();
    return static_cast<std::size_t>(
        std::count_if(log.begin(), log.end(),
                      [&](const std::string& line) { return line.ends_with(" " + path); }));
  }

  static inline std::unique_ptr<TemporaryDirectory> certificates_;
  TemporaryDirectory directory_;
  std::unique_ptr<Nginx> nginx_;
};

std::string text(const HttpResponse& response) {
  return {response.body.begin(), response.body.end()};
}

TEST_F(HttpTest, ACertificateIsTheServersByItsCaOrByItsThumbprint) {
  struct Row {
    const char* what;
    int port;
    const char* ca;          ///< A file, or null.
    const char* thumbprint;  ///< Of that certificate, or null.
    const char* error;       ///< Null: accepted.
  };
  const Row rows[] = {
      {"its CA", 0, "ca", nullptr, nullptr},
      {"another CA", 0, "strangers", nullptr, "unable to get local issuer certificate"},
      {"this machine's CAs", 0, nullptr, nullptr, "unable to get local issuer certificate"},
      {"expired", 1, "ca", nullptr, "certificate has expired"},
      {"of another host", 2, "ca", nullptr, "127.0.0.1"},
      {"signed itself", 3, "ca", nullptr, "self-signed certificate"},
      {"signed itself, pinned", 3, nullptr, "self", nullptr},
      {"expired, pinned", 1, nullptr, "expired", nullptr},
      {"of another host, pinned", 2, nullptr, "other", nullptr},
      {"another one is pinned", 0, nullptr, "self", "not the thumbprint"},
      {"its CA is pinned", 0, nullptr, "ca", "not the thumbprint"},
  };
  for (const Row& row : rows) {
    HttpOptions with = options(row.port);
    with.ca_file = row.ca ? file(row.ca + std::string(".pem")) : "";
    if (row.thumbprint) with.thumbprint = test::thumbprint(directory_.path(), row.thumbprint);
    with.retry.attempts = 3;
    const auto client = this->client(with);
    const auto got = client->send({.path = "/hello"});
    if (!row.error) {
      ASSERT_TRUE(got) << row.what << ": " << got.error().text();
      EXPECT_EQ(got->status, 200) << row.what;
      continue;
    }
    ASSERT_FALSE(got) << row.what;
    EXPECT_EQ(got.error().kind, Error::Kind::refused) << row.what;
    EXPECT_NE(got.error().what.find(row.error), std::string::npos)
        << row.what << ": " << got.error().text();
    EXPECT_EQ(client->counters().attempts, 1u) << row.what;  // It will not be another's soon.
    const char* names[] = {"good", "expired", "other", "self"};
    EXPECT_NE(got.error().remedy.find(test::thumbprint(directory_.path(), names[row.port])),
              std::string::npos)
        << row.what << ": " << got.error().text();
  }
  for (const std::string& line : nginx_->log())
    EXPECT_EQ(line.find(" 400 "), std::string::npos) << line;
}

TEST_F(HttpTest, AThumbprintIsTakenInEveryUsualForm) {
  std::string print = test::thumbprint(directory_.path(), "good");
  std::string lower = print;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  std::string bare = print;
  std::erase(bare, ':');
  for (const std::string& form : {print, lower, bare}) EXPECT_EQ(normal_thumbprint(form), print);
  for (const std::string& form :
       {std::string(), print + ":", print.substr(3), bare + "0", "x" + bare, std::string("::")})
    EXPECT_FALSE(normal_thumbprint(form)) << form;
  const auto sha1 = normal_thumbprint(print.substr(0, 59));
  EXPECT_NE(sha1.error().what.find("SHA-1"), std::string::npos);
}

TEST_F(HttpTest, OptionsAreChecked) {
  const auto error = [&](auto change) {
    HttpOptions with = options();
    change(with);
    const auto made = HttpClient::make(with);
    EXPECT_FALSE(made);
    return made ? "" : made.error().text();
  };
  struct Row {
    const char* url;
    const char* words;
  };
  for (const Row& row : {Row{"http://h", "can be read"}, Row{"ftp://h", "not HTTP"},
                         Row{"https://h/sdk", "more than"}, Row{"https://h?a", "more than"},
                         Row{"", "no URL"}, Row{"https://:443", "no URL"}})
    EXPECT_NE(error([&](HttpOptions& o) { o.url = row.url; }).find(row.words), std::string::npos)
        << row.url;
  const std::string user = error([](HttpOptions& o) { o.url = "https://me:hidden@h"; });
  EXPECT_NE(user.find("as credentials"), std::string::npos) << user;
  EXPECT_EQ(user.find("hidden"), std::string::npos) << user;
  EXPECT_NE(error([&](HttpOptions& o) { o.ca_file = file("none"); }).find("CAs"),
            std::string::npos);
  EXPECT_NE(error([&](HttpOptions& o) { o.ca_file = file("users"); }).find("CAs"),
            std::string::npos);
  error([](HttpOptions& o) { o.thumbprint = "AB"; });
  error([](HttpOptions& o) { o.thumbprint = std::string(64, 'a'); });  // And a CA file.
  error([](HttpOptions& o) { o.auth = Auth::basic; });
  EXPECT_FALSE(client(options())->send({.path = "@evil.example/"}));
  EXPECT_FALSE(client(options())->send({.fields = {{"a", "b\r\nc: d"}}}));
}

TEST_F(HttpTest, EveryStatusIsAnAnswer) {
  for (const int status : {401, 500, 503}) {
    const auto got = get(options(), "/status/" + std::to_string(status));
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->status, status);
  }
  EXPECT_EQ(get(options(), "/moved")->status, 302);  // Not followed.
  EXPECT_EQ(get(options(), "/hello")->content_type, "text/plain");
}

TEST_F(HttpTest, CallsOneAfterAnotherUseOneConnection) {
  const auto client = this->client(options());
  for (int i = 0; i < 20; i++)
    ASSERT_EQ(text(*client->send({.path = "/hello", .repeatable = true})), "hello");
  EXPECT_EQ(connections(20).size(), 1u);
  EXPECT_EQ(client->counters().connections, 1u);
  // What may not come twice never goes over a connection that may be dead, on which libcurl would
  // send it again.
  ASSERT_TRUE(client->send({.path = "/hello"}));
  EXPECT_EQ(connections(21).size(), 2u);
  nginx_->kill();
  nginx_->start();
  const auto again = client->send({.path = "/hello", .repeatable = true});
  ASSERT_TRUE(again) << again.error().text();
}

TEST_F(HttpTest, AnswersHaveABound) {
  HttpOptions with = options();
  with.max_response_bytes = 300'000;  // And the fields.
  const auto client = this->client(with);
  const auto got = client->send({.path = "/big"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Error::Kind::exhausted);
  EXPECT_NE(got.error().what.find("300000 bytes"), std::string::npos) << got.error().text();
  EXPECT_EQ(client->counters().too_large, 1u);
  with.max_response_bytes = 301'000;
  EXPECT_EQ(get(with, "/big")->body.size(), 300'000u);
  with.max_response_bytes = 50;
  EXPECT_EQ(get(with).error().kind, Error::Kind::exhausted);  // The fields alone.
}

TEST_F(HttpTest, ACallEndsInTimeOrWhenTheServerEndsIt) {
  const auto client = this->client(options());
  const auto late = client->send({.path = "/slow", .timeout = 300ms});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, Error::Kind::unreachable);
  EXPECT_NE(late.error().what.find("no whole answer in time"), std::string::npos)
      << late.error().text();
  const auto cut = client->send({.path = "/cut"});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, Error::Kind::unreachable);
  EXPECT_NE(cut.error().what.find("ended early"), std::string::npos) << cut.error().text();
  const auto nobody = get(options(4));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, Error::Kind::unreachable);
  for (const int port : {5, 6}) {  // No TLS there; or an old one.
    const auto none = get(options(port));
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().what.find("no TLS"), std::string::npos) << none.error().text();
  }
  EXPECT_TRUE(client->send({.path = "/hello"}));  // The client goes on.
}

TEST_F(HttpTest, AnotherThreadStopsACall) {
  const auto client = this->client(options());
  std::stop_source source;
  std::atomic<bool> done = false;
  Result<HttpResponse> got;
  std::thread caller([&] {
    got = client->send({.path = "/slow", .timeout = 10min}, source.get_token());
    done = true;
  });
  // Others go on meanwhile, on connections of their own.
  EXPECT_TRUE(client->send({.path = "/hello"}));
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(done);
  source.request_stop();
  EXPECT_TRUE(eventually([&] { return done.load(); }, 60));
  caller.join();
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what.find("stopped"), std::string::npos) << got.error().text();
  // One that was stopped before it began, and one that is stopped in a pause.
  EXPECT_FALSE(client->send({.path = "/hello"}, source.get_token()));
  HttpOptions with = options();
  with.retry = {.attempts = 10, .first = 30s, .most = 60s};
  std::stop_source second;
  with.random = [&] {
    second.request_stop();
    return 1.0;
  };
  const auto paused = this->client(with)->send(
      {.path = "/status/503", .timeout = 10min, .repeatable = true}, second.get_token());
  ASSERT_FALSE(paused);
  EXPECT_NE(paused.error().what.find("stopped"), std::string::npos) << paused.error().text();
}

TEST_F(HttpTest, CallsAtATimeHaveABound) {
  HttpOptions with = options();
  with.max_lanes = 2;
  const auto client = this->client(with);
  std::stop_source source;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 2; i++)
    callers.emplace_back(
        [&] { (void)client->send({.path = "/slow", .timeout = 10min}, source.get_token()); });
  ASSERT_TRUE(eventually([&] { return client->counters().attempts == 2; }, 60));
  const auto third = client->send({.path = "/hello"});
  source.request_stop();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, Error::Kind::exhausted);
  EXPECT_EQ(client->counters().no_lane, 1u);
  callers.clear();
  EXPECT_TRUE(client->send({.path = "/hello"}));
}

TEST_F(HttpTest, ACallIsRepeatedOnlyWhereItIsSafe) {
  struct Row {
    const char* path;
    bool repeatable;
    int status;  ///< 0: an error.
    std::uint64_t attempts;
  };
  const Row rows[] = {
      {"/status/503", true, 503, 3},
      {"/status/503", false, 503, 1},
      {"/status/500", true, 500, 1},
      {"/busy", false, 503, 3},
      {"/busy-for-long", true, 503, 1},
      {"/cut", true, 0, 3},
      {"/cut", false, 0, 1},
  };
  for (const Row& row : rows) {
    HttpOptions with = options();
    with.retry = {.attempts = 3, .first = 10ms, .most = 5s};
    const auto client = this->client(with);
    const auto got = client->send({.path = row.path, .timeout = 60s, .repeatable = row.repeatable});
    EXPECT_EQ(got ? got->status : 0, row.status) << row.path;
    EXPECT_EQ(client->counters().attempts, row.attempts) << row.path << " " << row.repeatable;
  }
  // The server becomes ready in the pause, whose length is asked for then.
  HttpOptions with = options();
  with.retry = {.attempts = 5, .first = 10ms};
  with.random = [&] {
    std::ofstream(file("ready")) << "";
    return 0.5;
  };
  EXPECT_EQ(text(*get(with, "/later")), "done");
  EXPECT_TRUE(eventually([&] { return requests_of("/later") == 2; }));
  // What reached nobody can be tried again, whatever it is.
  HttpOptions nobody = options(4);
  nobody.retry = {.attempts = 3, .first = 10ms};
  const auto client = this->client(nobody);
  EXPECT_FALSE(client->send({.path = "/hello"}));
  EXPECT_EQ(client->counters().attempts, 3u);
}

TEST_F(HttpTest, CookiesAreKeptForAllConnectionsUntilTheyAreForgotten) {
  const auto client = this->client(options());
  EXPECT_EQ(text(*client->send({.path = "/cookie"})), "");
  EXPECT_EQ(text(*client->send({.path = "/login"})), "in");
  std::string other;
  std::stop_source source;
  std::jthread slow([&] { (void)client->send({.path = "/slow"}, source.get_token()); });
  ASSERT_TRUE(eventually([&] { return client->counters().requests == 3; }));
  EXPECT_EQ(text(*client->send({.path = "/cookie"})), "session=abc");
  source.request_stop();
  slow.join();
  EXPECT_EQ(text(*this->client(options())->send({.path = "/cookie"})), "");
  client->forget_cookies();
  EXPECT_EQ(text(*client->send({.path = "/cookie"})), "");
}

TEST_F(HttpTest, TheEnvironmentsProxyIsUsedOnlyWhereItIsAskedFor) {
  const std::string nobody = "http://127.0.0.1:" + std::to_string(nginx_->port(4));
  setenv("https_proxy", nobody.c_str(), 1);
  EXPECT_TRUE(get(options()));
  HttpOptions with = options();
  with.proxy_from_environment = true;
  EXPECT_FALSE(get(with));
  unsetenv("https_proxy");
  EXPECT_TRUE(get(with));
}

TEST_F(HttpTest, BasicAuthentication) {
  HttpOptions with = options();
  with.auth = Auth::basic;
  with.credentials = *read_credentials({file("credentials"), {}});
  EXPECT_EQ(get(with, "/basic/")->status, 200);
  with.credentials.password = Secret("wrong");
  EXPECT_EQ(get(with, "/basic/")->status, 401);
  with.auth = Auth::none;
  EXPECT_EQ(get(with, "/basic/")->status, 401);
}

TEST_F(HttpTest, SoapCallsJudgeTheStatus) {
  struct Row {
    const char* path;
    SoapVersion version;
    const char* error;  ///< Null: a message.
    bool fault;
  };
  const Row rows[] = {
      {"/soap/ok", SoapVersion::v1_2, nullptr, false},
      {"/soap/fault", SoapVersion::v1_1, nullptr, true},
      {"/soap/sender", SoapVersion::v1_2, nullptr, true},
      {"/soap/html", SoapVersion::v1_1, "no envelope", false},
      {"/status/401", SoapVersion::v1_1, "HTTP status 401", false},
      {"/status/500", SoapVersion::v1_1, "HTTP status 500", false},
      {"/status/503", SoapVersion::v1_1, "HTTP status 503", false},
      {"/none", SoapVersion::v1_1, "HTTP status 404", false},
  };
  for (const Row& row : rows) {
    SoapRequest request(row.version);
    request.body().append_child("Get");
    const auto client = this->client(options());
    const auto got = call(*client, {.path = row.path, .action = "urn:a"}, request);
    ASSERT_EQ(got.has_value(), row.error == nullptr) << row.path;
    if (got) {
      EXPECT_EQ(got->fault().has_value(), row.fault) << row.path;
    } else {
      EXPECT_NE(got.error().text().find(row.error), std::string::npos) << got.error().text();
      EXPECT_NE(got.error().where.find(row.path), std::string::npos) << got.error().text();
    }
  }
}

TEST_F(HttpTest, FieldsOfARequestAreSent) {
  const auto client = this->client(options());
  const auto got =
      client->send({.path = "/fields",
                    .fields = {{"SOAPAction", "\"urn:a\""}, {"Content-Type", "text/xml"}},
                    .body = "<a/>"});
  EXPECT_EQ(text(*got), "POST \"urn:a\" text/xml 4");
}

// ---- What a core dump would show ----------------------------------------------------------------

/// Where in this process's memory that a core dump has (mappings without the flag dd) `needle` is.
std::string dumped_with(std::string_view needle) {
  std::ifstream maps("/proc/self/smaps");
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  constexpr std::size_t kPiece = 1 << 20;
  auto* buffer = static_cast<char*>(allocate_undumped(kPiece));
  std::string line, mapping, found;
  unsigned long begin = 0, end = 0;
  while (std::getline(maps, line)) {
    char mode[8] = {};
    if (unsigned long from = 0, to = 0;
        std::sscanf(line.c_str(), "%lx-%lx %7s", &from, &to, mode) == 3) {
      mapping = line, begin = from, end = to;
      if (mode[0] != 'r') end = begin;
    } else if (line.starts_with("VmFlags:") && line.find(" dd") == line.npos) {
      for (unsigned long at = begin; at < end; at += kPiece - needle.size()) {
        const ssize_t got = pread(memory, buffer, std::min<unsigned long>(kPiece, end - at),
                                  static_cast<off_t>(at));
        if (got <= 0) break;
        const auto* hit = static_cast<const char*>(
            memmem(buffer, static_cast<std::size_t>(got), needle.data(), needle.size()));
        if (hit) found += mapping + "\n";
        if (static_cast<unsigned long>(got) < std::min<unsigned long>(kPiece, end - at)) break;
      }
    }
  }
  free_undumped(buffer);
  close(memory);
  return found;
}

TEST_F(HttpTest, APasswordIsInNoMemoryThatACoreDumpHas) {
  HttpOptions with = options();
  with.auth = Auth::basic;
  with.credentials = *read_credentials({file("credentials"), {}});
  const Secret password = with.credentials.password;
  ASSERT_EQ(password.view().size(), 32u);
  const auto client = this->client(with);
  EXPECT_EQ(client->send({.path = "/basic/"})->status, 200);
  SoapRequest login(SoapVersion::v1_1);
  login.set_secret(login.body().append_child("password"), password);
  EXPECT_TRUE(call(*client, {.path = "/soap/fault"}, login));
  const auto logged = client->send({.path = "/login"});
  EXPECT_EQ(dumped_with(password.view()), "");
  // The search finds what there is to find.
  std::string copy(password.view());
  EXPECT_NE(dumped_with(password.view()), "");
  explicit_bzero(copy.data(), copy.size());
}

}  // namespace
}  // namespace vmirror::net
