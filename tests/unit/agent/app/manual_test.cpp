// The examples of docs/OPERATING.md are read as a user would have them read.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/app/config.hpp"
#include "agent/policy/policy_file.hpp"

namespace vmirror {
namespace {

/// The nth ```yaml block of the manual.
std::string example(int n) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "../../../..";
  std::ifstream in(root / "docs/OPERATING.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  std::size_t at = 0;
  for (int i = 0; i <= n; ++i) {
    at = text.find("```yaml\n", at);
    if (at == std::string::npos) return {};
    at += 8;
  }
  return text.substr(at, text.find("```", at) - at);
}

TEST(Manual, TheConfigurationIsGoodAndTellsTheDefaults) {
  const auto config = parse_config(example(0), "OPERATING.md");
  ASSERT_TRUE(config) << config.error().text();
  const auto plain = parse_config("{}", "plain");
  ASSERT_TRUE(plain) << plain.error().text();
  EXPECT_EQ(config->policies, plain->policies);
  EXPECT_EQ(config->socket, plain->socket);
  EXPECT_EQ(config->on_stop, plain->on_stop);
  EXPECT_EQ(config->state, plain->state);
  EXPECT_EQ(config->libvirt->uri, LibvirtConfig{}.uri);
  EXPECT_EQ(config->libvirt->follow.settle, SensorFollowOptions{}.settle);
  EXPECT_EQ(config->libvirt->follow.spacing, SensorFollowOptions{}.spacing);
  EXPECT_EQ(config->peers->link.listen->port, PeerEndpoint::kDefaultPort);
  EXPECT_EQ(config->peers->link.insecure, PeersOptions{}.insecure);
  EXPECT_EQ(config->driver->ovs.remote, OvsOptions{}.remote);
  EXPECT_EQ(config->driver->ovs.owner, OvsOptions{}.owner);
  EXPECT_EQ(config->driver->ovs.timeout, OvsOptions{}.timeout);
  ASSERT_EQ(config->inputs.size(), 1U);
  EXPECT_EQ(config->inputs[0].ring.block_size, RingOptions{}.block_size);
  EXPECT_EQ(config->inputs[0].ring.block_count, RingOptions{}.block_count);
  EXPECT_EQ(config->inputs[0].decap.max_depth, DecapOptions{}.max_depth);
  EXPECT_EQ(config->max_flows, plain->max_flows);
  EXPECT_EQ(config->max_streams, plain->max_streams);
  EXPECT_EQ(config->max_assets, plain->max_assets);
  EXPECT_EQ(config->top_flows, plain->top_flows);
  EXPECT_EQ(config->eve_stats_interval, plain->eve_stats_interval);
  EXPECT_EQ(config->prometheus->port, PrometheusConfig{}.port);
}

TEST(Manual, ThePolicyIsGood) {
  const auto policy = parse_policy(example(1), "OPERATING.md");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->select.size(), 6U);
  EXPECT_EQ(policy->targets.size(), 4U);
}

}  // namespace
}  // namespace vmirror
