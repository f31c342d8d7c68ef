// What ovs-vswitchd's own words on a frame tell of a mirror. The answers are those of Open vSwitch
// 3.1 and 4.0.
#include "plugin/ovs/trace.hpp"

#include <gtest/gtest.h>

namespace vmirror::ovs {
namespace {

using Kind = TraceAnswer::Kind;
using Actions = std::vector<std::string>;

std::string answer(const std::string& actions, const std::string& decided = "") {
  return "Flow: arp,in_port=v0,vlan_tci=0x0000,dl_src=52:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff\n"
         "\n"
         "bridge(\"br0\")\n"
         "-------------\n"
         " 0. priority 0\n"
         "    NORMAL\n"
         "     -> no learned MAC for destination, flooding\n" +
         decided +
         "\n"
         "Final flow: unchanged\n"
         "Megaflow: recirc_id=0,eth,arp,in_port=v0,dl_src=52:54:00:00:00:01\n"
         "Datapath actions: " +
         actions + "\n";
}

TEST(Trace, ReadsTheActions) {
  EXPECT_EQ(parse_trace(answer("vmr-br0,br0,clone(drop),v1"))->actions,
            (Actions{"vmr-br0", "br0", "drop", "v1"}));
  EXPECT_EQ(parse_trace(answer("push_vlan(vid=99,pcp=0),\"v 1\",pop_vlan"))->actions,
            (Actions{"push_vlan(vid=99,pcp=0)", "v1", "pop_vlan"}));
  EXPECT_EQ(
      parse_trace(answer("clone(tnl_push(tnl_port(4),header(dst=10.9.9.9,x)),br1),v1"))->actions,
      (Actions{"tnl_push(tnl_port(4),header(dst=10.9.9.9,x))", "br1", "v1"}));
  EXPECT_EQ(parse_trace(answer("drop"))->actions, Actions{"drop"});
  EXPECT_EQ(parse_trace(answer("a") + answer("b"))->actions, (Actions{"a", "b"}))
      << "after a recirculation there are more";
  EXPECT_TRUE(parse_trace(answer("drop", "     >> native tunnel routing failed\n"))->no_route);
  EXPECT_EQ(parse_trace("Flow: arp\n").error().kind, Error::Kind::invalid);
  EXPECT_EQ(parse_trace(std::string(kMaxTrace + 1, ' ')).error().kind, Error::Kind::exhausted);
}

TEST(Trace, AsksForAFrameOfTheGuestsAndForOneToIt) {
  TraceQuestion q;
  q.port = "v0";
  q.mac = *Mac::parse("52:54:00:00:00:01");
  EXPECT_EQ(flow_of(q, Direction::out),
            "in_port=v0,dl_src=52:54:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,dl_type=0x0806");
  q.vlan = 10;
  EXPECT_EQ(
      flow_of(q, Direction::in),
      "in_port=LOCAL,dl_src=02:76:6d:72:00:01,dl_dst=52:54:00:00:00:01,dl_type=0x0806,dl_vlan=10");
  q.vlan = 0;
  EXPECT_EQ(flow_of(q, Direction::in).find("dl_vlan"), std::string::npos);
}

struct Case {
  const char* what;
  Direction one;
  TraceQuestion question;
  std::string actions, decided;
  Kind kind;
  const char* why;
};

TraceQuestion to_port(const char* output, const char* remote = "") {
  TraceQuestion q;
  q.port = "v0";
  q.output = output;
  q.remote = remote;
  return q;
}
TraceQuestion to_vlan(std::uint16_t vlan) {
  TraceQuestion q;
  q.port = "v0";
  q.output_vlan = vlan;
  return q;
}

TEST(Trace, TellsWhetherFramesAreCopied) {
  const std::string push =
      "clone(tnl_push(tnl_port(4),header(size=50,type=107,eth(dst=aa:aa:aa:aa:aa:09),"
      "ipv4(src=10.9.9.1,dst=10.9.9.9,proto=47,tos=0),erspan(ver=1)),out_port(br1)),br1),v1";
  const std::string no_route =
      "     -> output to native tunnel\n     >> native tunnel routing failed\n";
  const std::string miss =
      "     -> neighbor cache miss for 10.9.9.9 on bridge br1, sending ARP request\n";
  const Case cases[] = {
      {"out", Direction::out, to_port("vmr-br0"), "vmr-br0,br0,v1", "", Kind::copied, ""},
      {"out, cut", Direction::out, to_port("vmr-br0"), "trunc(64),vmr-br0,v1", "", Kind::copied,
       ""},
      {"out, none", Direction::out, to_port("vmr-br0"), "br0,v1", "", Kind::not_copied,
       "the switch would not copy a frame from port v0 to port vmr-br0"},
      {"in", Direction::in, to_port("vmr-br0"), "v1,v0,vmr-br0", "", Kind::copied, ""},
      {"in, none", Direction::in, to_port("vmr-br0"), "v1,v0", "", Kind::not_copied,
       "the switch would not copy a frame to port v0 to port vmr-br0"},
      {"in, not given", Direction::in, to_port("vmr-br0"), "drop", "", Kind::not_told,
       "the switch would not give port v0 a frame from elsewhere"},
      {"tunnel", Direction::out, to_port("vmr-er", "10.9.9.9"), push, "", Kind::copied, ""},
      {"tunnel of the kernel's", Direction::out, to_port("vmr-er", "10.9.9.9"),
       "set(tunnel(tun_id=0x5,dst=10.9.9.9,ttl=64,erspan(ver=1,idx=0x0),flags(df|key))),erspan_sys,"
       "v1",
       "", Kind::copied, ""},
      {"another tunnel", Direction::out, to_port("vmr-er", "10.9.9.90"), push, "", Kind::not_copied,
       "the switch would not send a copy of a frame from port v0 to 10.9.9.90"},
      {"no route", Direction::out, to_port("vmr-er", "10.9.9.9"), "br0,v1", no_route,
       Kind::not_copied,
       "the switch would not send a copy of a frame from port v0 to 10.9.9.9: it has no route "
       "there"},
      {"not resolved", Direction::out, to_port("vmr-er", "10.9.9.9"), "br0,v1", miss,
       Kind::not_told, "the next hop to 10.9.9.9 is not resolved before the first copy"},
      {"VLAN", Direction::out, to_vlan(99), "push_vlan(vid=99,pcp=0),v1,pop_vlan,v1", "",
       Kind::copied, ""},
      {"another VLAN", Direction::out, to_vlan(9), "push_vlan(vid=99,pcp=0),v1", "",
       Kind::not_copied, "the switch would not copy a frame from port v0 into VLAN 9"},
  };
  for (const Case& c : cases) {
    const TraceAnswer is =
        judge_trace(c.question, c.one, parse_trace(answer(c.actions, c.decided)));
    EXPECT_EQ(is.kind, c.kind) << c.what;
    EXPECT_EQ(is.why, c.why) << c.what;
  }
  const TraceAnswer none =
      judge_trace(to_port("vmr-br0"), Direction::out,
                  fail(Error::Kind::unsupported, "the switch's database is not on this host", {}));
  EXPECT_EQ(none.kind, Kind::not_told);
  EXPECT_EQ(none.why, "the switch's database is not on this host");
}

}  // namespace
}  // namespace vmirror::ovs
