// The captures of tests/protocols (captures.hpp draws a conversation's file).
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "tests/golden/captures.hpp"
#include "tests/support/payloads.hpp"
#include "tests/support/source_tree.hpp"

namespace vmirror::test {
namespace {

namespace fs = std::filesystem;

/// A message of a line: digits, sizes and payloads.
Buffer message_of(const std::string& protocol, std::string_view line) {
  Buffer out;
  std::vector<std::size_t> sizes;
  while (!line.empty()) {
    if (line[0] == '"') {
      const std::string_view quoted = line.substr(1, line.find('"', 1) - 1);
      const std::size_t colon = quoted.find(": ");
      const Buffer& more = colon == quoted.npos
                               ? payload(protocol, quoted)
                               : payload(quoted.substr(0, colon), quoted.substr(colon + 2));
      out.insert(out.end(), more.begin(), more.end());
      line.remove_prefix(quoted.size() + 2);
      continue;
    }
    const std::size_t size = std::min(line.find_first_of("\"#"), line.size());
    const Buffer more = hex(line.substr(0, size));
    out.insert(out.end(), more.begin(), more.end());
    line.remove_prefix(size);
    if (!line.starts_with("##")) continue;
    sizes.push_back(out.size());
    out.resize(out.size() + 2);
    line.remove_prefix(2);
  }
  for (const std::size_t at : sizes) store_be16(&out[at], static_cast<std::uint16_t>(out.size()));
  return out;
}

/// Where the messages of the lines that follow go.
struct Channel {
  enum class Kind { link, llc, snap, ip, udp, tcp } kind;
  Ends ends;
  /// EtherType; destination SAP; OUI and the organisation's own number; protocol.
  std::uint32_t number = 0;
  std::uint16_t own = 0;
  std::optional<Connection> connection;
};

Channel channel_of(Story& story, std::istringstream& words, const std::string& word,
                   std::uint16_t client_port) {
  using Kind = Channel::Kind;
  const std::map<std::string, Kind> kinds = {{"link", Kind::link}, {"llc", Kind::llc},
                                             {"snap", Kind::snap}, {"ip", Kind::ip},
                                             {"udp", Kind::udp},   {"tcp", Kind::tcp}};
  Channel out{kinds.at(word), {}, 0, 0, {}};
  const bool hexadecimal =
      out.kind == Kind::link || out.kind == Kind::llc || out.kind == Kind::snap;
  words >> (hexadecimal ? std::hex : std::dec) >> out.number;
  if (out.kind == Kind::snap) words >> out.own;
  out.ends.source_port = client_port;
  out.ends.destination_port = static_cast<std::uint16_t>(out.number);
  if (out.kind == Kind::tcp) out.connection.emplace(story, out.ends);
  return out;
}

/// One frame below UDP and TCP.
Buffer frame_of(const Channel& channel, bool up, Bytes bytes) {
  const Ends ends = up ? channel.ends : channel.ends.reversed();
  const Link link{ends.destination_mac, ends.source_mac, {}};
  const auto number = static_cast<std::uint16_t>(channel.number);
  switch (channel.kind) {
    case Channel::Kind::llc: {
      const auto sap = static_cast<std::uint8_t>(number);
      return llc(sap, sap, 3, bytes, link);
    }
    case Channel::Kind::snap:
      return snap(channel.number, channel.own, bytes, link);
    case Channel::Kind::ip:
      return ethernet(ip_packet({.source = ends.source,
                                 .destination = ends.destination,
                                 .protocol = static_cast<std::uint8_t>(number)},
                                bytes),
                      ethertype::kIpv4, link);
    default:
      return ethernet(bytes, number, link);
  }
}

void send(Story& story, Channel& channel, bool up, Bytes bytes, std::size_t cut) {
  if (channel.kind < Channel::Kind::udp) {
    story.add(frame_of(channel, up, bytes));
  } else if (channel.kind == Channel::Kind::udp) {
    story.add(udp_frame(up ? channel.ends : channel.ends.reversed(), bytes));
  } else {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(cut, bytes.size()))) {
      const Bytes part = bytes.first(std::min(cut, bytes.size()));
      up ? channel.connection->up(part) : channel.connection->down(part);
    }
  }
}

Capture read_conversation(const fs::path& path) {
  const std::string protocol = path.parent_path().filename();
  Story story;
  std::optional<Channel> channel;
  std::size_t cut = ~std::size_t{0};
  std::uint16_t client_port = 40000;
  const auto close = [&] {
    if (channel && channel->connection) channel->connection->close();
  };
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word.empty() || word[0] == '#') continue;
    if (word == ">" || word == "<") {
      send(story, *channel, word == ">", message_of(protocol, line.substr(2)), cut);
      cut = ~std::size_t{0};
    } else if (word == "cut") {
      words >> cut;
    } else {
      close();
      channel.emplace(channel_of(story, words, word, client_port++));
    }
  }
  close();
  return story.named(protocol);
}

}  // namespace

std::vector<Capture> conversations() {
  std::vector<Capture> out;
  for (const auto& each : fs::directory_iterator(source_tree() / "tests/protocols"))
    if (const fs::path file = each.path() / "conversation.txt"; fs::exists(file))
      out.push_back(read_conversation(file));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

/// The protocol of the longest name that the capture's begins with: modbus of modbus_gap.
fs::path place_of(const std::string& name) {
  std::string protocol;
  for (const auto& each : fs::directory_iterator(source_tree() / "tests/protocols")) {
    const std::string folder = each.path().filename();
    const bool its = name == folder || name.starts_with(folder + "_");
    if (its && folder.size() > protocol.size()) protocol = folder;
  }
  const fs::path tests = source_tree() / "tests";
  return protocol.empty() ? tests / "golden/cases" / name : tests / "protocols" / protocol / name;
}

}  // namespace vmirror::test
