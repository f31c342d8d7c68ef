// Guests out of libvirt's XML. domains/ holds what `virsh dumpxml` of libvirt 9.0 printed.
#include "agent/control/libvirt/domain_xml.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/source_tree.hpp"

namespace vmirror {
namespace {

std::string file(const std::string& name) {
  std::ifstream in(test::source_tree() / "tests/unit/agent/control/libvirt/domains" / name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A domain with these elements of its own.
std::string domain(const std::string& inside) {
  return "<domain><name>g</name><uuid>4dea22b3-1d52-4d8f-8516-782e98ab3fa0</uuid>" + inside +
         "</domain>";
}

/// One line a NIC: mac device alias interfaceid bridge network, "-" for what it hasn't.
std::vector<std::string> lines(const Guest& guest) {
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  std::vector<std::string> out;
  for (const GuestNic& nic : guest.nics)
    out.push_back((nic.mac ? nic.mac->text() : "-") + " " + or_dash(nic.device) + " " +
                  or_dash(nic.alias) + " " + or_dash(nic.interface_id) + " " + or_dash(nic.bridge) +
                  " " + or_dash(nic.network));
  return out;
}

TEST(DomainXml, WhatLibvirtPrints) {
  const struct {
    const char *name, *guest, *uuid, *title;
    std::map<std::string, std::string> labels;
    std::vector<std::string> nics;
  } table[] = {
      // Defined, not running: no devices on the host yet.
      {"off.xml",
       "g1",
       "4dea22b3-1d52-4d8f-8516-782e98ab3fa0",
       "Guest one",
       {{"role", "dc"}},
       {"52:54:00:00:00:01 - - 56f178a6-ab04-4d4e-a7ff-4dafb46bbde8 br0 -"}},
      // The second was attached while it ran.
      {"two_nics.xml",
       "g1",
       "4dea22b3-1d52-4d8f-8516-782e98ab3fa0",
       "Guest one",
       {{"role", "dc"}},
       {"52:54:00:00:00:01 vnet4 net0 cf032515-483a-46a7-bfca-5652631ea90d br0 -",
        "52:54:00:00:00:02 vnet5 net1 f32dcf8e-f7b6-4c3b-9238-1e902c737d2c br0 -"}},
      // Labels by `virsh metadata`; a network over a bridge, a tap of no bridge, `user`.
      {"networks.xml",
       "g1",
       "4dea22b3-1d52-4d8f-8516-782e98ab3fa0",
       "Domain controller",
       {{"role", "dc"}, {"site", "north"}},
       {"52:54:00:00:00:01 vnet2 net0 56f178a6-ab04-4d4e-a7ff-4dafb46bbde8 br0 -",
        "52:54:00:00:00:03 vnet3 net1 71ebdefb-279b-488a-89a1-b54bbf92619d br0 lan",
        "52:54:00:00:00:04 tapx net2 - - -", "52:54:00:00:00:05 - net3 - - -"}},
      {"test_driver.xml",
       "test",
       "6695eb01-f6a4-8304-79aa-97f2502e193f",
       "",
       {},
       {"aa:bb:cc:dd:ee:ff testnet0 - - - default"}},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const Result<Guest> guest = parse_domain(file(row.name));
    ASSERT_TRUE(guest) << guest.error().text();
    EXPECT_EQ(guest->name, row.guest);
    EXPECT_EQ(guest->uuid, row.uuid);
    EXPECT_EQ(guest->title, row.title);
    EXPECT_EQ(guest->labels, row.labels);
    EXPECT_EQ(lines(*guest), row.nics);
  }
}

TEST(DomainXml, LabelsAreKnownByTheirNamespace) {
  const struct {
    const char* metadata;
    std::map<std::string, std::string> labels;
  } table[] = {
      {"<vmirror:guest xmlns:vmirror='urn:vmirror:guest:1'><vmirror:label key='a' value='b'/>"
       "</vmirror:guest>",
       {{"a", "b"}}},
      {"<x:guest xmlns:x='urn:vmirror:guest:1'><x:label key='a' value='b'/></x:guest>",
       {{"a", "b"}}},
      {"<guest xmlns='urn:vmirror:guest:1'><label key='a' value='b'/></guest>", {{"a", "b"}}},
      {"<guest xmlns='urn:vmirror:guest:1'><label key='a' value='b'/><label key='a' value='c'/>"
       "<label value='d'/><label key='e'/><other key='f'/></guest>",
       {{"a", "b"}, {"e", ""}}},
      {"<guest xmlns='urn:vmirror:guest:2'><label key='a' value='b'/></guest>", {}},
      {"<guest><label key='a' value='b'/></guest>", {}},
      {"<y:guest xmlns:x='urn:vmirror:guest:1'><y:label key='a' value='b'/></y:guest>", {}},
      {"", {}},
  };
  for (const auto& row : table) {
    const auto guest =
        parse_domain(domain("<metadata>" + std::string(row.metadata) + "</metadata>"));
    ASSERT_TRUE(guest) << row.metadata;
    EXPECT_EQ(guest->labels, row.labels) << row.metadata;
  }
}

TEST(DomainXml, UuidsAreLowerCase) {
  const auto guest = parse_domain(
      "<domain><name>g</name><uuid>4DEA22B3-1D52-4D8F-8516-782E98AB3FA0</uuid></domain>");
  ASSERT_TRUE(guest);
  EXPECT_EQ(guest->uuid, "4dea22b3-1d52-4d8f-8516-782e98ab3fa0");
}

TEST(DomainXml, NicsOfEveryTypeAreOnSomething) {
  const char* const kOvs = "<virtualport type='openvswitch'/>";
  const struct {
    std::string type, inside;
    NicPort port;
    const char* on;
  } table[] = {
      {"bridge", "<source bridge='br1'/>", NicPort::none, "Linux bridge br1"},
      {"bridge", "<source bridge='br0'/>" + std::string(kOvs), NicPort::on_switch, "br0"},
      {"network", "<source network='lan'/>", NicPort::open, "network lan"},
      {"network", "<source network='lan'/>" + std::string(kOvs), NicPort::on_switch, "network lan"},
      {"network", "<source network='default' bridge='virbr0'/>", NicPort::none,
       "Linux bridge virbr0 (network default)"},
      {"bridge", "<source network='lan' bridge='br0'/>" + std::string(kOvs), NicPort::on_switch,
       "br0 (network lan)"},
      {"ethernet", "<target dev='tap9'/>", NicPort::by_other, "device tap9"},
      {"direct", "<source dev='eth0' mode='bridge'/>", NicPort::none, "macvtap over eth0"},
      {"user", "", NicPort::none, "user-mode networking"},
      {"user", "<backend type='passt'/>", NicPort::none, "user-mode networking (passt)"},
      {"hostdev",
       "<source><address type='pci' domain='0x0000' bus='0x03' slot='0x10' function='0x1'/>"
       "</source>",
       NicPort::none, "PCI device 0000:03:10.1"},
      {"vhostuser", "<source type='unix' path='/run/vhost-1' mode='server'/>", NicPort::by_other,
       "vhost-user socket /run/vhost-1"},
      {"vdpa", "<source dev='/dev/vhost-vdpa-0'/>", NicPort::none, "vDPA device /dev/vhost-vdpa-0"},
      {"mcast", "<source address='230.0.0.1' port='5558'/>", NicPort::none,
       "multicast socket 230.0.0.1:5558"},
      {"server", "<source address='127.0.0.1' port='5558'/>", NicPort::none,
       "TCP socket 127.0.0.1:5558"},
      {"client", "<source address='127.0.0.1' port='5558'/>", NicPort::none,
       "TCP socket 127.0.0.1:5558"},
      {"udp", "<source address='127.0.0.1' port='5115'><local address='127.0.0.1'/></source>",
       NicPort::none, "UDP socket 127.0.0.1:5115"},
      {"internal", "<source name='lab'/>", NicPort::none, "internal network lab"},
      {"null", "", NicPort::none, "nothing"},
      {"vds", "", NicPort::none, "an interface of type vds"},
      {"", "", NicPort::none, "something that libvirt does not name"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.type + " " + row.inside);
    const auto guest = parse_domain(domain("<devices><interface type='" + row.type + "'>" +
                                           row.inside + "</interface></devices>"));
    ASSERT_TRUE(guest);
    ASSERT_EQ(guest->nics.size(), 1U);
    EXPECT_EQ(guest->nics[0].type, row.type);
    EXPECT_EQ(guest->nics[0].port, row.port);
    EXPECT_EQ(guest->nics[0].on, row.on);
    EXPECT_FALSE(guest->nics[0].link_down);
  }
}

TEST(DomainXml, TheStateOfTheLinkAndThePortOfAVhostUserSocket) {
  const auto guest = parse_domain(
      domain("<devices><interface type='bridge'><link state='down'/></interface>"
             "<interface type='bridge'><link state='up'/></interface>"
             "<interface type='vhostuser'><source path='/run/openvswitch/vhu1'/></interface>"
             "<interface type='vhostuser'><source path='/run/vm.sock'/><target dev='vhu2'/>"
             "</interface></devices>"));
  ASSERT_TRUE(guest);
  EXPECT_TRUE(guest->nics[0].link_down);
  EXPECT_FALSE(guest->nics[1].link_down);
  EXPECT_EQ(guest->nics[2].device, "vhu1");
  EXPECT_EQ(guest->nics[3].device, "vhu2");
}

std::string times(std::size_t n, const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < n; i++) {
    std::string one = text;
    if (const std::size_t at = one.find('#'); at != one.npos) one.replace(at, 1, std::to_string(i));
    out += one;
  }
  return out;
}

std::string labelled(std::size_t n) {
  return domain("<metadata><guest xmlns='urn:vmirror:guest:1'>" +
                times(n, "<label key='#' value=''/>") + "</guest></metadata>");
}
std::string wired(std::size_t n) {
  return domain("<devices>" + times(n, "<interface type='bridge'/>") + "</devices>");
}
std::string titled(std::size_t n) {
  return domain("<title>" + std::string(n, 't') + "</title>");
}
std::string padded(std::size_t n) {
  const std::string bare = domain("");
  return domain("<a>" + std::string(n - bare.size() - 7, ' ') + "</a>");
}

TEST(DomainXml, BoundsHoldAndAreNamed) {
  const struct {
    const char* what;
    std::string (*make)(std::size_t);
    std::size_t bound;
  } table[] = {{"labels", labelled, kMaxGuestLabels},
               {"NICs", wired, kMaxGuestNics},
               {"title", titled, kMaxGuestTextLength},
               {"bytes", padded, kMaxDomainXml}};
  for (const auto& row : table) {
    EXPECT_TRUE(parse_domain(row.make(row.bound))) << row.what;
    const auto past = parse_domain(row.make(row.bound + 1));
    ASSERT_FALSE(past) << row.what;
    EXPECT_EQ(past.error().kind, Error::Kind::exhausted);
    EXPECT_NE(past.error().text().find(row.what), std::string::npos) << past.error().text();
    EXPECT_NE(past.error().text().find(std::to_string(row.bound)), std::string::npos);
  }
}

TEST(DomainXml, WhatIsNoDomainIsRefused) {
  for (const char* xml :
       {"", "text", "<domain", "<network><name>n</name></network>", "<domain/>",
        "<domain><name>g</name></domain>", "<domain><name>g</name><uuid>4dea</uuid></domain>",
        "<domain><name>g</name><uuid>4dea22b3-1d52-4d8f-8516-782e98ab3fzz</uuid></domain>",
        "<domain><uuid>4dea22b3-1d52-4d8f-8516-782e98ab3fa0</uuid></domain>"}) {
    const auto guest = parse_domain(xml);
    ASSERT_FALSE(guest) << xml;
    EXPECT_EQ(guest.error().kind, Error::Kind::invalid) << xml;
  }
}

}  // namespace
}  // namespace vmirror
