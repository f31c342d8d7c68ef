#include "plugin/net/logon.hpp"

#include <gtest/gtest.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace vmirror::net {
namespace {

TEST(Challenges, AreReadOfFields) {
  const struct {
    const char* fields;
    std::optional<std::string> negotiate;
    const char* schemes;
  } rows[] = {
      {"", {}, ""},
      {"Negotiate", "", "Negotiate"},
      {"Negotiate, Basic realm=\"WSMAN\"", "", "Negotiate, Basic"},
      {"Basic realm=\"WSMAN\", Negotiate", "", "Basic, Negotiate"},
      {"negotiate TlRM", "TlRM", "negotiate"},
      {"Negotiate TlRMTVNTUAA=", "TlRMTVNTUAA=", "Negotiate"},
      {"Digest realm=\"x\", nonce=\"y\", Kerberos", {}, "Digest, Kerberos"},
      {"Negotiated", {}, "Negotiated"},
      {" , ,", {}, ""},
  };
  for (const auto& [fields, negotiate, schemes] : rows) {
    const Challenges is = parse_challenges(fields);
    EXPECT_EQ(is.negotiate, negotiate) << fields;
    EXPECT_EQ(is.schemes, schemes) << fields;
  }
}

TEST(Logon, OfNtlmRefusesAChallengeThatIsNone) {
#ifdef __SANITIZE_ADDRESS__
  // gss-ntlmssp 1.2.0 never lets go of the digest MD4 that it fetches for each logon, and by it of
  // OpenSSL's legacy provider.
  const __lsan::ScopedDisabler of_the_mechanism;
#endif
  if (!check_mechanism(Auth::ntlm)) GTEST_SKIP() << check_mechanism(Auth::ntlm).error().text();
  HttpOptions options;
  options.url = "https://localhost";
  options.auth = Auth::ntlm;
  options.credentials = {"HOST\\agent", Secret("Secret-1")};
  for (const char* challenge :
       {"", "!", "QUJD", "TlRMTVNTUAA=", "TlRMTVNTUAABAAAA", "TlRMTVNTUAACAAAA////f////38AAAAA"}) {
    auto logon = Logon::make(options, "localhost");
    ASSERT_TRUE(logon) << logon.error().text();
    const auto first = logon->next("", "");
    ASSERT_TRUE(first) << first.error().text();
    EXPECT_TRUE(first->starts_with("TlRMTVNTUAAB")) << "NTLMSSP, message 1";
    EXPECT_FALSE(logon->complete());
    const auto second = logon->next(challenge, "");
    ASSERT_FALSE(second) << challenge;
    EXPECT_EQ(second.error().kind, Error::Kind::refused);
  }
}

}  // namespace
}  // namespace vmirror::net
