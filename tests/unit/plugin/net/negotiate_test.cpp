// Negotiate by Kerberos: Debian's Apache with mod_auth_gssapi, and MIT's KDC.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "plugin/net/http.hpp"
#include "tests/support/child.hpp"

namespace vmirror::net {
namespace {

using test::Child;
using test::TemporaryDirectory;

std::string unavailable() {
  for (const char* needed : {"/usr/sbin/apache2", "/usr/sbin/krb5kdc", "/usr/sbin/kadmin.local",
                             "/usr/sbin/kdb5_util", "/usr/lib/apache2/modules/mod_auth_gssapi.so"})
    if (access(needed, R_OK) != 0) return std::string(needed) + " isn't installed";
  return {};
}

std::string krb5_conf(int port) {
  return "[libdefaults]\n default_realm = TEST\n dns_lookup_kdc = false\n rdns = false\n"
         " dns_canonicalize_hostname = false\n[realms]\n TEST = {\n  kdc = 127.0.0.1:" +
         std::to_string(port) + "\n }\n[domain_realm]\n localhost = TEST\n";
}
std::string kdc_conf(const std::string& dir, int port) {
  const std::string at = "127.0.0.1:" + std::to_string(port);
  return "[kdcdefaults]\n kdc_listen = " + at + "\n kdc_tcp_listen = " + at +
         "\n[realms]\n TEST = {\n  database_name = " + dir +
         "/principal\n  key_stash_file = " + dir + "/stash\n }\n";
}
std::string apache_conf(const std::string& dir, int port) {
  std::string out = "ServerRoot " + dir + "\nPidFile apache.pid\nErrorLog error.log\n" +
                    "ServerName localhost\nListen 127.0.0.1:" + std::to_string(port) + "\n";
  for (const char* name :
       {"mpm_prefork", "authz_core", "authn_core", "authz_user", "ssl", "auth_gssapi"})
    out += std::string("LoadModule ") + name + "_module /usr/lib/apache2/modules/mod_" + name +
           ".so\n";
  return out + "DocumentRoot " + dir + "/files\nSSLEngine on\nSSLCertificateFile " + dir +
         "/localhost.pem\nSSLCertificateKeyFile " + dir +
         "/localhost.key\n<Location />\nAuthType GSSAPI\nAuthName x\nGssapiAllowedMech krb5\n"
         "GssapiCredStore keytab:" +
         dir + "/http.keytab\nRequire valid-user\n</Location>\n";
}

TEST(Negotiate, LogsInByATicketThatAKeytabBrings) {
  if (const std::string why = unavailable(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory directory;
  const std::string& dir = directory.path();
  const auto ports = test::free_ports(2);
  std::ofstream(dir + "/krb5.conf") << krb5_conf(ports[0]);
  std::ofstream(dir + "/kdc.conf") << kdc_conf(dir, ports[0]);
  std::ofstream(dir + "/httpd.conf") << apache_conf(dir, ports[1]);
  test::make_ca(dir, "ca");
  test::make_certificate(dir, "localhost", "ca", "DNS:localhost");
  const std::string kerberos =
      "KRB5_CONFIG='" + dir + "/krb5.conf' KRB5_KDC_PROFILE='" + dir + "/kdc.conf' ";
  test::run_shell(kerberos + "kdb5_util -r TEST create -s -P master 2>&1");
  for (const char* command : {"addprinc -randkey HTTP/localhost", "addprinc -randkey agent",
                              "ktadd -k http.keytab HTTP/localhost", "ktadd -k agent.keytab agent"})
    test::run_shell("cd '" + dir + "' && " + kerberos + "kadmin.local -r TEST -q '" + command +
                    "' 2>&1");
  // Apache's workers are another user, where this test is root's.
  test::run_shell("cd '" + dir +
                  "' && mkdir files && echo in > files/index.html && chmod 755 . && "
                  "chmod 644 http.keytab");
  const std::vector<std::pair<std::string, std::string>> environment = {
      {"KRB5_CONFIG", dir + "/krb5.conf"}, {"KRB5_KDC_PROFILE", dir + "/kdc.conf"}};
  const Child kdc({"/usr/sbin/krb5kdc", "-n"}, dir + "/kdc.log", ports[0], environment);
  const Child apache({"/usr/sbin/apache2", "-f", dir + "/httpd.conf", "-X"}, dir + "/apache.log",
                     ports[1], environment);

  setenv("KRB5_CONFIG", (dir + "/krb5.conf").c_str(), 1);
  setenv("KRB5CCNAME", ("FILE:" + dir + "/cache").c_str(), 1);
  HttpOptions options;
  options.url = "https://localhost:" + std::to_string(ports[1]);
  options.ca_file = dir + "/ca.pem";
  options.auth = Auth::negotiate;
  const auto status = [&](bool repeatable = false) {
    const auto client = *HttpClient::make(options);
    const auto got = client->send({.path = "/index.html", .repeatable = repeatable});
    EXPECT_TRUE(got) << got.error().text();
    if (!got || got->status != 200) return got ? got->status : 0;
    // Apache asks for a logon with each request, WinRM with each connection.
    return client->send({.path = "/index.html", .repeatable = repeatable})->status;
  };
  const auto none = (*HttpClient::make(options))->send({.path = "/index.html"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Error::Kind::refused);
  EXPECT_NE(none.error().text().find("kinit"), std::string::npos) << none.error().text();
  options.keytab = dir + "/agent.keytab";
  EXPECT_EQ(status(), 200) << test::run_shell("cat '" + dir + "/error.log'");
  EXPECT_EQ(status(true), 200);
  options.keytab.clear();
  setenv("KRB5_CLIENT_KTNAME", (dir + "/agent.keytab").c_str(), 1);
  EXPECT_EQ(status(), 200) << test::run_shell("cat '" + dir + "/error.log'");
  options.auth = Auth::none;
  EXPECT_EQ(status(), 401);
  for (const char* name : {"KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME"}) unsetenv(name);
}

}  // namespace
}  // namespace vmirror::net
