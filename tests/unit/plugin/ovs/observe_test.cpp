// From the database's rows to what the driver observes.
#include "plugin/ovs/observe.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "plugin/api/mirror_object.hpp"
#include "plugin/ovs/compose.hpp"
#include "plugin/ovs/objects.hpp"
#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {
namespace {

using ovsdb::Atom;
using ovsdb::ColumnValues;
using ovsdb::Row;
using ovsdb::Snapshot;
using ovsdb::Table;
using ovsdb::Uuid;
using Map = std::map<std::string, std::string>;

/// A database in the making.
class Database {
 public:
  Database() {
    for (const auto& table : schema().tables) {
      auto& to = tables_.emplace_back();
      to.has_column.assign(table.columns.size(), true);
      to.unique_names = table.unique_names;
    }
  }
  Uuid add(std::size_t table, const ColumnValues& columns) {
    auto row = std::make_shared<Row>();
    row->id = {{++count_, 0, 0, 0}};
    row->columns.resize(tables_[table].has_column.size());
    for (const auto& [column, value] : columns) row->columns[column] = value;
    const Uuid id = row->id;
    tables_[table].put(std::move(row));
    return id;
  }
  Uuid add_port(const std::string& name, ColumnValues interface_columns = {},
                ColumnValues port_columns = {}) {
    interface_columns.emplace_back(interface::kName, name.c_str());
    const Uuid interface = add(kInterface, interface_columns);
    port_columns.emplace_back(port::kName, name.c_str());
    port_columns.emplace_back(port::kInterfaces, Atom(interface));
    return add(kPort, port_columns);
  }
  Table& operator[](std::size_t table) { return tables_[table]; }
  Snapshot snapshot() const {
    Snapshot out;
    out.revision = 5;
    for (const Table& table : tables_) out.tables.push_back(std::make_shared<Table>(table));
    return out;
  }

 private:
  std::vector<Table> tables_;
  std::uint32_t count_ = 0;
};

ovsdb::Datum statistics(const std::map<std::string, std::int64_t>& values) {
  ovsdb::Datum out;
  for (const auto& [key, value] : values) {
    out.keys.emplace_back(key);
    out.values.emplace_back(value);
  }
  return out;
}
ovsdb::Datum integer(std::int64_t value) {
  return Atom(value);
}

/// The objects of a kind, by name: "100 ours in force".
std::vector<std::string> objects_of(const Observed& observed, const std::string& kind) {
  std::vector<std::string> out;
  for (const auto& [key, is] : observed.objects) {
    if (key.kind != kind) continue;
    const auto* vlan = value_as<VlanValue>(is.object.value.get());
    out.push_back(key.name + (is.owned ? " ours" : "") +
                  (vlan && vlan->in_force ? " in force" : ""));
  }
  return out;
}

TEST(OvsObserve, ReadsABridge) {
  Database db;
  db.add(kOpenVswitch, {{root::kOvsVersion, "3.1.0"}, {root::kDbVersion, "8.3.1"}});
  const Uuid guest = db.add_port(
      "vnet0",
      {{interface::kType, ""},
       {interface::kLinkState, "up"},
       {interface::kMtu, integer(9000)},
       {interface::kStatus, Map{{"driver_name", "tun"}}},
       {interface::kStatistics, statistics({{"rx_packets", 1},
                                            {"rx_bytes", 2},
                                            {"tx_packets", 3},
                                            {"tx_bytes", 4},
                                            {"rx_dropped", 5},
                                            {"tx_dropped", 6}})},
       {interface::kExternalIds,
        Map{{"attached-mac", "52:54:00:00:00:01"}, {"iface-id", "nic-1"}, {"vm-uuid", "dc1"}}}},
      {{port::kTag, integer(7)}, {port::kExternalIds, Map{{"role", "dc"}}}});
  const Uuid uplink =
      db.add_port("eth0", {{interface::kStatus, Map{{"driver_name", "e1000e"}}},
                           {interface::kError, "could not open network device eth0"}});
  const Uuid ours = db.add_port("vmr-br0",
                                {{interface::kType, "internal"},
                                 {interface::kMacInUse, "52:54:00:00:00:09"},
                                 {interface::kMtuRequest, integer(1500)}},
                                {{port::kExternalIds, Map{{kOwnerKey, "vmirror"}}}});
  const Uuid mirror = db.add(kMirror, {{mirror::kName, "vmirror-local"},
                                       {mirror::kSelectSrcPort, Atom(guest)},
                                       {mirror::kSelectDstPort, std::set<Uuid>{guest, uplink}},
                                       {mirror::kOutputPort, Atom(ours)},
                                       {mirror::kSnaplen, integer(128)},
                                       {mirror::kStatistics, statistics({{"tx_packets", 8}})},
                                       {mirror::kExternalIds, Map{{kOwnerKey, "vmirror"}}}});
  const Uuid foreign = db.add(kMirror, {{mirror::kName, "span"},
                                        {mirror::kSelectAll, Atom(true)},
                                        {mirror::kOutputVlan, integer(9)},
                                        {mirror::kExternalIds, Map{{kOwnerKey, "x"}}}});
  db.add(kBridge, {{bridge::kName, "br0"},
                   {bridge::kPorts, std::set<Uuid>{guest, uplink, ours}},
                   {bridge::kMirrors, std::set<Uuid>{mirror, foreign}},
                   {bridge::kFloodVlans, std::set<std::uint16_t>{9, 100}},
                   {bridge::kExternalIds, Map{{vlans_key("vmirror"), "100,200"}}}});
  db[kMirror].has_column[mirror::kFilter] = false;

  const Observed o = to_observed(db.snapshot(), "vmirror");
  EXPECT_EQ(o.revision, 5u);
  const Switch& sw = o.switches.at("br0");
  EXPECT_EQ(sw.kind, "Open vSwitch");
  EXPECT_EQ(sw.capabilities.version, "Open vSwitch 3.1.0, schema 8.3.1");
  EXPECT_TRUE(sw.capabilities.snaplen);
  EXPECT_FALSE(sw.capabilities.match);
  EXPECT_EQ(objects_of(o, kUnlearnedKind),
            (std::vector<std::string>{"100 ours in force", "200 ours", "9 in force"}));

  const Port& vnet0 = sw.ports.at("vnet0");
  EXPECT_EQ(vnet0.id, guest.text());
  EXPECT_EQ(vnet0.mac->text(), "52:54:00:00:00:01");
  EXPECT_EQ(vnet0.vm, "dc1");
  EXPECT_EQ(vnet0.interface_id, "nic-1");
  EXPECT_EQ(vnet0.labels.at("role"), "dc");
  EXPECT_EQ(vnet0.vlan, 7);
  EXPECT_EQ(vnet0.mtu, 9000u);
  EXPECT_TRUE(vnet0.link_up);
  EXPECT_FALSE(vnet0.uplink);
  EXPECT_EQ(vnet0.counters, (PortCounters{1, 2, 3, 4, 6})) << "received by the switch: sent";
  const Port& eth0 = sw.ports.at("eth0");
  EXPECT_TRUE(eth0.uplink);
  EXPECT_EQ(eth0.error, "could not open network device eth0");
  EXPECT_FALSE(eth0.counters) << "not counted is not zero";
  const Port& tap = sw.ports.at("vmr-br0");
  EXPECT_TRUE(tap.owned);
  EXPECT_EQ(o.objects.at(port_key("br0", "vmr-br0")).object.value->text(),
            "internal mtu_request=1500");
  EXPECT_EQ(objects_of(o, kPortKind), std::vector<std::string>{"vmr-br0 ours"});
  EXPECT_EQ(tap.mac->text(), "52:54:00:00:00:09");

  const Mirror& m = sw.mirrors.at("vmirror-local");
  EXPECT_TRUE(m.owned);
  EXPECT_EQ(m.out_ports, PersistentSet<std::string>{"vnet0"})
      << "select_src_port: the guest sent it";
  EXPECT_EQ(m.in_ports, (PersistentSet<std::string>{"eth0", "vnet0"}));
  EXPECT_EQ(m.output_port(), "vmr-br0");
  EXPECT_EQ(m.snaplen, 128u);
  EXPECT_EQ(m.copied_frames, 8u);
  const Mirror& span = sw.mirrors.at("span");
  EXPECT_FALSE(span.owned) << "another owner's is foreign";
  EXPECT_TRUE(span.all);
  EXPECT_EQ(span.output, Output(VlanOutput{9}));
  EXPECT_FALSE(span.copied_frames);
}

TEST(OvsObserve, TellsWherePortsLead) {
  const Map guest = {{"attached-mac", "52:54:00:00:00:01"}};
  const struct {
    const char *type, *driver;
    Map ids;
    bool uplink, maybe;
  } cases[] = {
      {"", "e1000e", {}, true, false},
      {"system", "bonding", {}, true, false},
      {"dpdk", "", {}, true, false},
      {"", "tun", {}, false, false},
      {"", "veth", {}, false, true},
      {"", "veth", guest, false, false},
      {"", "veth", {{"iface-id", "n"}}, false, false},
      {"", "dummy", {}, false, true},
      {"", "", {}, false, false},
      {"internal", "tun", {}, false, false},
      {"erspan", "", {}, false, false},
  };
  for (const auto& c : cases) {
    Database db;
    const Uuid port = db.add_port("p", {{interface::kType, c.type},
                                        {interface::kStatus, Map{{"driver_name", c.driver}}},
                                        {interface::kExternalIds, c.ids}});
    db.add(kBridge, {{bridge::kName, "br0"}, {bridge::kPorts, Atom(port)}});
    const Port is = to_observed(db.snapshot(), "vmirror").switches.at("br0").ports.at("p");
    EXPECT_EQ(is.uplink, c.uplink) << c.type << " " << c.driver;
    EXPECT_EQ(is.maybe_uplink, c.maybe) << c.type << " " << c.driver;
  }
}

TEST(OvsObserve, TellsHowATunnelLeaves) {
  Database db;
  const Uuid up = db.add_port(
      "up", {{interface::kStatus,
              Map{{"tunnel_egress_iface", "br-wan"}, {"tunnel_egress_iface_carrier", "up"}}}});
  const Uuid down = db.add_port(
      "down", {{interface::kStatus,
                Map{{"tunnel_egress_iface", "eth0"}, {"tunnel_egress_iface_carrier", "down"}}}});
  const Uuid lost = db.add_port("lost");
  db.add(kBridge, {{bridge::kName, "br0"},
                   {bridge::kDatapathType, "netdev"},
                   {bridge::kPorts, std::set<Uuid>{up, down, lost}}});
  db.add(kBridge, {{bridge::kName, "br1"}, {bridge::kDatapathType, ""}});
  const Observed o = to_observed(db.snapshot(), "vmirror");
  EXPECT_EQ(o.switches.at("br0").datapath, Datapath::userspace);
  EXPECT_EQ(o.switches.at("br1").datapath, Datapath::kernel);
  const auto& ports = o.switches.at("br0").ports;
  EXPECT_EQ(ports.at("up").egress, "br-wan");
  EXPECT_EQ(ports.at("up").carrier, true);
  EXPECT_EQ(ports.at("down").carrier, false);
  EXPECT_EQ(ports.at("lost").egress, "");
  EXPECT_EQ(ports.at("lost").carrier, std::nullopt);
}

TEST(OvsObserve, TellsWhereAControllersRulesForward) {
  Database db;
  db.add(kBridge, {{bridge::kName, "plain"}, {bridge::kFailMode, "standalone"}});
  db.add(kBridge, {{bridge::kName, "ovn"}, {bridge::kFailMode, "secure"}});
  db.add(kBridge, {{bridge::kName, "openflow"}, {bridge::kController, std::set<Uuid>{Uuid{{1}}}}});
  std::map<std::string, bool> controlled;
  for (const auto& [name, sw] : to_observed(db.snapshot(), "vmirror").switches)
    controlled[name] = sw.controlled;
  EXPECT_EQ(controlled,
            (std::map<std::string, bool>{{"plain", false}, {"ovn", true}, {"openflow", true}}));
}

TEST(OvsObserve, TwoMirrorsOfOneNameAreTwo) {
  Database db;
  const Map mark = {{kOwnerKey, "vmirror"}};
  const Uuid foreign = db.add(kMirror, {{mirror::kName, "m"}});
  const Uuid ours = db.add(kMirror, {{mirror::kName, "m"}, {mirror::kExternalIds, mark}});
  const Uuid doubled = db.add(kMirror, {{mirror::kName, "m"}, {mirror::kExternalIds, mark}});
  db.add(kBridge,
         {{bridge::kName, "br0"}, {bridge::kMirrors, std::set<Uuid>{foreign, ours, doubled}}});
  const Observed o = to_observed(db.snapshot(), "vmirror");
  const auto& mirrors = o.switches.at("br0").mirrors;
  ASSERT_EQ(mirrors.size(), 3u);
  EXPECT_TRUE(mirrors.at("m").owned);
  EXPECT_TRUE(mirrors.at("m~" + doubled.text().substr(0, 8)).owned) << "can be removed by its name";
  EXPECT_FALSE(mirrors.at("m~" + foreign.text().substr(0, 8)).owned);

  const Step step{Step::Verb::remove, mirror_key("br0", "m~" + doubled.text().substr(0, 8))};
  const auto transaction = compose({&step, 1}, db.snapshot(), "vmirror");
  ASSERT_TRUE(transaction) << transaction.error().text();
  const auto& remove = std::get<ovsdb::Remove>(transaction->back());
  EXPECT_EQ(remove.keys, ovsdb::Datum(Atom(doubled)));
}

using Vlans = std::set<std::uint16_t>;
const std::string kRecord = kept_off_key("vmirror");

TEST(OvsObserve, ReadsWhichVlansAPortCarries) {
  const struct {
    const char* name;
    ColumnValues port;
    std::optional<Vlans> trunks;
    std::vector<std::string> off;  ///< As objects_of().
  } cases[] = {
      {"nothing said", {}, Vlans{}, {}},
      {"a tag", {{port::kTag, integer(10)}}, {}, {}},
      {"trunks", {{port::kTrunks, Vlans{10, 20}}}, Vlans{10, 20}, {}},
      {"an access port, trunks or not",
       {{port::kVlanMode, "access"}, {port::kTrunks, Vlans{10}}},
       {},
       {}},
      {"a native VLAN",
       {{port::kVlanMode, "native-untagged"}, {port::kTag, integer(10)}},
       Vlans{},
       {}},
      {"a tunnel of tags", {{port::kVlanMode, "dot1q-tunnel"}, {port::kTag, integer(10)}}, {}, {}},
      {"what we keep off",
       {{port::kTrunks, all_vlans_but({100})}, {port::kExternalIds, Map{{kRecord, "100"}}}},
       Vlans{},
       {"vnet0:100 ours in force"}},
      {"cleared by hand",
       {{port::kExternalIds, Map{{kRecord, "100"}}}},
       Vlans{},
       {"vnet0:100 ours"}},
      {"given VLANs by hand",
       {{port::kTrunks, Vlans{5}}, {port::kExternalIds, Map{{kRecord, "100"}}}},
       Vlans{5},
       {"vnet0:100 ours"}},
      {"kept off by another owner",
       {{port::kTrunks, all_vlans_but({100})},
        {port::kExternalIds, Map{{kept_off_key("other"), "100"}}}},
       all_vlans_but({100}),
       {}},
  };
  for (const auto& c : cases) {
    Database db;
    const Uuid port = db.add_port("vnet0", {}, c.port);
    db.add(kBridge, {{bridge::kName, "br0"}, {bridge::kPorts, Atom(port)}});
    const Observed observed = to_observed(db.snapshot(), "vmirror");
    const Switch& sw = observed.switches.at("br0");
    EXPECT_EQ(sw.ports.at("vnet0").trunks, c.trunks) << c.name;
    EXPECT_EQ(objects_of(observed, kKeptOffKind), c.off) << c.name;
  }
}

/// What a foreign port's trunks and record become, and that nothing else of it is touched.
TEST(OvsCompose, KeepsVlansOffOnlyWhereNobodyElseSaidAnything) {
  const Map ids = {{"iface-id", "nic"}};
  const auto with = [&](const char* list) {
    Map out = ids;
    out[kRecord] = list;
    return out;
  };
  const struct {
    const char* name;
    ColumnValues port;
    Vlans put;
    std::optional<Vlans> trunks;        ///< Written; none: left.
    std::optional<std::string> record;  ///< Written; "": removed; none: left.
    bool refused;
  } cases[] = {
      {"put", {}, {100}, all_vlans_but({100}), "100", false},
      {"one more",
       {{port::kTrunks, all_vlans_but({100})}, {port::kExternalIds, with("100")}},
       {100, 200},
       all_vlans_but({100, 200}),
       "100,200",
       false},
      {"there already",
       {{port::kTrunks, all_vlans_but({100})}, {port::kExternalIds, with("100")}},
       {100},
       {},
       {},
       false},
      {"taken back",
       {{port::kTrunks, all_vlans_but({100})}, {port::kExternalIds, with("100")}},
       {},
       Vlans{},
       "",
       false},
      {"cleared by hand: put again",
       {{port::kExternalIds, with("100")}},
       {100},
       all_vlans_but({100}),
       {},
       false},
      {"given VLANs by hand: they stay",
       {{port::kTrunks, Vlans{5}}, {port::kExternalIds, with("100")}},
       {},
       {},
       "",
       false},
      {"a tag since", {{port::kTag, integer(5)}}, {100}, {}, {}, true},
      {"trunks since", {{port::kTrunks, Vlans{5}}}, {100}, {}, {}, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Database db;
    ColumnValues columns = c.port;
    if (std::ranges::none_of(columns, [](const auto& v) { return v.first == port::kExternalIds; }))
      columns.emplace_back(port::kExternalIds, ids);
    const Uuid port = db.add_port("vnet0", {}, columns);
    db.add(kBridge, {{bridge::kName, "br0"}, {bridge::kPorts, Atom(port)}});
    std::vector<Step> steps;
    for (const std::uint16_t vlan : {100, 200}) {
      const ObjectKey key = kept_off_key("br0", "vnet0", vlan);
      if (c.put.contains(vlan))
        steps.push_back({Step::Verb::create, key, std::make_shared<const VlanValue>(true)});
      else
        steps.push_back({Step::Verb::remove, key});
    }
    const auto transaction = compose(steps, db.snapshot(), "vmirror");
    ASSERT_EQ(transaction.has_value(), !c.refused);
    if (!transaction) continue;
    std::optional<Vlans> trunks;
    std::optional<std::string> record;
    bool verified = false;
    for (const ovsdb::Operation& operation : *transaction)
      if (const auto* write = std::get_if<ovsdb::Write>(&operation)) {
        ASSERT_EQ(write->columns.size(), 1u);
        EXPECT_EQ(write->columns[0].first, std::size_t{port::kTrunks});
        trunks.emplace();
        for (const auto vlan : write->columns[0].second.set<std::int64_t>())
          trunks->insert(static_cast<std::uint16_t>(vlan));
      } else if (const auto* add = std::get_if<ovsdb::Add>(&operation)) {
        record = *add->elements.find(kRecord);
      } else if (std::holds_alternative<ovsdb::Remove>(operation)) {
        record = "";
      } else if (std::holds_alternative<ovsdb::Verify>(operation)) {
        verified = true;
      }
    EXPECT_EQ(trunks, c.trunks);
    EXPECT_EQ(record, c.record);
    EXPECT_EQ(verified, c.trunks.has_value());
  }
}

TEST(OvsObserve, AMirrorWithoutCountersWhenOthersAreWrittenIsGivenUp) {
  const Map mark = {{kOwnerKey, "vmirror"}};
  const auto counted = [](std::int64_t n) { return statistics({{"rx_packets", n}}); };
  const auto copied = statistics({{"tx_packets", 3}, {"tx_bytes", 300}});
  struct At {
    std::int64_t asked, done;  // next_cfg, cur_cfg
    ovsdb::Datum port, mirror;
    int snaplen;
    bool given_up;
  };
  const struct {
    const char* name;
    std::vector<At> at;
  } cases[] = {
      {"counted from the first writing on",
       {{1, 1, counted(1), {}, 64, false}, {1, 1, counted(2), copied, 64, false}}},
      {"not counted at the first writing",
       {{1, 1, counted(1), {}, 64, false}, {1, 1, counted(2), {}, 64, true}}},
      {"counted, then not",
       {{1, 1, counted(1), copied, 64, false}, {1, 1, counted(2), {}, 64, true}}},
      {"no writing: nothing is known",
       {{1, 1, counted(1), {}, 64, false}, {1, 1, counted(1), {}, 64, false}}},
      {"ovs-vswitchd had not seen it when it wrote",
       {{2, 1, counted(1), {}, 64, false},
        {2, 2, counted(2), {}, 64, false},
        {2, 2, counted(3), {}, 64, true}}},
      {"the first counters of a port that came are no writing",
       {{1, 1, {}, {}, 64, false}, {1, 1, counted(1), {}, 64, false}}},
      {"ovsdb-server forgets all counters when it ends",
       {{1, 1, counted(1), copied, 64, false}, {1, 1, {}, {}, 64, false}}},
      {"changed, it has another chance",
       {{1, 1, counted(1), {}, 64, false},
        {1, 1, counted(2), {}, 64, true},
        {2, 2, counted(3), {}, 0, false},
        {2, 2, counted(4), copied, 0, false}}},
  };
  for (const auto& c : cases) {
    Observer observer("vmirror");
    for (std::size_t i = 0; i < c.at.size(); ++i) {
      const At& at = c.at[i];
      Database db;
      db.add(kOpenVswitch,
             {{root::kNextCfg, integer(at.asked)}, {root::kCurCfg, integer(at.done)}});
      const Uuid port = db.add_port("vnet0", {{interface::kStatistics, at.port}});
      const Uuid mirror = db.add(kMirror, {{mirror::kName, "m"},
                                           {mirror::kSnaplen, integer(at.snaplen)},
                                           {mirror::kExternalIds, mark},
                                           {mirror::kStatistics, at.mirror}});
      db.add(
          kBridge,
          {{bridge::kName, "br0"}, {bridge::kPorts, Atom(port)}, {bridge::kMirrors, Atom(mirror)}});
      const auto seen = observer.update(std::make_shared<const Snapshot>(db.snapshot()));
      EXPECT_EQ(!seen->switches.at("br0").mirrors.at("m").error.empty(), at.given_up)
          << c.name << ", " << i;
    }
  }
}

TEST(OvsCompose, AsksOvsVswitchdToTellOnceItIsDone) {
  Database db;
  const Uuid root =
      db.add(kOpenVswitch, {{root::kNextCfg, integer(7)}, {root::kCurCfg, integer(6)}});
  db.add(kBridge, {{bridge::kName, "br0"}});
  const Step vlans{Step::Verb::create, unlearned_key("br0", 100),
                   std::make_shared<const VlanValue>(true)};
  const Step gone{Step::Verb::remove, port_key("br0", "gone")};
  const auto done = compose({&vlans, 1}, db.snapshot(), "vmirror");
  const auto* count = std::get_if<ovsdb::Increment>(&done->back());
  ASSERT_NE(count, nullptr);
  EXPECT_EQ(count->row, root);
  EXPECT_EQ(count->column, root::kNextCfg);
  EXPECT_TRUE(compose({&gone, 1}, db.snapshot(), "vmirror")->empty()) << "nothing to do";
  EXPECT_EQ(to_observed(db.snapshot(), "vmirror").progress,
            (DaemonProgress{"ovs-vswitchd", true, 6}));
}

TEST(OvsCompose, SaysWhatCantBe) {
  Database db;
  const Uuid port = db.add_port("vnet0");
  const Uuid mirror = db.add(kMirror, {{mirror::kName, "theirs"}});
  db.add(kBridge,
         {{bridge::kName, "br0"}, {bridge::kPorts, Atom(port)}, {bridge::kMirrors, Atom(mirror)}});
  db[kMirror].has_column[mirror::kFilter] = false;
  const auto put = [](const std::string& name, const std::string& output,
                      const std::string& match = "") {
    Mirror m;
    m.name = name;
    m.switch_name = "br0";
    m.in_ports = {"vnet0", "gone"};
    m.output = PortOutput{output};
    m.match = match;
    return Step{Step::Verb::create, mirror_key("br0", name),
                std::make_shared<const MirrorValue>(m)};
  };
  using enum Error::Kind;
  const struct {
    const char* name;
    Step step;
    std::optional<Error::Kind> kind;
  } cases[] = {
      {"a selected port that is gone is left out", put("ours", "vnet0"), {}},
      {"an output that is gone is an error", put("ours", "gone"), missing},
      {"somebody else's mirror", put("theirs", "vnet0"), refused},
      {"a column that the schema lacks", put("ours", "vnet0", "tcp"), unsupported},
      {"no such bridge", {Step::Verb::remove, mirror_key("br9", "m")}, missing},
      {"somebody else's port",
       {Step::Verb::create, port_key("br0", "vnet0"),
        std::make_shared<const PortValue>("gre", PortValue::Options{})},
       refused},
      {"taking away somebody else's port", {Step::Verb::remove, port_key("br0", "vnet0")}, refused},
      {"taking away somebody else's mirror",
       {Step::Verb::remove, mirror_key("br0", "theirs")},
       refused},
      {"what is gone already", {Step::Verb::remove, port_key("br0", "gone")}, {}},
  };
  for (const auto& c : cases) {
    const auto got = compose({&c.step, 1}, db.snapshot(), "vmirror");
    EXPECT_EQ(got ? std::nullopt : std::optional(got.error().kind), c.kind) << c.name;
  }
}

/// Taps of which only the switch knows whose they are, on one bridge.
struct Taps {
  explicit Taps(int taps) {
    for (int i = 0; i < taps; ++i) add();
  }
  void add() {
    const auto number = static_cast<std::int64_t>(ports.size()) + 1;
    ports.insert(
        db.add_port("tap" + std::to_string(number), {{interface::kOfport, integer(number)}}));
  }
  /// One more reading of what the switch has learned; each tap's own address, where it has.
  void learn(bool all) {
    auto next = std::make_shared<Learned>();
    next->number = learned->number + 1;
    auto& bridge = next->bridges["br0"];
    for (std::size_t i = 1; all && i <= ports.size(); ++i)
      bridge[static_cast<std::int64_t>(i)] = {
          Mac{{2, 0, 0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}}};
    learned = next;
  }
  /// Ports that differ from the reading before.
  std::size_t look() {
    auto br0 = std::make_shared<Row>();
    br0->id = {{0, 0, 0, 1}};
    br0->columns.resize(db[kBridge].has_column.size());
    br0->columns[bridge::kName] = "br0";
    br0->columns[bridge::kPorts] = ports;
    db[kBridge].put(std::move(br0));
    is = observer.update(std::make_shared<const Snapshot>(db.snapshot()), {}, learned);
    std::size_t changed = 0;
    diff_ports(*before, *is, [&](const PortKey&, const Port*, const Port*) { ++changed; });
    before = is;
    return changed;
  }
  const Port& port(const std::string& name) const { return is->switches.at("br0").ports.at(name); }

  Database db;
  std::set<Uuid> ports;
  std::shared_ptr<const Learned> learned = std::make_shared<const Learned>();
  Observer observer{"vmirror"};
  std::shared_ptr<const Observed> before = std::make_shared<const Observed>(), is;
};

TEST(Observer, NamesTapsByWhatTheSwitchLearnedAndOnlyWhereThatChanges) {
  Taps taps(50);
  EXPECT_EQ(taps.look(), 50u);
  EXPECT_EQ(taps.port("tap1").mac_unknown, "what the switch has learned was not read yet");
  EXPECT_EQ(taps.observer.bridges_of_nameless(), std::set<std::string>{"br0"});
  taps.learn(false);
  EXPECT_EQ(taps.look(), 50u);
  EXPECT_EQ(taps.port("tap1").mac_unknown, "it has sent nothing yet");
  taps.learn(false);
  EXPECT_EQ(taps.look(), 0u) << "another reading that says the same";
  taps.learn(true);
  EXPECT_EQ(taps.look(), 50u);
  EXPECT_EQ(taps.port("tap7").mac->text(), "02:00:00:00:00:07");
  taps.add();
  EXPECT_EQ(taps.look(), 1u) << "a tap that comes costs itself";
  EXPECT_EQ(taps.port("tap51").mac, std::nullopt);
  taps.learn(true);
  EXPECT_EQ(taps.look(), 1u);
  EXPECT_EQ(taps.port("tap51").mac->text(), "02:00:00:00:00:33");
  taps.learn(false);
  EXPECT_EQ(taps.look(), 0u) << "the switch forgets who is silent";
}

}  // namespace
}  // namespace vmirror::ovs
