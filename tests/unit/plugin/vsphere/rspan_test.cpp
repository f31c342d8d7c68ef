// The receiving end of RSPAN: from sessions and what the switch has to the one session that gives
// the VLANs to an adapter, or to the reason why there is none.
#include "plugin/vsphere/rspan.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "plugin/vsphere/observe.hpp"

namespace vmirror::vsphere {
namespace {

constexpr const char* kRspanAdapter = "00:50:56:00:00:99";

vmirror::Session to_rspan(const std::string& port, std::uint16_t vlan) {
  vmirror::Session s;
  s.name = port + "@rspan-" + std::to_string(vlan);
  s.switch_name = "DVS";
  s.port = port;
  s.target = RspanTarget{vlan};
  return s;
}

/// A distributed switch with a source at dvPort 10, and the adapter at dvPort 20.
Observed switch_with(const std::function<void(Switch&, Port& tap)>& change) {
  Switch sw;
  sw.name = "DVS";
  sw.kind = kDistributedKind;
  Port source, tap;
  source.name = "10";
  source.mac = *Mac::parse("00:50:56:00:00:01");
  tap.name = "20";
  tap.mac = *Mac::parse(kRspanAdapter);
  if (change) change(sw, tap);
  sw.ports.set("10", source);
  sw.ports.set(tap.name, tap);
  Observed out;
  out.switches["DVS"] = sw;
  return out;
}

/// A session of somebody else's.
void put_foreign(Switch& sw, const char* output, const char* source) {
  Mirror& mirror = sw.mirrors["theirs"];
  mirror.name = "theirs";
  mirror.output = PortOutput{output};
  mirror.out_ports.insert(source);
}

TEST(Rspan, VlansComeToTheAdapterOrAReasonIsTold) {
  struct Case {
    const char* what;
    std::function<void(Switch&, Port& tap)> change;
    std::vector<vmirror::Session> sessions;
    std::string becomes;  ///< The session, or a part of the reason.
  };
  const auto label = [](const char* key, const char* value) {
    return [=](Switch&, Port& tap) { tap.labels[key] = value; };
  };
  vmirror::Session local = to_rspan("10", 1);
  local.target = LocalTarget{};
  const vmirror::Session one = to_rspan("10", 100);
  const Case cases[] = {
      {"nobody sends", {}, {local}, ""},
      {"one VLAN", {}, {one}, "remoteMirrorDest VLANs {100} -> dvPort {20}"},
      {"several are one session",
       {},
       {to_rspan("10", 200), one},
       "remoteMirrorDest VLANs {100 200} -> dvPort {20}"},
      {"no such adapter",
       [](Switch&, Port& tap) { tap.mac.reset(); },
       {one},
       "no dvPort has the MAC 00:50:56:00:00:99 of `rspan_adapter`: give"},
      {"promiscuous", label(kPromiscuousLabel, "true"), {one}, "promiscuous mode` to Reject"},
      {"denied by the switch",
       label(kNoReceiverLabel, "the switch lacks remoteDestSupported"),
       {one},
       "lacks remoteDestSupported; choose"},
      {"NSX", [](Switch&, Port& tap) { tap.type = kNsxType; }, {one}, "is NSX's: choose"},
      {"a destination of somebody else",
       [](Switch& sw, Port&) { put_foreign(sw, "20", "10"); },
       {one},
       "is the destination of session `theirs`, which is not ours: choose"},
      {"a source of somebody else",
       [](Switch& sw, Port&) { put_foreign(sw, "10", "20"); },
       {one},
       "is a transmitted source of session `theirs`, which is not ours: choose"},
      {"a source of ours", {}, {to_rspan("20", 100)}, "leave the appliance out of the policy"},
  };
  for (const Case& each : cases) {
    SessionMap sessions;
    for (const vmirror::Session& s : each.sessions) sessions.set(s.name, s);
    const RspanReceiver is =
        rspan_receiver(sessions, switch_with(each.change), "vmirror", *Mac::parse(kRspanAdapter));
    std::string text = is.unreceived;
    for (const auto& [key, object] : is.objects) {
      EXPECT_EQ(to_text(key), "mirror DVS/vmirror-from-rspan");
      text += object.value->text();
    }
    if (each.becomes.empty())
      EXPECT_EQ(text, "") << each.what;
    else
      EXPECT_NE(text.find(each.becomes), std::string::npos) << each.what << ": " << text;
    EXPECT_EQ(is.objects.empty(), each.becomes.find("->") == std::string::npos) << each.what;
  }
  SessionMap sessions;
  sessions.set(one.name, one);
  EXPECT_TRUE(rspan_receiver(sessions, switch_with({}), "vmirror", {}).objects.empty())
      << "only on request";
}

}  // namespace
}  // namespace vmirror::vsphere
