// The table, the lookups, and the probes against each other.
#include "agent/engine/dissect/dissectors.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror {
namespace {

using namespace test;

Dissectors select(std::initializer_list<std::string> names) {
  return *Dissectors::select(std::vector<std::string>(names));
}

TEST(Table, IsConsistent) {
  std::set<std::pair<std::string, Carrier>> seen;
  std::map<std::pair<Carrier, Place>, const Dissector*> places;
  for (const Dissector* d : Dissectors::all()) {
    EXPECT_TRUE(seen.insert({d->name, d->carrier}).second) << d->name << " twice on one carrier";
    EXPECT_TRUE(d->dissect) << d->name;
    EXPECT_EQ(d->frame != nullptr, d->carrier == Carrier::stream) << d->name;
    const bool has_port = d->carrier == Carrier::datagram || d->carrier == Carrier::stream;
    EXPECT_TRUE(!has_port || d->probe) << d->name << ": a port is only a hint";
    for (const Place place : d->at) {
      const Place most = d->carrier == Carrier::link      ? snap(0xffffff, 0xffff)
                         : d->carrier == Carrier::network ? 255
                         : d->carrier == Carrier::inside  ? ~Place{0}
                                                          : 65535;
      EXPECT_LE(place, most) << d->name;
      const Dissector*& other = places[{d->carrier, place}];
      EXPECT_TRUE(!other || (other->probe && d->probe)) << d->name << " shares " << place;
      other = d;
    }
  }
}

TEST(Table, EveryProtocolHasPayloads) {
  for (const Dissector* d : Dissectors::all())
    EXPECT_FALSE(payloads_of(d->name).empty()) << d->name;
}

TEST(Select, ByName) {
  EXPECT_EQ(select({"none"}).size(), 0u);
  EXPECT_EQ(select({}).size(), 0u);
  EXPECT_EQ(select({"all"}).size(), Dissectors::all().size());
  EXPECT_EQ(select({"dns", "arp", "dns"}).size(), 3u);  // over UDP, over TCP
  // With one inside others come those that carry it: S7comm and COTP; the mapper, DCE/RPC, SMB.
  EXPECT_EQ(select({"s7comm"}).size(), 2u);
  EXPECT_NE(select({"epm"}).find("smb", Carrier::stream), kNoDissector);
  const auto wrong = Dissectors::select(std::vector<std::string>{"arp", "modbuss"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, Error::Kind::invalid);
  EXPECT_EQ(wrong.error().what, "unknown protocol `modbuss`");
  EXPECT_TRUE(wrong.error().remedy.starts_with("known are all, none, "));
  EXPECT_NE(wrong.error().remedy.find(", arp, bacnet, "), std::string::npos);
  for (const Dissector* d : Dissectors::all())
    EXPECT_NE(wrong.error().remedy.find(d->name), std::string::npos) << d->name;
}

TEST(Lookup, OfLinks) {
  const Dissectors all = select({"all"});
  const auto at = [&](const Buffer& frame) {
    const DissectorId id = all.for_link(parse_packet(frame, LinkType::ethernet));
    return std::string(is_decided(id) ? all.name(id) : "none");
  };
  const Buffer body = counting(40);
  EXPECT_EQ(at(ethernet(body, 0x0806)), "arp");
  EXPECT_EQ(at(ethernet(body, 0x88cc, {.tags = {{0x8100, 7}}})), "lldp");
  EXPECT_EQ(at(ethernet(body, 0x88b8)), "goose");
  EXPECT_EQ(at(ethernet(body, 0x88b9)), "none");
  EXPECT_EQ(at(snap(0, 0x88cc, body)), "lldp");
  EXPECT_EQ(at(snap(0x00000c, 0x88cc, body)), "none");  // an organisation's own ID, no EtherType
  EXPECT_EQ(at(test::llc(0x42, 0x42, 3, body)), "stp");
  EXPECT_EQ(at(snap(0x00000c, 0x2000, body)), "cdp");
  EXPECT_EQ(at(snap(0x00000c, 0x010b, body)), "stp");  // Cisco's, for each VLAN
  EXPECT_EQ(at(test::llc(0xfe, 0xfe, 3, body)), "none");
}

TEST(Lookup, OfPorts) {
  const Dissectors all = select({"all"}), few = select({"arp"}), none = select({"none"});
  EXPECT_STREQ(all.name(all.for_network(58)), "icmp6");
  EXPECT_EQ(all.for_network(89), kNoDissector);
  const auto hinted = [&](Carrier carrier, std::uint16_t from, std::uint16_t to) {
    Context context;
    context.source_port = from;
    context.destination_port = to;
    const char* name = all.name(all.hinted(carrier, context));
    return std::string(name ? name : "none");
  };
  EXPECT_EQ(hinted(Carrier::datagram, 40000, 53), "dns");
  EXPECT_EQ(hinted(Carrier::datagram, 53, 40000), "dns");  // the answer was seen first
  EXPECT_EQ(hinted(Carrier::datagram, 53, 5353), "mdns");  // the receiver's port goes first
  EXPECT_EQ(hinted(Carrier::stream, 40000, 502), "modbus");
  EXPECT_EQ(hinted(Carrier::stream, 40000, 5020), "none");
  // All of them are confirmed by a probe.
  EXPECT_TRUE(is_undecided(all.for_datagram(40000, 53)));
  EXPECT_TRUE(is_undecided(all.for_stream(40000, 5020)));
  // Where nothing has a probe there is nothing to be done.
  EXPECT_EQ(few.for_datagram(40000, 9), kNoDissector);
  EXPECT_EQ(none.for_stream(40000, 502), kNoDissector);
}

TEST(Lookup, WhoIsTheServer) {
  const Dissectors all = select({"all"});
  const DissectorId modbus = all.find("modbus", Carrier::stream);
  Context context = context_of();
  context.source_port = 502;
  context.destination_port = 40000;
  EXPECT_FALSE(all.to_server({Probe::yes, modbus}, context, true));
  EXPECT_TRUE(all.to_server({Probe::client, modbus}, context, false));  // What it says goes first.
  std::swap(context.source_port, context.destination_port);
  EXPECT_TRUE(all.to_server({Probe::yes, modbus}, context, false));
  EXPECT_FALSE(all.to_server({Probe::server, modbus}, context, true));
  context.destination_port = 5020;
  EXPECT_FALSE(all.to_server({Probe::yes, modbus}, context, false));
}

TEST(Ids, SayWhatIsToBeDone) {
  for (int id = 0; id < 256; ++id) {
    const auto d = static_cast<DissectorId>(id);
    EXPECT_EQ(is_read(d), is_decided(d) || is_undecided(d)) << id;
    EXPECT_LE(is_done(d) + is_decided(d) + is_undecided(d), 1) << id;
  }
}

/// Who reads the payloads of this name on this carrier; null: nobody does.
const Dissector* reader_of(std::string_view payloads, Carrier carrier) {
  constexpr std::string_view kTcp = "/tcp";
  const bool tcp = payloads.ends_with(kTcp);
  if (tcp) payloads.remove_suffix(kTcp.size());
  // Of one that has other payloads over TCP datagrams have their own.
  const bool both = !payloads_of(std::string(payloads) + std::string(kTcp)).empty();
  if (both && tcp == (carrier == Carrier::datagram)) return nullptr;
  for (const Dissector* d : Dissectors::all())
    if (d->name == payloads && d->carrier == carrier) return d;
  return nullptr;
}

/// Messages of LLMNR and of NetBIOS's names are DNS's by their form: away from their own port
/// nobody can tell.
bool has_form_of(const Dissector& d, std::string_view payloads) {
  return std::string_view(d.name) == "dns" && (payloads == "llmnr" || payloads == "nbns");
}

TEST(Probes, EachTakesItsOwnPayloadsAndNoOthers) {
  for (const Dissector* d : Dissectors::all()) {
    if (!d->probe) continue;
    for (const Payload& each : payloads()) {
      const Dissector* reader = reader_of(each.protocol, d->carrier);
      if (reader == nullptr) continue;  // It never comes this way.
      if (has_form_of(*d, each.protocol)) continue;
      Context context = context_of(each.to_server);
      context.at_own_port = reader == d;
      const Probe verdict = d->probe(each.bytes, context);
      EXPECT_EQ(is_yes(verdict), reader == d)
          << d->name << " on " << each.protocol << " " << each.what;
    }
  }
}

TEST(Probes, TakeNothingThatIsRandom) {
  std::mt19937 random(1);
  for (int i = 0; i < 50'000; ++i) {
    Buffer bytes(random() % 64);
    const unsigned kind = random() % 3;  // any bytes, text, or half of them zero
    for (std::uint8_t& b : bytes) {
      b = static_cast<std::uint8_t>(kind == 1 ? ' ' + random() % 95 : random());
      if (kind == 2 && random() % 2) b = 0;
    }
    for (const Dissector* d : Dissectors::all())
      ASSERT_TRUE(!d->probe || !is_yes(d->probe(bytes, context_of()))) << d->name << ", " << i;
  }
}

}  // namespace
}  // namespace vmirror
