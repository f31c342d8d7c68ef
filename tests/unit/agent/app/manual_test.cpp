// The examples of docs/OPERATING.md and README.md are read as a user would have them read, and what
// the manual lists is all that there is.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "agent/app/config.hpp"
#include "agent/control/affinity/record_json.hpp"
#include "agent/control/follow/sensor_follower.hpp"
#include "agent/control/libvirt/domain_xml.hpp"
#include "agent/control/policy/policy_file.hpp"
#include "agent/report/check.hpp"
#include "agent/report/status.hpp"
#include "plugin/ovs/driver.hpp"
#include "tests/support/source_tree.hpp"

namespace vmirror {
namespace {

namespace json = boost::json;

std::string read_text(const char* path) {
  std::ifstream in(test::source_tree() / path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The nth block of a document in that language.
std::string block(const std::string& text, const std::string& language, int n) {
  const std::string fence = "```" + language + "\n";
  std::size_t at = 0;
  for (int i = 0; i <= n; ++i) {
    at = text.find(fence, at);
    if (at == std::string::npos) return {};
    at += fence.size();
  }
  return text.substr(at, text.find("```", at) - at);
}

std::string example(int n) {
  return block(read_text("docs/OPERATING.md"), "yaml", n);
}

/// A section of the manual, by its heading.
std::string section(const std::string& heading) {
  const std::string text = read_text("docs/OPERATING.md");
  const std::size_t at = text.find("\n## " + heading + "\n");
  return at == std::string::npos ? "" : text.substr(at, text.find("\n## ", at + 1) - at);
}

using Words = std::set<std::string>;

/// All that matches `form` in a text.
Words all_of(const std::string& text, const char* form) {
  const std::regex regex(form);
  Words out;
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at)
    out.insert((*at)[1].str());
  return out;
}

/// A daemon's view with something of everything.
struct FullView {
  FullView() {
    engine.inputs.emplace_back().sessions.emplace_back().rule = SequenceRule::session;
    engine.not_understood.push_back({"ethertype 0x88c7", 1});
    engine.limits.push_back({"flows", "flows", 1, 2, 0});
    static_cast<EngineCounters&>(engine).findings_begun.push_back({"new_device", 1});
    control.budgets.emplace_back();
  }
  DaemonView view() {
    DaemonView v{"", "ovs", 0, 0, control, engine, folder, {}, {}};
    v.coverage.emplace_back().coverage.ratio = 1.0;
    v.outputs.emplace_back();
    v.libvirt = LibvirtStatus{};
    v.libvirt->connected = true;  // So that the verdict has nothing to tell.
    v.peers = PeersStatus{};
    v.peers->peers.emplace_back();
    v.store = StoreStatus{};
    v.following = FollowingStatus{};
    boost::asio::io_context io;
    v.sensor = SensorFollower(io, {}, nullptr, nullptr).status(0);
    v.sensor["sources"] = nullptr;  // Its keys are hosts.
    return v;
  }
  ControlSnapshot control;
  EngineSnapshot engine;
  PolicyFolder folder;
};

/// "libvirt.since", "peers.hosts[].host": each member that is no object.
void collect(const json::value& value, const std::string& name, Words& out) {
  if (const auto* array = value.if_array(); array != nullptr && !array->empty())
    return collect(array->front(), name + "[]", out);
  const auto* object = value.if_object();
  if (object == nullptr || object->empty()) {
    out.insert(name);
    return;
  }
  for (const auto& [key, member] : *object)
    collect(member, name.empty() ? std::string(key) : name + "." + std::string(key), out);
}

/// The words in the first column of a section's table; one that begins with a dot has the parent of
/// the one before it.
Words told_fields(const std::string& text) {
  Words out;
  std::string parent;
  const std::regex word("`(\\.?[a-z_]+[a-z_.\\[\\]]*)`");
  for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at) {
    std::string name = (*at)[1].str();
    if (name.front() == '.') name = parent + name;
    parent = name.substr(0, name.rfind('.'));
    out.insert(name);
  }
  return out;
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
  EXPECT_EQ(ovs_options(config->driver->options).remote, OvsOptions{}.remote);
  EXPECT_EQ(ovs_options(config->driver->options).owner, OvsOptions{}.owner);
  EXPECT_EQ(ovs_options(config->driver->options).timeout, OvsOptions{}.timeout);
  ASSERT_EQ(config->inputs.size(), 1U);
  EXPECT_EQ(config->inputs[0].ring.block_size, RingOptions{}.block_size);
  EXPECT_EQ(config->inputs[0].ring.block_count, RingOptions{}.block_count);
  EXPECT_EQ(config->inputs[0].decap.max_depth, DecapOptions{}.max_depth);
  EXPECT_EQ(config->max_flows, plain->max_flows);
  EXPECT_EQ(config->max_streams, plain->max_streams);
  EXPECT_EQ(config->max_assets, plain->max_assets);
  EXPECT_EQ(config->top_flows, plain->top_flows);
  EXPECT_EQ(config->asset_timeout, plain->asset_timeout);
  EXPECT_EQ(config->findings.learning, plain->findings.learning);
  EXPECT_EQ(config->findings.off, plain->findings.off);
  EXPECT_EQ(config->eve_stats_interval, plain->eve_stats_interval);
  EXPECT_EQ(config->prometheus->port, PrometheusConfig{}.port);
}

TEST(Manual, AllFindingsAreListedAsTheyAreAndNoOthers) {
  const std::string text = read_text("docs/findings.md");
  const std::regex row(R"(\n\| `([a-z_]+)` \| (\d) \| (\d+) \|.*\| (T[\d.]+)?[^|]*\|(?=\n))");
  std::map<std::string, std::string> listed, known;
  for (std::sregex_iterator at(text.begin(), text.end(), row), end; at != end; ++at)
    listed[(*at)[1]] = (*at)[2].str() + " " + (*at)[3].str() + " " + (*at)[4].str();
  for (const FindingRule& rule : finding_rules())
    known[rule.id] =
        std::to_string(rule.severity) + " " + std::to_string(rule.number) + " " + rule.technique;
  EXPECT_EQ(listed, known);
}

TEST(Manual, ThePolicyIsGood) {
  const auto policy = parse_policy(example(1), "OPERATING.md");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->select.size(), 6U);
  EXPECT_EQ(policy->targets.size(), 4U);
}

TEST(Manual, TheFilterIsGood) {
  const auto policy = parse_policy(
      "policy: a\nselect: [{port: p}]\ntargets: [local]\n" + block(section("Policies"), "yaml", 1),
      "OPERATING.md");
  ASSERT_TRUE(policy) << policy.error().text();
  EXPECT_EQ(policy->filter.only.size(), 3U);
  EXPECT_EQ(policy->filter.except.size(), 1U);
}

TEST(Manual, AllMetricsAreListedAndNoOthers) {
  FullView full;
  const Words printed = all_of(prometheus_text(metrics(full.view())), "# TYPE (vmirror_[a-z_]+)");
  EXPECT_GT(printed.size(), 30U);
  EXPECT_EQ(all_of(section("Metrics"), "(vmirror_[a-z_]+)"), printed);
}

TEST(Manual, TheFieldsOfTheStatusAreListed) {
  FullView full;
  const json::object status = status_json(full.view());
  const Words told = told_fields(section("Status, by field"));
  Words fields;
  for (const char* key : {"privileges", "switch", "verdict", "libvirt", "hook", "peers",
                          "migrations", "sensor", "store", "budgets", "findings"})
    collect(status.at(key), key, fields);
  EXPECT_GT(fields.size(), 40U);
  for (const std::string& field : fields) EXPECT_TRUE(told.contains(field)) << field;
  for (const std::string& word : told)
    EXPECT_TRUE(word.find('.') == word.npos || fields.contains(word)) << word;
}

TEST(Manual, AllChecksAreListedAndNoOthers) {
  const std::vector<std::string> ids = check_ids();
  const std::string text = section("Commands");
  const std::string table = text.substr(text.find("### Checks"));
  EXPECT_EQ(all_of(table, "\n\\| `([a-z-]+)` \\|"), Words(ids.begin(), ids.end()));
}

TEST(Manual, ARecordsKeysAreListedAndItsEventHasThem) {
  MigrationRecord record;
  record.source.host = "a";
  json::object keys = to_json(record);
  const std::string text = section("Following a guest");
  for (const auto& [key, value] : keys)
    EXPECT_NE(text.find("`" + std::string(key) + "`"), std::string::npos) << key;
  for (const char* inner : {"source", "handover"})
    for (const auto& [key, value] : keys.at(inner).as_object())
      EXPECT_NE(text.find("`" + std::string(key) + "`"), std::string::npos) << inner << key;
  const json::object event = json::parse(block(text, "json", 0)).as_object();
  const json::object& shown = event.at("migration").as_object();
  for (const auto& [key, value] : keys) EXPECT_TRUE(shown.contains(key)) << key;
  for (const auto& [key, value] : shown) EXPECT_TRUE(keys.contains(key)) << key;
  EXPECT_EQ(event.at("event_type"), "migration");
}

TEST(Manual, TheLabelsOfAGuestAreRead) {
  const std::string metadata = block(section("Policies"), "xml", 0);
  const auto guest =
      parse_domain("<domain><name>dc1</name><uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>" +
                   metadata + "</domain>");
  ASSERT_TRUE(guest) << guest.error().text();
  EXPECT_EQ(guest->labels, (std::map<std::string, std::string>{{"role", "dc"}, {"site", "north"}}));
}

TEST(Manual, TheFirstStepsAreGood) {
  const std::string readme = read_text("README.md");
  for (const int n : {0, 2, 3}) {
    const auto config = parse_config(block(readme, "yaml", n), "README.md");
    EXPECT_TRUE(config) << n << ": " << config.error().text();
  }
  EXPECT_TRUE(parse_config(block(readme, "yaml", 0), "README.md")->libvirt)
      << "the policy below selects by name and label";
  const auto policy = parse_policy(block(readme, "yaml", 1), "README.md");
  EXPECT_TRUE(policy) << policy.error().text();
}

}  // namespace
}  // namespace vmirror
