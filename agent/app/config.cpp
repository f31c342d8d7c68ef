#include "agent/app/config.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "agent/control/policy/yaml.hpp"
#include "agent/engine/dissect/dissectors.hpp"
#include "agent/engine/flow/flow_table.hpp"
#include "plugin/base/trusted_file.hpp"

namespace vmirror {
namespace {

using yaml::Node;
using yaml::Reader;

constexpr std::int64_t kMostFlows = FlowTable::kMostFlows;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

Result<void> read_switch(const Node& node, Config& config) {
  DriverConfig driver;
  if (node.has("driver"))
    if (const auto named = yaml::text(driver.name)(node.at("driver")); !named) return named;
  std::vector<yaml::Key> keys = {{"driver", yaml::text(driver.name)}};
  for (const DriverInfo& info : drivers()) {
    if (info.name != driver.name) continue;
    for (const DriverOption& option : info.options) {
      const std::string name(option.name);
      if (!option.range) {
        if (node.has(name.c_str()))
          keys.push_back({option.name, yaml::text(driver.options[name])});
        else
          keys.push_back({option.name, [](const Node&) -> Result<void> { return {}; }});
      } else {
        keys.push_back({option.name, yaml::integer(
                                         [&driver, name](std::int64_t value) {
                                           driver.options[name] = std::to_string(value);
                                         },
                                         option.range->first, option.range->second)});
      }
    }
  }
  if (const auto done = yaml::map(std::move(keys))(node); !done) return done;
  config.driver = driver;
  return {};
}

Reader words(std::vector<std::string>& out) {
  return [&out](const Node& node) -> Result<void> {
    out.clear();
    if (!node.scalar().empty()) {
      out.push_back(node.scalar());
      return {};
    }
    return yaml::list([&out](const Node& at) -> Result<void> {
      out.push_back(at.scalar());
      return {};
    })(node);
  };
}

Reader identity_of(Identity& out) {
  return [&out](const Node& node) -> Result<void> {
    std::vector<std::string> parts;
    if (const auto done = words(parts)(node); !done) return done;
    const auto identity = parse_identity(parts);
    if (!identity) return node.wrong(identity.error().what, identity.error().remedy);
    out = *identity;
    return {};
  };
}

/// The keys that every input has, whether it is `local` or one of `inputs`.
std::vector<yaml::Key> ring_keys(InputConfig& input) {
  return {
      {"workers", yaml::number(input.workers, 1, 64)},
      {"block_size", yaml::number(input.ring.block_size, 4096, 1 << 28)},
      {"block_count", yaml::number(input.ring.block_count, 0, 65536)},
      {"snaplen", yaml::number(input.ring.snaplen, 0, 65535)},
      {"fanout", yaml::one_of<Fanout>(input.ring.fanout, {{"hash", Fanout::hash},
                                                          {"load_balance", Fanout::load_balance},
                                                          {"cpu", Fanout::cpu},
                                                          {"random", Fanout::random},
                                                          {"queue", Fanout::queue}})},
      {"promiscuous", yaml::boolean(input.ring.promiscuous)},
      {"offloads_off", yaml::boolean(input.ring.offloads_off)},
      {"identity", identity_of(input.identity)},
      {"reinject", yaml::text(input.reinject)},
  };
}

Result<void> read_local(const Node& node, Config& config) {
  Mac nic;
  auto keys = ring_keys(config.local);
  keys.push_back({"max_depth", yaml::number(config.local.decap.max_depth, 0, 16)});
  keys.push_back({"monitor_nic", [&](const Node& at) -> Result<void> {
                    const auto done = yaml::parsed(nic, Mac::parse, "write a MAC address")(at);
                    if (done) config.monitor_nic = nic;
                    return done;
                  }});
  return yaml::map(std::move(keys))(node);
}

Reader session_set(std::set<std::uint32_t>& out) {
  return yaml::list([&out](const Node& at) {
    return yaml::integer([&out](auto v) { out.insert(static_cast<std::uint32_t>(v)); }, 0,
                         0xffffffff)(at);
  });
}

/// Each encapsulation that is named has these ports and no others.
Reader udp_ports(UdpCarriers& out) {
  std::vector<yaml::Key> keys;
  for (const Encapsulation carried : kInUdp)
    keys.push_back({to_text(carried), [&out, carried](const Node& at) {
                      out.clear(carried);
                      return yaml::one_or_list([&out, carried](const Node& port) {
                        return yaml::integer(
                            [&](auto v) { out.set(static_cast<std::uint16_t>(v), carried); }, 1,
                            65535)(port);
                      })(at);
                    }});
  return yaml::map(std::move(keys));
}

/// An input is one interface, or the two monitor ports of a TAP.
Result<void> read_ports(const Node& node, const std::vector<std::string>& pair,
                        InputConfig& input) {
  if (input.ring.interface.empty() == pair.empty())
    return node.wrong("an input has either `interface` or `pair`",
                      "`interface: eth1`, or `pair: [eth1, eth2]` for a TAP's two ports");
  if (pair.empty()) return {};
  if (pair.size() != 2 || pair[0] == pair[1])
    return node.wrong("`pair` has two interfaces", "`pair: [eth1, eth2]`");
  if (input.workers != 1)
    return node.wrong("`workers` and `pair` exclude each other: one worker merges the two ports",
                      "take `workers` away");
  input.ring.interface = pair[0];
  input.second = pair[1];
  if (input.name.empty()) input.name = pair[0] + "+" + pair[1];
  return {};
}

Result<void> read_input(const Node& node, Config& config) {
  InputConfig input;
  bool accept_bare = true;
  std::uint16_t vlan = 0;
  auto keys = ring_keys(input);
  keys.push_back({"max_depth", yaml::number(input.decap.max_depth, 1, 16)});
  keys.push_back({"name", yaml::text(input.name)});
  keys.push_back({"interface", yaml::text(input.ring.interface)});
  std::vector<std::string> pair;
  keys.push_back({"pair", words(pair)});
  keys.push_back(
      {"accept", yaml::one_of<bool>(accept_bare, {{"any", true}, {"encapsulated", false}})});
  keys.push_back({"sessions", session_set(input.decap.sessions)});
  keys.push_back({"rspan_vlan", yaml::number(vlan, 1, 4094)});
  keys.push_back({"udp", udp_ports(input.decap.udp)});
  const auto done = yaml::map(std::move(keys))(node);
  if (!done) return done;
  if (const auto ports = read_ports(node, pair, input); !ports) return ports;
  if (input.name.empty()) input.name = input.ring.interface;
  input.decap.accept_bare = accept_bare;
  if (vlan != 0) input.decap.rspan_vlan = vlan;
  if (input.name == "local")
    return node.wrong("the name `local` is reserved for the target `local`", "choose another name");
  for (const InputConfig& other : config.inputs)
    if (other.name == input.name)
      return node.wrong("two inputs are named `" + input.name + "`", "rename one of them");
  config.inputs.push_back(std::move(input));
  return {};
}

/// `all`, or a list of kinds.
Result<void> read_off(const Node& node, FindingOptions& findings) {
  std::vector<std::string> ids;
  if (const auto done = words(ids)(node); !done) return done;
  for (const std::string& id : ids) {
    if (id == "all") {
      findings.off.set();
      continue;
    }
    const auto kind = parse_finding_kind(id);
    if (!kind) return node.wrong(kind.error().what, kind.error().remedy);
    findings.off.set(static_cast<std::size_t>(*kind));
  }
  return {};
}

Result<void> read_suppression(const Node& node, FindingOptions& findings) {
  std::string subject, id;
  const auto done =
      yaml::map({{"subject", yaml::text(subject), true}, {"kind", yaml::text(id)}})(node);
  if (!done) return done;
  auto suppression = parse_suppression(subject);
  if (!suppression) return node.wrong(suppression.error().what, suppression.error().remedy);
  if (!id.empty()) {
    const auto kind = parse_finding_kind(id);
    if (!kind) return node.wrong(kind.error().what, kind.error().remedy);
    suppression->kind = *kind;
  }
  findings.suppressed.push_back(*suppression);
  return {};
}

Result<void> read_findings(const Node& node, FindingOptions& findings) {
  return yaml::map({
      {"learning_time",
       yaml::integer([&](auto v) { findings.learning = v * kSecond; }, 0, 366 * 86400)},
      {"off", [&](const Node& at) { return read_off(at, findings); }},
      {"suppress", yaml::list([&](const Node& at) { return read_suppression(at, findings); })},
  })(node);
}

Result<void> read_analysis(const Node& node, Config& config) {
  return yaml::map({
      {"protocols", words(config.protocols)},
      {"max_flows", yaml::number(config.max_flows, 1024, kMostFlows)},
      {"max_streams", yaml::number(config.max_streams, 16, 1 << 24)},
      {"max_assets", yaml::number(config.max_assets, 16, 1 << 24)},
      {"asset_timeout",
       yaml::integer([&config](auto v) { config.asset_timeout = v * kSecond; }, 0, 366 * 86400)},
      {"top_flows", yaml::number(config.top_flows, 0, 1000)},
      {"findings", [&](const Node& at) { return read_findings(at, config.findings); }},
  })(node);
}

Result<void> read_eve(const Node& node, Config& config) {
  FileOutput file;
  SocketOutput socket;
  SinkOptions options;
  std::uint64_t megabytes = file.max_bytes >> 20;
  std::size_t queue_megabytes = options.queue_bytes >> 20;
  const auto done = yaml::map({
      {"file", yaml::text(file.path)},
      {"max_megabytes", yaml::number(megabytes, 0, 1 << 20)},
      {"keep", yaml::number(file.keep, 0, 1000)},
      {"socket", yaml::text(socket.path)},
      {"datagram", yaml::boolean(socket.datagram)},
      {"queue_megabytes", yaml::number(queue_megabytes, 1, 4096)},
  })(node);
  if (!done) return done;
  if (file.path.empty() == socket.path.empty())
    return node.wrong("an EVE output is either a `file` or a `socket`",
                      "write exactly one of the two");
  file.max_bytes = megabytes << 20;
  options.queue_bytes = queue_megabytes << 20;
  if (socket.path.empty())
    options.output = file;
  else
    options.output = socket;
  config.eve.push_back(std::move(options));
  return {};
}

Result<void> read_prometheus(const Node& node, Config& config) {
  PrometheusConfig out;
  const auto done = yaml::map({
      {"address", yaml::text(out.address)},
      {"port", yaml::number(out.port, 0, 65535)},
  })(node);
  if (done) config.prometheus = out;
  return done;
}

Result<void> read_export(const Node& node, Config& config) {
  return yaml::map({
      {"eve", yaml::list([&](const Node& at) { return read_eve(at, config); })},
      {"stats_interval",
       yaml::integer([&](auto v) { config.eve_stats_interval = std::chrono::seconds(v); }, 0,
                     86400)},
      {"prometheus", [&](const Node& at) { return read_prometheus(at, config); }},
  })(node);
}

Reader seconds(Time& out) {
  return yaml::integer([&out](auto v) { out = v * kSecond; }, 1, 86400);
}

Result<void> read_libvirt(const Node& node, Config& config) {
  LibvirtConfig out;
  const auto done = yaml::map({
      {"uri", yaml::text(out.uri)},
      {"sensor", yaml::text(out.sensor)},
      {"sensor_settle", seconds(out.follow.settle)},
      {"sensor_spacing", seconds(out.follow.spacing)},
  })(node);
  if (done) config.libvirt = out;
  return done;
}

Result<void> read_peer(const Node& node, PeersConfig& peers) {
  Peer peer;
  std::string libvirt;
  const auto done = yaml::map({
      {"host", yaml::text(peer.host), true},
      {"address", yaml::parsed(peer.endpoint.address, IpAddress::parse, "write its IP address"),
       true},
      {"port", yaml::number(peer.endpoint.port, 1, 65535)},
      {"libvirt", yaml::text(libvirt)},
  })(node);
  if (!done) return done;
  if (!libvirt.empty()) peers.libvirt[peer.host] = libvirt;
  peers.link.peers.push_back(std::move(peer));
  return {};
}

Result<void> read_peers(const Node& node, Config& config) {
  PeersConfig peers;
  PeerEndpoint listen;
  const auto read_listen = [&](const Node& at) -> Result<void> {
    const auto done =
        yaml::parsed(listen, PeerEndpoint::parse, "write IP:PORT, or [IPv6]:PORT")(at);
    if (done) peers.link.listen = listen;
    return done;
  };
  const auto read_tls = [&](const Node& at) -> Result<void> {
    PeerTls tls;
    const auto done = yaml::map({
        {"certificate", yaml::text(tls.certificate), true},
        {"private_key", yaml::text(tls.private_key), true},
        {"ca", yaml::text(tls.ca_certificate), true},
        {"revoked", yaml::text(tls.revoked)},
    })(at);
    if (done) peers.link.tls = tls;
    return done;
  };
  const auto done = yaml::map({
      {"listen", read_listen},
      {"insecure", yaml::boolean(peers.link.insecure)},
      {"tls", read_tls},
      {"hosts", yaml::list([&](const Node& at) { return read_peer(at, peers); }), true},
  })(node);
  if (done) config.peers = std::move(peers);
  return done;
}

Result<void> read_budget(const Node& node, std::vector<Budget>& budgets) {
  Budget budget;
  const auto prefix = [&budget](const Node& at) -> Result<void> {
    Prefix out;
    const auto done = yaml::parsed(out, parse_prefix, "write ADDRESS/BITS, or an address")(at);
    if (done) budget.collectors.insert(out);
    return done;
  };
  constexpr const char* kRateForms = "write a number, or one with k, M or G: 20M";
  const auto done = yaml::map({
      {"name", yaml::text(budget.name), true},
      {"collectors", yaml::one_or_list(prefix)},
      {"bits_per_second", yaml::parsed(budget.bits_per_second, parse_rate, kRateForms)},
      {"frames_per_second", yaml::parsed(budget.frames_per_second, parse_rate, kRateForms)},
  })(node);
  if (!done) return done;
  if (budget.bits_per_second == 0 && budget.frames_per_second == 0)
    return node.wrong("budget `" + budget.name + "` has no bound",
                      "write `bits_per_second`, `frames_per_second` or both");
  for (const Budget& other : budgets)
    if (other.name == budget.name)
      return node.wrong("two budgets are called `" + budget.name + "`",
                        "give one of them another name");
  budgets.push_back(std::move(budget));
  return {};
}

Result<StoreOptions> read_store(const Node& node) {
  StoreOptions store;
  const auto done = yaml::map({
      {"servers", words(store.servers), true},
      {"relays", words(store.relays)},
      {"insecure", yaml::boolean(store.insecure)},
      {"private_key", yaml::text(store.private_key)},
      {"certificate", yaml::text(store.certificate)},
      {"ca_certificate", yaml::text(store.ca_certificate)},
  })(node);
  if (!done) return tl::unexpected(done.error());
  return store;
}

/// `switch` is what the rest stands on: without it nobody asks a hypervisor. A collector may be
/// linked to those who send to it.
Result<void> check_needs_switch(const Config& config) {
  if (config.driver) return {};
  if (config.peers && config.inputs.empty())
    return fail(Error::Kind::invalid,
                "this daemon has no switch and no inputs, and so nothing to tell other agents",
                "peers", "add `switch` or `inputs`, or leave this out");
  if (config.store)
    return fail(Error::Kind::invalid, "this daemon has no switch, and so nothing to mirror",
                "store", "add `switch`, or leave this out");
  if (!config.budgets.empty())
    return fail(Error::Kind::invalid, "this daemon has no switch, and so makes no copies",
                "budgets", "add `switch`, or leave this out");
  for (const auto& [given, key] : {std::pair(config.libvirt.has_value(), "libvirt"),
                                   {config.monitor_nic.has_value(), "local.monitor_nic"}})
    if (given)
      return fail(Error::Kind::invalid, "this daemon has no switch, and so no guests to follow",
                  key, "add `switch`, or leave this out");
  return {};
}

/// The daemon starts no program (agent/confine).
Result<void> check_libvirt(const Config& config) {
  if (!config.libvirt) return {};
  const std::string& uri = config.libvirt->uri;
  const std::string scheme = uri.substr(0, uri.find(':'));
  if (!scheme.ends_with("+ssh") && !scheme.ends_with("+ext")) return {};
  return fail(Error::Kind::unsupported,
              "`" + scheme + "` starts a program, which vmirrord does not", "libvirt.uri",
              "use qemu:///system, or qemu+tls");
}

/// The files and sockets that an output writes to, those to which it rotates included.
std::vector<std::filesystem::path> paths_of(const SinkOptions& output) {
  const std::filesystem::path path = std::filesystem::path(name(output)).lexically_normal();
  std::vector<std::filesystem::path> out{path};
  if (const auto* file = std::get_if<FileOutput>(&output.output); file && file->max_bytes != 0)
    for (int i = 1; i <= file->keep; ++i) out.push_back(path.string() + "." + std::to_string(i));
  return out;
}

Result<void> check_eve(const std::vector<SinkOptions>& outputs) {
  std::map<std::filesystem::path, std::string> writers;
  for (const SinkOptions& output : outputs)
    for (const std::filesystem::path& path : paths_of(output))
      if (const auto [other, fresh] = writers.emplace(path, name(output)); !fresh)
        return fail(Error::Kind::invalid,
                    "two EVE outputs, " + other->second + " and " + name(output) + ", write to " +
                        path.string(),
                    "export.eve", "give each a path of its own");
  return {};
}

Result<void> check_export(const Config& config) {
  if (auto good = check_eve(config.eve); !good) return good;
  if (!config.prometheus) return {};
  const auto address = IpAddress::parse(config.prometheus->address);
  if (!address || !PeerEndpoint{*address, config.prometheus->port}.is_loopback())
    return fail(Error::Kind::invalid, "`" + config.prometheus->address + "` is no loopback address",
                "export.prometheus.address",
                "write 127.0.0.1 or ::1; a scraper on another host needs a proxy on this host");
  return {};
}

/// `done`, with `prefix` before where an error is.
Result<void> under(const std::string& prefix, Result<void> done) {
  if (!done) done.error().where = prefix + done.error().where;
  return done;
}

}  // namespace

Result<void> check(const Config& config) {
  if (config.driver)
    if (auto good = under("switch: ", check(*config.driver)); !good) return good;
  if (auto good = check_needs_switch(config); !good) return good;
  if (auto good = check_libvirt(config); !good) return good;
  if (config.peers)
    if (auto good = check(config.peers->link); !good) return good;
  if (config.store)
    if (auto good = check(*config.store); !good) return good;
  if (const auto selected = Dissectors::select(config.protocols); !selected)
    return under("analysis.", tl::unexpected(selected.error()));
  return check_export(config);
}

Result<Config> parse_config(std::string_view text, const std::string& file) {
  Config config;
  const auto done = yaml::read(
      text, file,
      yaml::map({
          {"host", yaml::text(config.host)},
          {"policies", yaml::text(config.policies)},
          {"socket", yaml::text(config.socket)},
          {"log_level",
           yaml::one_of<std::string>(
               config.log_level,
               {{"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}})},
          {"on_stop", yaml::one_of<OnStop>(config.on_stop,
                                           {{"remove", OnStop::remove}, {"keep", OnStop::keep}})},
          {"user", yaml::text(config.user)},
          {"state", yaml::text(config.state)},
          {"libvirt", [&](const Node& at) { return read_libvirt(at, config); }},
          {"peers", [&](const Node& at) { return read_peers(at, config); }},
          {"store",
           [&](const Node& at) {
             return read_store(at).map([&](StoreOptions store) { config.store = std::move(store); });
           }},
          {"switch", [&](const Node& at) { return read_switch(at, config); }},
          {"budgets", yaml::list([&](const Node& at) { return read_budget(at, config.budgets); })},
          {"local", [&](const Node& at) { return read_local(at, config); }},
          {"inputs", yaml::list([&](const Node& at) { return read_input(at, config); })},
          {"analysis", [&](const Node& at) { return read_analysis(at, config); }},
          {"export", [&](const Node& at) { return read_export(at, config); }},
      }));
  if (!done) return tl::unexpected(done.error());
  if (config.host.empty()) config.host = host_name();
  config.local.name = "local";
  // The name by which a host's agent is known, wherever it stands in the file.
  if (config.peers) config.peers->link.host = config.host;
  if (config.store) {
    config.store->host = config.host;
    config.store->state = config.state;
  }
  if (const auto good = under(file + ": ", check(config)); !good)
    return tl::unexpected(good.error());
  return config;
}

Result<Config> load_config(const std::string& path) {
  const auto text = read_trusted(path, yaml::Bounds{}.bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_config(*text, path);
}

Result<StoreOptions> load_store_options(const std::string& path) {
  const auto text = read_trusted(path, yaml::Bounds{}.bytes);
  if (!text) return tl::unexpected(text.error());
  StoreOptions out;
  const auto done = yaml::read(*text, path, [&](const Node& at) {
    return read_store(at).map([&](StoreOptions store) { out = std::move(store); });
  });
  if (!done) return tl::unexpected(done.error());
  if (const auto good = under(path + ": ", check(out)); !good) return tl::unexpected(good.error());
  return out;
}

}  // namespace vmirror
