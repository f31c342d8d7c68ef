#include "tests/unit/agent/engine/worker/scene.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "tests/support/encapsulate.hpp"

namespace vmirror::test {
namespace {

using namespace tcp_flag;

const Ends kModbus{.source_port = 40123, .destination_port = 502};
const Ends kDns{
    .source_mac = mac("52:54:00:00:00:03"), .source = ip("10.0.0.3"), .destination_port = 53};
const Ends kSix{.source = ip("fd00::1"), .destination = ip("fd00::2"), .destination_port = 8080};

void add_modbus(std::vector<Buffer>& out) {
  const Ends up = kModbus, down = kModbus.reversed();
  const Buffer ask = hex("0001 0000 0006 01 03 0000 0002");
  const Buffer answer = hex("0001 0000 0007 01 03 04 1234 5678");
  const Bytes whole(answer);
  const auto asked = static_cast<std::uint32_t>(101 + ask.size());
  out.push_back(tcp_frame(up, {100, 0, kSyn}));
  out.push_back(tcp_frame(down, {500, 101, kSyn | kAck}));
  out.push_back(tcp_frame(up, {101, 501, kAck}));
  out.push_back(tcp_frame(up, {101, 501, kAck | kPsh}, ask));
  out.push_back(tcp_frame(up, {101, 501, kAck | kPsh}, ask));
  out.push_back(tcp_frame(down, {507, asked, kAck}, whole.subspan(6)));  // The second half first.
  out.push_back(tcp_frame(down, {501, asked, kAck}, whole.first(6)));
  out.push_back(tcp_frame(up, {asked, 514, kFin | kAck}));
  out.push_back(tcp_frame(down, {514, asked + 1, kFin | kAck}));
}

void add_dns(std::vector<Buffer>& out, const Ends& ends) {
  const Buffer name = hex("03 706c63 07 6578616d706c65 00 0001 0001");
  out.push_back(udp_frame(ends, concat({hex("1234 0100 0001 0000 0000 0000"), name})));
  out.push_back(udp_frame(ends.reversed(), concat({hex("1234 8180 0001 0001 0000 0000"), name,
                                                   hex("c00c 0001 0001 0000012c 0004 0a000002")})));
}

}  // namespace

std::vector<Buffer> scene(bool only_ip) {
  std::vector<Buffer> out;
  if (!only_ip) {
    out.push_back(arp_frame(kModbus, 1));
    out.push_back(arp_frame(kModbus.reversed(), 2));
    out.push_back(ethernet(hex("02 07 04 525400000001 04 02 05 31 06 02 0078 0a 03 737731 0000"),
                           ethertype::kLldp, {mac("01:80:c2:00:00:0e"), kModbus.source_mac, {}}));
  }
  for (std::uint16_t i = 1; i <= 3; ++i) {
    out.push_back(ping_frame(kModbus, i));
    out.push_back(ping_frame(kModbus.reversed(), i, true));
  }
  add_dns(out, kDns);
  add_modbus(out);
  out.push_back(udp_frame(kSix, counting(300)));
  out.push_back(udp_frame(kSix.reversed(), counting(1200)));
  if (!only_ip) {
    Ends tagged_ends = kDns;
    tagged_ends.tags = {{ethertype::kVlan, 7}};
    add_dns(out, tagged_ends);
  }
  Ends syslog = kModbus;
  syslog.destination_port = 5140;
  for (const Buffer& part : fragments(udp_frame(syslog, counting(2000)), 800)) out.push_back(part);
  return out;
}

std::shared_ptr<const Dissectors> all_dissectors() {
  const std::string names[] = {"all"};
  return std::make_shared<const Dissectors>(Dissectors::select(names).value());
}

EveFile::EveFile() {
  static std::atomic<int> number = 0;
  path_ = std::filesystem::temp_directory_path() /
          ("vmirror-engine-" + std::to_string(getpid()) + "-" + std::to_string(++number) + ".json");
  std::filesystem::remove(path_);
  sinks_ =
      LineSinks::open({{.output = FileOutput{.path = path_.string(), .max_bytes = 0}}}).value();
}

EveFile::~EveFile() {
  std::filesystem::remove(path_);
}

std::vector<std::string> EveFile::whole_lines() {
  sinks_.reset();  // Writes what waits.
  std::ifstream file(path_);
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

std::vector<std::string> EveFile::lines() {
  std::vector<std::string> out = whole_lines();
  for (std::string& line : out) {
    const std::size_t from = line.find(",\"vmirror\":{");
    if (from != std::string::npos) line.erase(from, line.find('}', from) + 1 - from);
  }
  return out;
}

Analysed run(const std::vector<Buffer>& frames, PipelineOptions options, std::size_t batch) {
  EveFile eve;
  options.eve.sinks = eve.sinks();
  Analysed out;
  {
    Pipeline pipeline(std::move(options));
    std::vector<Frame> waiting;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      waiting.push_back(frame_of(frames[i], kSecond));
      if (waiting.size() < batch && i + 1 < frames.size()) continue;
      pipeline.process(waiting);
      EXPECT_TRUE(pipeline.counters().balanced()) << "after frame " << i;
      waiting.clear();
    }
    pipeline.flush();
    EXPECT_TRUE(pipeline.counters().balanced());
    EXPECT_EQ(pipeline.counters().held, 0u);
    out.snapshot = pipeline.snapshot(0);
  }
  out.eve = eve.lines();
  return out;
}

std::string text_of(const EngineSnapshot& snapshot) {
  std::string out;
  for (const Asset& asset : snapshot.assets) {
    out += asset.mac.text() + (asset.router ? " router" : "");
    for (const IpAddress& ip : asset.ips) out += " " + ip.text();
    for (const std::uint16_t vlan : asset.vlans) out += " vlan " + std::to_string(vlan);
    for (const AssetProperty& p : asset.properties)
      out += std::string(" ") + to_text(p.attribute) + "=" + p.value;
    out += " sent " + std::to_string(asset.packets) + "/" + std::to_string(asset.bytes) + "\n";
  }
  for (const ProtocolSnapshot& p : snapshot.protocols)
    if (p.records + p.malformed > 0)
      out += p.name + " " + std::to_string(p.records) + " records, " + std::to_string(p.malformed) +
             " malformed\n";
  return out + std::to_string(snapshot.flows_started) + " flows\n";
}

}  // namespace vmirror::test
