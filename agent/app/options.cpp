#include "agent/app/options.hpp"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <random>

#include "agent/app/inputs.hpp"
#include "agent/control/affinity/migration_message.hpp"
#include "agent/engine/health/copies_json.hpp"

namespace vmirror {
namespace {

/// Between attempts to open an input: a mirror port's first frames come at once.
constexpr std::chrono::milliseconds kRetryMin{20}, kRetryMax{100};
/// 1.5 MiB of flows, besides the index, that an idle daemon holds.
constexpr std::uint32_t kReadyFlows = 8192;

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

void log_input(const std::string& input, const Error* error) {
  if (!error) return spdlog::info("input {}: frames come again", input);
  // A port that comes and goes with its policy is no fault.
  const bool expected = error->kind == Error::Kind::missing;
  spdlog::log(expected ? spdlog::level::info : spdlog::level::warn, "input {}: {}", input,
              error->text());
}

/// The configuration lists all hosts alike, so that one file does for each.
std::vector<Peer> other_hosts(const Config& config) {
  std::vector<Peer> out;
  if (config.peers)
    for (const Peer& peer : config.peers->link.peers)
      if (peer.host != config.host) out.push_back(peer);
  return out;
}

std::vector<std::string> names(const std::vector<Peer>& peers) {
  std::vector<std::string> out;
  for (const Peer& peer : peers) out.push_back(peer.host);
  return out;
}

}  // namespace

Result<EngineOptions> engine_options(const Config& config) {
  const auto dissectors = Dissectors::select(config.protocols);
  if (!dissectors) return tl::unexpected(dissectors.error());
  EngineOptions options;
  options.pipeline.dissectors = std::make_shared<const Dissectors>(*dissectors);
  if (auto vendors = Vendors::load())
    options.pipeline.vendors = std::make_shared<const Vendors>(std::move(*vendors));
  else
    spdlog::warn("no vendors of MACs: {}", vendors.error().text());
  options.pipeline.flows.max_flows = config.max_flows;
  options.pipeline.flows.ready = kReadyFlows;
  options.pipeline.flows.seed = random_seed();
  // So that a flow that comes with its guest does not meet one of its number here.
  options.pipeline.flows.first_number =
      (static_cast<std::uint32_t>(random_seed()) & 0x0fffffff) | 1;
  options.pipeline.max_streams = config.max_streams;
  options.pipeline.inventory.max_assets = config.max_assets;
  options.pipeline.inventory.max_age = config.asset_timeout;
  options.pipeline.top_flows = config.top_flows;
  options.pipeline.findings = config.findings;
  options.retry_min = kRetryMin;
  options.retry_max = kRetryMax;
  options.on_input = log_input;
  options.inputs = make_inputs(config);
  return options;
}

ConfineOptions confine_options(const Config& config) {
  const std::filesystem::path socket = std::filesystem::path(config.socket).parent_path();
  ConfineOptions out;
  out.user = config.user;
  out.own_folders = {socket.string(), config.state};
  out.writable_folders = {socket.string(), config.state, config.policies};
  for (const SinkOptions& sink : config.eve)
    if (const auto* file = std::get_if<FileOutput>(&sink.output))
      out.writable_folders.push_back(std::filesystem::path(file->path).parent_path().string());
  out.socket_folders = {socket.parent_path().string()};  // Who cleans /run takes the folder, too.
  return out;
}

FollowingOptions following_options(const Config& config) {
  return {.host = config.host,
          .peers = names(other_hosts(config)),
          .hypervisor = config.libvirt.has_value(),
          .ports_are_here = !config.monitor_nic,
          .state = config.state};
}

PeersOptions peers_options(const Config& config) {
  PeersOptions out = config.peers->link;
  out.most_bytes = {{MigrationMessage::kType, kMaxMigrationMessage},
                    {kHandoverMessage, kMaxHandoverMessage},
                    {SensorFollower::kMessage, SensorFollower::kMaxMessage},
                    {kCopiesMessage, kMaxCopiesJson}};
  return out;
}

SensorFollowerOptions sensor_options(const Config& config) {
  SensorFollowerOptions out;
  out.host = config.host;
  out.peers = names(other_hosts(config));
  if (config.libvirt) {
    out.sensor = config.libvirt->sensor;
    out.follow = config.libvirt->follow;
  }
  if (config.peers) out.libvirt = config.peers->libvirt;
  return out;
}

CollectorLinkOptions collector_link_options(const Config& config) {
  return {.peers = other_hosts(config), .takes_copies = !config.inputs.empty()};
}

}  // namespace vmirror
