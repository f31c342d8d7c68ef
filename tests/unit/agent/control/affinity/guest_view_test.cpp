// A guest's ports and mirrors as one view.
#include "agent/control/affinity/guest_view.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

constexpr const char* kUuid = "6f0c1d6e-8d7a-4f35-9a55-0a2f6b1c7d10";

Location nic(const std::string& port, const std::string& uuid, Presence presence) {
  return {.host = "h",
          .switch_name = "br0",
          .port = port,
          .presence = presence,
          .vm_name = {},
          .vm_uuid = uuid,
          .interface_id = "nic-" + port,
          .mac = {},
          .labels = {}};
}

SessionStatus session(const std::string& port, bool in_place, const std::string& target = "local") {
  SessionStatus s;
  s.name = port + "@" + target;
  s.switch_name = "br0";
  s.port = port;
  s.target = target;
  s.in_place = in_place;
  return s;
}

TEST(GuestView, PortsAndMirrors) {
  auto refused = session("vnet1", false);
  refused.state = SessionState::refused;
  auto draining = session("vnet1", true);
  draining.state = SessionState::draining;
  auto of_vlans = session("vnet1", true);
  of_vlans.selective = true;
  const struct {
    const char* what;
    std::vector<SessionStatus> sessions;
    bool wanted, in_place, countable;
    std::size_t mirrors;
  } table[] = {
      {"no policy", {}, false, false, false, 0},
      {"one of two NICs", {session("vnet0", true)}, true, true, false, 1},
      {"both", {session("vnet0", true), session("vnet1", true)}, true, true, true, 2},
      {"one is awaited", {session("vnet0", true), session("vnet1", false)}, true, false, true, 1},
      {"one is refused", {session("vnet0", true), refused}, true, false, true, 1},
      {"one is no longer asked for", {session("vnet0", true), draining}, true, true, true, 2},
      {"only to a collector", {session("vnet0", true, "gre-192.0.2.9")}, true, true, false, 1},
      {"some VLANs only", {session("vnet0", true), of_vlans}, true, true, false, 2},
  };
  const std::vector<Location> at{nic("vnet1", kUuid, Presence::active),
                                 nic("vnet0", kUuid, Presence::incoming),
                                 nic("vnet7", kUuid, Presence::gone)};
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    const GuestView view = view_of(at, row.sessions, nullptr);
    EXPECT_EQ(view.key(), kUuid);
    EXPECT_EQ(view.ports, 2U);
    EXPECT_TRUE(view.incoming);
    EXPECT_FALSE(view.state);
    EXPECT_EQ(view.interface_ids, (std::vector<std::string>{"nic-vnet0", "nic-vnet1"}));
    EXPECT_EQ(view.wanted, row.wanted);
    EXPECT_EQ(view.in_place, row.in_place);
    EXPECT_EQ(view.countable, row.countable);
    EXPECT_EQ(view.mirrors, row.mirrors);
  }
}

}  // namespace
}  // namespace vmirror
