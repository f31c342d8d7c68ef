// What the daemon's configuration may say, and the words in which a wrong one is refused.
#include "agent/app/config.hpp"

#include <gtest/gtest.h>

#include "plugin/ovs/driver.hpp"

namespace vmirror {
namespace {

TEST(Config, EveryKey) {
  const auto config = parse_config(R"(
host: kvm7
policies: /p
socket: /s
log_level: debug
on_stop: remove
switch:
  driver: ovs
  remote: ssl:192.0.2.1:6640
  private_key: /k.pem
  certificate: /c.pem
  ca_certificate: /ca.pem
  owner: me
  timeout_ms: 500
budgets:
  - {name: host, bits_per_second: 2G}
  - {name: wan, collectors: [192.0.2.0/24, "2001:db8::1"], frames_per_second: 5000}
local: {monitor_nic: "52:54:00:00:00:09", workers: 2, block_count: 8}
inputs:
  - interface: eth1
    accept: encapsulated
    sessions: [1, 2]
    reinject: mon1
    workers: 3
    block_size: 65536
    snaplen: 256
    fanout: cpu
    promiscuous: false
    offloads_off: true
    max_depth: 2
  - {name: trunk, interface: eth2, rspan_vlan: 100, udp: {vxlan: 5000, hp_erm: [9300, 9301]},
     identity: [session, input]}
analysis: {protocols: [dns, modbus], max_flows: 2048, max_streams: 64, max_assets: 128, asset_timeout: 9, top_flows: 5}
export:
  eve:
    - {file: /eve.json, max_megabytes: 10, keep: 2, queue_megabytes: 1}
  stats_interval: 5
  prometheus: {address: "::1", port: 9999}
)",
                                   "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->host, "kvm7");
  EXPECT_EQ(config->policies, "/p");
  EXPECT_EQ(config->socket, "/s");
  EXPECT_EQ(config->log_level, "debug");
  EXPECT_EQ(config->on_stop, OnStop::remove);
  EXPECT_EQ(config->budgets,
            (std::vector<Budget>{
                {.name = "host", .bits_per_second = 2'000'000'000},
                {.name = "wan",
                 .collectors = {*parse_prefix("192.0.2.0/24"), *parse_prefix("2001:db8::1")},
                 .frames_per_second = 5000}}));
  ASSERT_TRUE(config->driver);
  EXPECT_EQ(config->driver->name, "ovs");
  EXPECT_EQ(ovs_options(config->driver->options).remote, "ssl:192.0.2.1:6640");
  EXPECT_EQ(ovs_options(config->driver->options).private_key, "/k.pem");
  EXPECT_EQ(ovs_options(config->driver->options).owner, "me");
  EXPECT_EQ(ovs_options(config->driver->options).timeout.count(), 500);
  EXPECT_EQ(config->monitor_nic->text(), "52:54:00:00:00:09");
  EXPECT_EQ(config->local.name, "local");
  EXPECT_EQ(config->local.workers, 2);
  EXPECT_EQ(config->local.ring.block_count, 8u);
  ASSERT_EQ(config->inputs.size(), 2u);
  const InputConfig& collector = config->inputs[0];
  EXPECT_EQ(collector.name, "eth1");
  EXPECT_FALSE(collector.decap.accept_bare);
  EXPECT_EQ(collector.decap.sessions, (std::set<std::uint32_t>{1, 2}));
  EXPECT_EQ(collector.decap.max_depth, 2);
  EXPECT_EQ(collector.reinject, "mon1");
  EXPECT_EQ(collector.ring.fanout, Fanout::cpu);
  EXPECT_FALSE(collector.ring.promiscuous);
  EXPECT_TRUE(collector.ring.offloads_off);
  EXPECT_EQ(collector.ring.snaplen, 256u);
  EXPECT_EQ(config->inputs[1].name, "trunk");
  EXPECT_EQ(config->inputs[1].decap.rspan_vlan, 100);
  EXPECT_EQ(config->inputs[1].identity, (Identity{false, false, true, false, true}));
  EXPECT_EQ(collector.identity, Identity{});
  EXPECT_EQ(config->inputs[1].decap.udp.of(5000), Encapsulation::vxlan);
  EXPECT_EQ(config->inputs[1].decap.udp.of(4789), Encapsulation::none) << "named: no others";
  EXPECT_EQ(config->inputs[1].decap.udp.of(9301), Encapsulation::hp_erm);
  EXPECT_EQ(config->inputs[1].decap.udp.of(6081), Encapsulation::geneve) << "not named: as it is";
  EXPECT_EQ(config->protocols, (std::vector<std::string>{"dns", "modbus"}));
  EXPECT_EQ(config->max_flows, 2048u);
  EXPECT_EQ(config->top_flows, 5u);
  EXPECT_EQ(config->asset_timeout, 9 * kSecond);
  ASSERT_EQ(config->eve.size(), 1u);
  EXPECT_EQ(std::get<FileOutput>(config->eve[0].output).max_bytes, 10u << 20);
  EXPECT_EQ(config->eve_stats_interval.count(), 5);
  EXPECT_EQ(config->prometheus->port, 9999);
}

TEST(Config, AnEveOutputMayBeASocket) {
  const auto config = parse_config("export: {eve: [{socket: /s, datagram: true}]}", "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_TRUE(std::get<SocketOutput>(config->eve[0].output).datagram);
}

TEST(Config, ACollectorNeedsOnlyAnInput) {
  const auto config = parse_config("inputs: [{interface: eth0}]", "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_FALSE(config->driver);
  EXPECT_FALSE(config->host.empty());
  EXPECT_EQ(config->protocols, std::vector<std::string>{"all"});
  EXPECT_TRUE(config->inputs[0].decap.accept_bare);
}

TEST(Config, AHostNeedsOnlyASwitch) {
  const auto config = parse_config("switch: {}", "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->driver->name, "ovs");
  EXPECT_EQ(ovs_options(config->driver->options).remote, "unix:/run/openvswitch/db.sock");
  EXPECT_FALSE(config->monitor_nic);
}

TEST(Config, APairIsOneInput) {
  const auto config =
      parse_config("inputs: [{pair: [eth1, eth2]}, {pair: [a, b], name: tap}]", "c");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->inputs[0].name, "eth1+eth2");
  EXPECT_EQ(config->inputs[0].ring.interface, "eth1");
  EXPECT_EQ(config->inputs[0].second, "eth2");
  EXPECT_EQ(config->inputs[1].name, "tap");
}

TEST(Config, ProtocolsMayBeOneWord) {
  EXPECT_EQ(parse_config("analysis: {protocols: none}", "c.yaml")->protocols,
            std::vector<std::string>{"none"});
}

TEST(Config, OtherHostsAndTheHypervisor) {
  const auto config = parse_config(R"(
host: hostb
state: /state
switch: {}
libvirt: {uri: "qemu+unix:///system?socket=/s", sensor: sensor1, sensor_settle: 2, sensor_spacing: 20}
peers:
  listen: "192.0.2.2:9999"
  tls: {certificate: /c.pem, private_key: /k.pem, ca: /ca.pem}
  hosts:
    - {host: hosta, address: 192.0.2.1, libvirt: "qemu+tcp://192.0.2.1/system"}
    - {host: hostc, address: "2001:db8::3", port: 9000}
)",
                                   "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->state, "/state");
  EXPECT_EQ(config->libvirt->uri, "qemu+unix:///system?socket=/s");
  EXPECT_EQ(config->libvirt->sensor, "sensor1");
  EXPECT_EQ(config->libvirt->follow.settle, 2 * kSecond);
  EXPECT_EQ(config->libvirt->follow.spacing, 20 * kSecond);
  const PeersOptions& link = config->peers->link;
  EXPECT_EQ(link.host, "hostb");
  EXPECT_EQ(link.listen->text(), "192.0.2.2:9999");
  EXPECT_FALSE(link.insecure);
  EXPECT_EQ(link.tls->certificate, "/c.pem");
  EXPECT_EQ(link.tls->private_key, "/k.pem");
  EXPECT_EQ(link.tls->ca_certificate, "/ca.pem");
  ASSERT_EQ(link.peers.size(), 2u);
  EXPECT_EQ(link.peers[0].host, "hosta");
  EXPECT_EQ(link.peers[0].endpoint.text(), "192.0.2.1:9478");
  EXPECT_EQ(link.peers[1].endpoint.text(), "[2001:db8::3]:9000");
  EXPECT_EQ(config->peers->libvirt,
            (std::map<std::string, std::string>{{"hosta", "qemu+tcp://192.0.2.1/system"}}));
}

TEST(Config, AHostAloneHasNeitherPeersNorAHypervisor) {
  const auto config = parse_config("switch: {}", "c.yaml");
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_FALSE(config->peers);
  EXPECT_FALSE(config->libvirt);
  EXPECT_EQ(config->state, "/var/lib/vmirror");
  EXPECT_EQ(parse_config("{switch: {}, libvirt: {}}", "c.yaml")->libvirt->uri, "qemu:///system");
}

TEST(Config, WrongOnesAreRefusedByLineKeyAndRemedy) {
  struct Case {
    const char *yaml, *error;
  };
  for (const Case& c : {
           Case{"hots: a", "c.yaml:1: unknown key `hots` (write `host`)"},
           Case{"switch: {}\ninputs:\n  - {name: a}",
                "c.yaml:3: an input has either `interface` or `pair` (`interface: eth1`, or `pair: "
                "[eth1, eth2]` for a TAP's two ports)"},
           Case{"inputs: [{interface: a, pair: [a, b]}]",
                "c.yaml:1: an input has either `interface` or `pair` (`interface: eth1`, or `pair: "
                "[eth1, eth2]` for a TAP's two ports)"},
           Case{"inputs: [{pair: [a, a]}]",
                "c.yaml:1: `pair` has two interfaces (`pair: [eth1, eth2]`)"},
           Case{"inputs: [{pair: [a, b], workers: 2}]",
                "c.yaml:1: `workers` and `pair` exclude each other: one worker merges the two "
                "ports (take `workers` away)"},
           Case{
               "budgets: [{name: host}]",
               "c.yaml:1: budget `host` has no bound (write `bits_per_second`, `frames_per_second` "
               "or both)"},
           Case{"budgets: [{name: a, frames_per_second: 1}, {name: a, frames_per_second: 2}]",
                "c.yaml:1: two budgets are called `a` (give one of them another name)"},
           Case{"budgets: [{name: a, bits_per_second: 1.5M}]",
                "c.yaml:1: `bits_per_second`: `1.5M` is no rate (write a number, or one with k, M "
                "or G: 20M)"},
           Case{"budgets: [{name: a, bits_per_second: 1M, collectors: [wan]}]",
                "c.yaml:1: `collectors`: `wan` is no IP address (write ADDRESS/BITS, or an "
                "address)"},
           Case{"budgets: [{name: a, bits_per_second: 1M}]",
                "c.yaml: budgets: this daemon has no switch, and so makes no copies (add `switch`, "
                "or leave this out)"},
           Case{"on_stop: never", "c.yaml:1: `on_stop` is `never` (write `remove` or `keep`)"},
           Case{"local: {monitor_nic: x}",
                "c.yaml:1: `monitor_nic`: `x` is no MAC address (write a MAC address)"},
           Case{"inputs: [{interface: a}, {interface: a}]",
                "c.yaml:1: two inputs are named `a` (rename one of them)"},
           Case{"inputs: [{interface: local}]",
                "c.yaml:1: the name `local` is reserved for the target `local` (choose another "
                "name)"},
           Case{"export: {eve: [{file: a, socket: b}]}",
                "c.yaml:1: an EVE output is either a `file` or a `socket` (write exactly one of "
                "the two)"},
           Case{"inputs: [{interface: a, workers: 0}]",
                "c.yaml:1: `workers` is `0` (write a number from 1 to 64)"},
           Case{"libvirt: {sensor_settle: 0}",
                "c.yaml:1: `sensor_settle` is `0` (write a number from 1 to 86400)"},
           Case{"libvirt: {sensor_spacing: 86401}",
                "c.yaml:1: `sensor_spacing` is `86401` (write a number from 1 to 86400)"},
           Case{"peers: {listen: here, hosts: []}",
                "c.yaml:1: `listen`: `here` is no address and port (write IP:PORT, or "
                "[IPv6]:PORT)"},
           Case{"peers: {hosts: [{host: a}]}",
                "c.yaml:1: key `address` is missing (add `address: ...`)"},
           Case{"peers: {hosts: [{host: a, address: hosta}]}",
                "c.yaml:1: `address`: `hosta` is no IP address (write its IP address)"},
           Case{"peers: {tls: {certificate: /c, ca: /a}, hosts: []}",
                "c.yaml:1: key `private_key` is missing (add `private_key: ...`)"},
           Case{"switch: {}\npeers: {listen: 0.0.0.0, hosts: []}",
                "c.yaml: peers: listening on 0.0.0.0:9478 without TLS would be neither encrypted "
                "nor authenticated (set `tls`, or `insecure: true` on a network where nobody else "
                "is)"},
           Case{"switch: {}\nhost: a\npeers: {hosts: [{host: b, address: 192.0.2.1}]}",
                "c.yaml: peers: dialing 192.0.2.1:9478 without TLS would be neither encrypted nor "
                "authenticated (set `tls`, or `insecure: true` on a network where nobody else is)"},
           Case{
               "switch: {}\nhost: b\npeers: {insecure: true, hosts: [{host: a, address: "
               "192.0.2.1}]}",
               "c.yaml: peers: `a` dials `b`, which listens nowhere (set `listen: IP:PORT`; of two "
               "hosts the one whose name sorts first dials)"},
           Case{"", "c.yaml: the file is empty (write it, or remove it)"},
       }) {
    const auto config = parse_config(c.yaml, "c.yaml");
    ASSERT_FALSE(config) << c.yaml;
    EXPECT_EQ(config.error().text(), c.error);
  }
  EXPECT_EQ(load_config("/nonexistent").error().kind, Error::Kind::missing);
}

TEST(Config, WhatCouldNotBeCarriedOutIsRefusedByKeyAndRemedy) {
  struct Case {
    const char *yaml, *error;
  };
  for (const Case& c : {
           Case{"libvirt: {}",
                "c.yaml: libvirt: this daemon has no switch, and so no guests to follow (add "
                "`switch`, or leave this out)"},
           Case{"host: a\npeers: {listen: 127.0.0.1, hosts: []}",
                "c.yaml: peers: this daemon has no switch and no inputs, and so nothing to tell "
                "other agents (add `switch` or `inputs`, or leave this out)"},
           Case{"local: {monitor_nic: '52:54:00:00:00:09'}",
                "c.yaml: local.monitor_nic: this daemon has no switch, and so no guests to follow "
                "(add `switch`, or leave this out)"},
           Case{"switch: {driver: hyperv}",
                "c.yaml: switch: url: there is no host (write https://NAME:5986, one or several)"},
           Case{"switch: {driver: hyperv, url: 'https://a:5986', credentials_file: /c, vlans: "
                "'5-1'}",
                "c.yaml: switch: vlans: `5-1` is no VLAN and no range of VLANs (0 to 4094) (write "
                "for example 0-4094 or 0,10-20)"},
           Case{"switch: {}\nlibvirt: {uri: 'qemu+ssh://192.0.2.1/system'}",
                "c.yaml: libvirt.uri: `qemu+ssh` starts a program, which vmirrord does not (use "
                "qemu:///system, or qemu+tls)"},
           Case{"switch: {driver: osv}",
                "c.yaml: switch: driver: there is no driver `osv` (see `vmirror drivers`)"},
           Case{"switch: {owner: ''}",
                "c.yaml: switch: owner: the owner's name is empty (give it a name)"},
           Case{"switch: {remote: /run/db.sock}",
                "c.yaml: switch: remote: `/run/db.sock` is no database's address (write unix:PATH, "
                "tcp:IP:PORT or ssl:IP:PORT)"},
           Case{"switch: {remote: 'tcp:192.0.2.1:6640'}",
                "c.yaml: switch: remote: `tcp:192.0.2.1:6640` would be neither encrypted nor "
                "authenticated (write ssl:IP:PORT, or `insecure: true` on a network where nobody "
                "else is)"},
           Case{"switch: {remote: 'ssl:192.0.2.1:6640,tcp:192.0.2.1:6640', insecure: false}",
                "c.yaml: switch: remote: `ssl:192.0.2.1:6640,tcp:192.0.2.1:6640` would be neither "
                "encrypted nor authenticated (write ssl:IP:PORT, or `insecure: true` on a network "
                "where nobody else is)"},
           Case{"switch: {remote: 'ssl:192.0.2.1:6640', certificate: /c.pem}",
                "c.yaml: switch: ssl:192.0.2.1:6640: TLS needs a private key, a certificate and a "
                "CA certificate (give all three files)"},
           Case{"export: {eve: [{file: /l/a}, {socket: /l/../l/a}]}",
                "c.yaml: export.eve: two EVE outputs, /l/a and /l/../l/a, write to /l/a (give each "
                "a path of its own)"},
           Case{"export: {eve: [{file: /l/a.2}, {file: /l/a, keep: 2}]}",
                "c.yaml: export.eve: two EVE outputs, /l/a.2 and /l/a, write to /l/a.2 (give each "
                "a path of its own)"},
           Case{"export: {prometheus: {address: 0.0.0.0}}",
                "c.yaml: export.prometheus.address: `0.0.0.0` is no loopback address (write "
                "127.0.0.1 or ::1; a scraper on another host needs a proxy on this host)"},
           Case{"export: {prometheus: {address: localhost}}",
                "c.yaml: export.prometheus.address: `localhost` is no loopback address (write "
                "127.0.0.1 or ::1; a scraper on another host needs a proxy on this host)"},
       }) {
    const auto config = parse_config(c.yaml, "c.yaml");
    ASSERT_FALSE(config) << c.yaml;
    EXPECT_EQ(config.error().text(), c.error);
  }
  const auto typo = parse_config("analysis: {protocols: [modbsu]}", "c.yaml");
  ASSERT_FALSE(typo);
  EXPECT_TRUE(typo.error().text().starts_with(
      "c.yaml: analysis.protocols: unknown protocol `modbsu` (known are all, none, "))
      << typo.error().text();
}

}  // namespace
}  // namespace vmirror
