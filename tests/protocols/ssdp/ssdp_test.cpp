#include "agent/engine/dissect/it/ssdp.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Ssdp, Tells) {
  const struct {
    const char* what;
    bool to_server;
    const char* told;
  } cases[] = {
      {"notify", true,
       "ssdp {type: \"notify\", nt: \"urn:schemas-upnp-org:device:Basic:1\", nts: "
       "\"ssdp:alive\", usn: \"uuid:00000000-0000-0000-0000-525400000002::urn:schemas-"
       "upnp-org:device:Basic:1\", server: \"Example/2.1 UPnP/1.0 camera/4.4\", "
       "location: \"http://10.0.0.2:80/description.xml\"}\n"
       "fact 10.0.0.1 service = \"urn:schemas-upnp-org:device:Basic:1\" (ssdp.nt)\n"
       "fact 10.0.0.1 description = \"Example/2.1 UPnP/1.0 camera/4.4\" "
       "(ssdp.server)\n"},
      {"search", true,
       "ssdp {type: \"search\", st: \"upnp:rootdevice\", user_agent: "
       "\"browser/1.0\"}\n"},
      {"response", false,
       "ssdp {type: \"response\", st: \"upnp:rootdevice\", usn: "
       "\"uuid:00000000-0000-0000-0000-525400000002::upnp:rootdevice\", server: "
       "\"Example/2.1 UPnP/1.0 camera/4.4\", location: "
       "\"http://10.0.0.2:80/description.xml\"}\n"
       "fact 10.0.0.2 service = \"upnp:rootdevice\" (ssdp.nt)\n"
       "fact 10.0.0.2 description = \"Example/2.1 UPnP/1.0 camera/4.4\" "
       "(ssdp.server)\n"},
      {"byebye", true,
       "ssdp {type: \"notify\", nt: \"upnp:rootdevice\", nts: \"ssdp:byebye\", usn: "
       "\"uuid:00000000-0000-0000-0000-525400000002::upnp:rootdevice\"}\n"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(told(kSsdp, payload("ssdp", c.what), context_of(c.to_server)), c.told) << c.what;
}

TEST(Ssdp, Malformed) {
  const struct {
    const char *bytes, *name;
  } cases[] = {
      {"4e4f54494659", "truncated"},
      {"474554202f20485454502f312e310d0a0d0a", "bad_value"},
      {"4d2d534541524348202a20485454502f312e310d0a4d58", "truncated"},
  };
  for (const auto& c : cases) {
    const std::string out = told(kSsdp, hex(c.bytes), context_of());
    EXPECT_NE(out.find(std::string("malformed ") + c.name), std::string::npos)
        << c.bytes << ": " << out;
  }
}

TEST(Ssdp, CutAtEveryByte) {
  for (const Payload& each : payloads_of("ssdp"))
    EXPECT_EQ(accepted_cuts(kSsdp, each.bytes, context_of(each.to_server),
                            [](std::size_t) { return false; }),
              "")
        << each.what;
}

}  // namespace
}  // namespace vmirror
