// TLS between agents, with certificates made here by the openssl program: who gets in, and the
// words for who doesn't, on both sides.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/agent/control/peers/agents.hpp"

namespace vmirror {
namespace {

using test::Agent;
using test::dials;
using test::waits;
namespace fs = std::filesystem;

/// A folder of keys and certificates, gone with it.
class Authority {
 public:
  Authority() {
    std::string name = (fs::temp_directory_path() / "vmirror-tls-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    make_ca("ca");
    make_ca("other-ca");
  }
  ~Authority() { fs::remove_all(folder_); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string path(const std::string& file) const { return (folder_ / file).string(); }

  /// The list of the certificates of `ca` that it took back.
  std::string revoke(const std::vector<std::string>& files) const {
    std::ofstream(path("revoked.txt")).flush();
    std::ofstream(path("crlnumber")) << "01\n";
    std::ofstream(path("crl.cnf"))
        << "[c]\ndatabase=" << path("revoked.txt") << "\ncrlnumber=" << path("crlnumber")
        << "\ndefault_md=sha256\ndefault_crl_days=2\n";
    const std::string by = "-config " + path("crl.cnf") + " -name c -cert " + path("ca.pem") +
                           " -keyfile " + path("ca.key");
    for (const std::string& file : files) run("ca -revoke " + path(file) + ".pem " + by);
    run("ca -gencrl " + by + " -out " + path("crl.new"));
    fs::rename(path("crl.new"), path("crl.pem"));
    return path("crl.pem");
  }

  /// A certificate `file` of `ca` for the common name; with `dns`, for that DNS name, too.
  PeerTls make(const std::string& file, const std::string& common_name, const std::string& dns = {},
               const std::string& ca = "ca", bool expired = false) const {
    const std::string base = path(file), authority = path(ca);
    std::ofstream(base + ".ext") << (dns.empty() ? "" : "subjectAltName=DNS:" + dns + "\n");
    run("req -new " + key() + " -keyout " + base + ".key -subj /CN=" + common_name + " -out " +
        base + ".csr");
    // `x509 -req` knows only days from now; a CA of openssl's takes any dates.
    if (expired) {
      std::ofstream(path("index.txt")).flush();
      std::ofstream(path("ca.cnf"))
          << "[c]\ndatabase=" << path("index.txt") << "\nnew_certs_dir=" << folder_.string()
          << "\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
          << "[p]\ncommonName=supplied\n";
      run("ca -batch -notext -config " + path("ca.cnf") + " -name c -cert " + authority +
          ".pem -keyfile " + authority + ".key -startdate 20200101000000Z -enddate " +
          "20200201000000Z -in " + base + ".csr -out " + base + ".pem");
    } else {
      run("x509 -req -days 2 -CA " + authority + ".pem -CAkey " + authority +
          ".key -CAcreateserial -extfile " + base + ".ext -in " + base + ".csr -out " + base +
          ".pem");
    }
    return {base + ".pem", base + ".key", path("ca.pem"), {}};
  }

 private:
  static std::string key() { return "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"; }
  static void run(const std::string& command) {
    ASSERT_EQ(std::system(("openssl " + command + " >/dev/null 2>&1").c_str()), 0) << command;
  }
  void make_ca(const std::string& name) const {
    run("req -x509 -days 2 " + key() + " -keyout " + path(name) + ".key -subj /CN=" + name +
        " -out " + path(name) + ".pem");
  }

  fs::path folder_;
};

class PeersTls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (std::system("openssl version >/dev/null 2>&1") == 0) authority_ = new Authority;
  }
  static void TearDownTestSuite() {
    delete authority_;
    authority_ = nullptr;
  }
  void SetUp() override {
    if (authority_ == nullptr) GTEST_SKIP() << "the openssl program is not installed";
  }
  static inline Authority* authority_ = nullptr;
};

TEST_F(PeersTls, MessagesAreEncrypted) {
  PeersOptions waiting = waits();
  waiting.tls = authority_->make("b", "someone", "b");
  Agent b(waiting);
  PeersOptions dialing = dials(b.port());
  dialing.tls = authority_->make("a", "a");
  Agent a(dialing);
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(b.told("up a"));
  ASSERT_TRUE(a.link().send("b", "large", std::string(16 << 20, 'x')));
  ASSERT_TRUE(b.link().send("a", "large", std::string(16 << 20, 'y')));
  ASSERT_TRUE(b.told("a large 16777216 bytes"));
  ASSERT_TRUE(a.told("b large 16777216 bytes"));
  EXPECT_TRUE(a.peer("b").encrypted);
  EXPECT_TRUE(b.link().status().encrypted);
}

TEST_F(PeersTls, WhoIsRefusedIsToldWhy) {
  const PeerTls a = authority_->make("a", "a"), b = authority_->make("b", "b");
  const PeerTls a_of_other = authority_->make("a-other", "a", "", "other-ca");
  const PeerTls b_of_other = authority_->make("b-other", "b", "", "other-ca");
  const PeerTls a_expired = authority_->make("a-expired", "a", "", "ca", true);
  const PeerTls b_expired = authority_->make("b-expired", "b", "", "ca", true);
  const std::string one_ca =
      " (give both hosts certificates of one CA, and name that in peers.tls.ca)";
  const std::string on_both = " (set peers.tls on both hosts, or on neither)";
  const std::string renew = " (renew it; are both hosts' clocks right?)";
  const std::string name = " (give it one with that DNS name, or correct the host's name)";
  const std::string alert = "it does not accept this host's certificate: ";
  const std::string its = "its certificate is not accepted: ";
  struct Case {
    const char* what;
    std::optional<PeerTls> a, b;
    std::string by_a, by_b;  // How the reasons begin.
  };
  for (const Case& c : {
           Case{"a of another CA", a_of_other, b, alert + "tlsv1 alert unknown ca",
                "a stranger at 127.0.0.1: " + its + "unable to get local issuer certificate" +
                    one_ca},
           Case{"b of another CA", a, b_of_other,
                its + "unable to get local issuer certificate" + one_ca,
                "a stranger at 127.0.0.1: " + alert + "tlsv1 alert unknown ca"},
           Case{"a expired", a_expired, b, alert + "sslv3 alert certificate expired",
                "a stranger at 127.0.0.1: " + its + "certificate has expired" + renew},
           Case{"b expired", a, b_expired, its + "certificate has expired" + renew,
                "a stranger at 127.0.0.1: " + alert + "sslv3 alert certificate expired"},
           Case{"a with a certificate of c", authority_->make("c", "a", "c"), b,
                "it refuses: its certificate does not name `a`" + name,
                "`a` at 127.0.0.1: its certificate does not name `a`" + name},
           Case{"b with a certificate of c", a, authority_->make("c", "c"),
                "its certificate does not name `b`" + name,
                "a stranger at 127.0.0.1: it refuses: its certificate does not name `b`" + name},
           Case{"b with a wildcard", a, authority_->make("w", "w", "*"),
                "its certificate does not name `b`" + name, "a stranger at 127.0.0.1: it refuses"},
           Case{"only a has TLS", a, std::nullopt, "it does not speak TLS" + on_both,
                "a stranger at 127.0.0.1: it speaks TLS, this agent does not" + on_both},
           Case{"only b has TLS", std::nullopt, b,
                "it closed the connection before it was up (see `vmirror status` there; does it "
                "have peers.tls as here?)",
                "a stranger at 127.0.0.1: it does not speak TLS" + on_both},
       }) {
    PeersOptions waiting = waits();
    waiting.tls = c.b;
    Agent listener(waiting);
    PeersOptions dialing = dials(listener.port());
    dialing.tls = c.a;
    Agent dialer(dialing);
    ASSERT_TRUE(dialer.is_refused("b")) << c.what << ": " << dialer.peer("b").reason;
    EXPECT_EQ(dialer.peer("b").reason.substr(0, c.by_a.size()), c.by_a) << c.what;
    ASSERT_TRUE(listener.becomes([](const PeersStatus& s) { return s.refused_connections > 0; }));
    const std::string refusal = listener.link().status().last_refusal;
    EXPECT_EQ(refusal.substr(0, c.by_b.size()), c.by_b) << c.what;
    EXPECT_TRUE(dialer.lines().empty()) << c.what;
    EXPECT_TRUE(listener.lines().empty()) << c.what;
  }
}

TEST_F(PeersTls, ACertificateThatIsTakenBackEndsItsLink) {
  PeersOptions waiting = waits();
  waiting.tls = authority_->make("b", "b");
  waiting.tls->revoked = authority_->revoke({});
  Agent b(waiting);
  PeersOptions dialing = dials(b.port());
  dialing.tls = authority_->make("a", "a");
  Agent a(dialing);
  ASSERT_TRUE(a.told("up b"));
  ASSERT_TRUE(b.told("up a"));
  authority_->revoke({"a"});
  ASSERT_TRUE(b.told("down a"));
  ASSERT_TRUE(a.is_refused("b"));
  ASSERT_TRUE(b.becomes([](const PeersStatus& s) {
    return s.last_refusal ==
           "a stranger at 127.0.0.1: its certificate is not accepted: certificate revoked (its CA "
           "took it back: give that host another one)";
  })) << b.link().status().last_refusal;
  std::ofstream(waiting.tls->revoked) << "no list";  // What was in use stays in use.
  ASSERT_TRUE(b.becomes([](const PeersStatus& s) { return !s.tls_error.empty(); }));
  EXPECT_NE(b.link().status().tls_error.find("the list of revoked certificates can't be used"),
            std::string::npos);
  EXPECT_TRUE(a.is_refused("b"));
  authority_->revoke({});
  EXPECT_TRUE(a.told("up b", 2)) << b.link().status().last_refusal;
}

TEST_F(PeersTls, FilesThatCantBeUsedAreNamed) {
  const PeerTls a = authority_->make("a", "a"), b = authority_->make("b", "b");
  struct Case {
    PeerTls files;
    std::string where, what;
  };
  for (const Case& c : {
           Case{{"/nowhere", a.private_key, a.ca_certificate},
                "/nowhere",
                "the certificate can't be used: "},
           Case{{a.certificate, "/nowhere", a.ca_certificate},
                "/nowhere",
                "the private key can't be used: "},
           Case{{a.certificate, b.private_key, a.ca_certificate},
                b.private_key,
                "the private key can't be used: key values mismatch"},
           Case{{a.certificate, a.private_key, a.private_key},
                a.private_key,
                "the CA's certificate can't be used: "},
       }) {
    PeersOptions options = waits();
    options.tls = c.files;
    const auto link = Peers::start(options, {});
    ASSERT_FALSE(link) << c.what;
    EXPECT_EQ(link.error().kind, Error::Kind::invalid);
    EXPECT_EQ(link.error().where, c.where);
    EXPECT_TRUE(link.error().what.starts_with(c.what)) << link.error().what;
  }
}

}  // namespace
}  // namespace vmirror
