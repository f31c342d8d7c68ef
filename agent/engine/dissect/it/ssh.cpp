// RFC 4253, section 4.2: each side's first line, before any packet.
//
//   SSH-protocol-software[ comments] CR LF        LF alone from old ones; 255 bytes at most
//   | size[4] | packet[size] | ...                 the key exchange, until both lines were seen
#include "agent/engine/dissect/it/ssh.hpp"

#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace ssh {
namespace {

constexpr std::string_view kFront = "SSH-";
constexpr std::size_t kLongest = 255;

/// Whose line was seen.
struct Seen {
  std::uint8_t sides = 0;
};
std::uint8_t side_of(const Context& context) {
  return context.to_server ? 1 : 2;
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  Seen* seen = context.state<Seen>();
  if (seen != nullptr && (seen->sides & side_of(context)) != 0) return Malformed::none;
  const std::string_view line = text_of(bytes);
  if (!line.starts_with(kFront.substr(0, bytes.size()))) return Malformed::bad_value;
  if (bytes.empty() || bytes.back() != '\n') return Malformed::truncated;
  const std::size_t second = line.find('-', kFront.size());
  if (second == std::string_view::npos) return Malformed::bad_value;
  const std::string_view software = line.substr(second + 1);
  facts.record("ssh");
  facts.open_object(context.to_server ? "client" : "server");
  facts.add("proto_version", line.substr(kFront.size(), second - kFront.size()));
  facts.add("software_version", software);
  facts.close();
  if (!context.to_server) {
    facts.learn(context.sender(), Attribute::service, "ssh", "ssh.server");
    facts.learn(context.sender(), Attribute::description, software, "ssh.server.software_version");
  }
  if (seen == nullptr) return Malformed::none;
  seen->sides |= side_of(context);
  return seen->sides == 3 ? Outcome::done() : Outcome(Malformed::none);
}

Framing frame(Bytes stream, const Context& context) {
  const Seen* seen = context.has_state() ? context.state<Seen>() : nullptr;
  if (seen != nullptr && (seen->sides & side_of(context)) != 0) {
    if (stream.size() < 4) return Framing::more();
    const std::uint32_t size = load_be32(stream.data());
    return size > kMaxMessage ? Framing::lost() : Framing::message(size + 4, 4);
  }
  const std::string_view text = as_text(stream);
  if (!text.starts_with(kFront.substr(0, text.size()))) return Framing::lost();
  const std::size_t end = text.find('\n');
  if (end != std::string_view::npos)
    return end >= kLongest ? Framing::lost()
                           : Framing::message(static_cast<std::uint32_t>(end + 1));
  return text.size() >= kLongest ? Framing::lost() : Framing::more();
}

Probe probe(Bytes stream, const Context&) {
  const std::string_view text = as_text(stream);
  if (text.size() < kFront.size()) return kFront.starts_with(text) ? Probe::maybe : Probe::no;
  const bool one = text.starts_with("SSH-2.0-") || text.starts_with("SSH-1.");
  return one ? Probe::yes : text.starts_with(kFront) && text.size() < 8 ? Probe::maybe : Probe::no;
}

constexpr Place kAt[] = {22};

}  // namespace
}  // namespace ssh

const Dissector kSsh{.name = "ssh",
                     .carrier = Carrier::stream,
                     .at = ssh::kAt,
                     .probe = ssh::probe,
                     .frame = ssh::frame,
                     .dissect = ssh::dissect};

}  // namespace vmirror
