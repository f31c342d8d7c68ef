// What the tests of dissectors share: one call, and what it told as text.
#pragma once

#include <string>

#include "agent/engine/dissect/dissection.hpp"
#include "tests/support/facts_text.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::test {

/// Every protocol.
inline const Dissectors& all_dissectors() {
  static const Dissectors out = *Dissectors::select(std::vector<std::string>{"all"});
  return out;
}

/// A message from 10.0.0.1 (52:54:00:00:00:01) to 10.0.0.2, or back, on the link.
inline Context context_of(bool to_server = true, Time time = kSecond) {
  const Subject client{mac("52:54:00:00:00:01"), ip("10.0.0.1"), {}};
  const Subject server{mac("52:54:00:00:00:02"), ip("10.0.0.2"), {}};
  Context context;
  context.time = time;
  context.source = to_server ? client : server;
  context.destination = to_server ? server : client;
  context.ttl = 255;
  context.to_server = to_server;
  context.flow = 1;
  return context;
}
/// The same for the payloads of ICMPv6, which go from fe80::1 to ff02::1.
inline Context context_of6() {
  Context context = context_of();
  context.source.ip = ip("fe80::1");
  context.destination.ip = ip("ff02::1");
  return context;
}

/// Records and facts, and `malformed NAME` as the last line where something was wrong.
inline std::string told(const Dissector& dissector, Bytes message, const Context& context) {
  Facts facts;
  const Malformed malformed = dissector.dissect(message, context, facts).malformed;
  std::string out = facts_text(facts);
  if (malformed != Malformed::none) out += std::string("malformed ") + to_text(malformed) + "\n";
  return out;
}

/// Cuts a message at every byte: nothing may be read past the end (ASan watches), and no copy that
/// is shorter than the message by its own lengths may pass for a whole one, but at `whole` bytes.
template <typename Whole>
std::string accepted_cuts(const Dissector& dissector, Bytes message, const Context& context,
                          Whole whole) {
  std::string out;
  for (std::size_t size = 0; size < message.size(); ++size) {
    const Buffer copy(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
    Facts facts;
    if (dissector.dissect(copy, context, facts).malformed == Malformed::none && !whole(size))
      out += std::to_string(size) + " ";
  }
  return out;
}

}  // namespace vmirror::test
