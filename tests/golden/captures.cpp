#include "tests/golden/captures.hpp"

namespace vmirror::test {

using namespace tcp_flag;

Connection::Connection(Story& story, const Ends& client) : story_(story), client_(client) {
  add(true, next_[0]++, kSyn);
  add(false, next_[1]++, kSyn | kAck);
  add(true, next_[0], kAck);
}

std::uint32_t Connection::pass(bool from_client, std::size_t size) {
  std::uint32_t& next = next_[from_client ? 0 : 1];
  next += static_cast<std::uint32_t>(size);
  return next - static_cast<std::uint32_t>(size);
}

void Connection::segment(bool from_client, std::uint32_t sequence, Bytes payload) {
  add(from_client, sequence, kAck | kPsh, payload);
}

void Connection::close() {
  for (const bool from_client : {true, false}) add(from_client, pass(from_client, 1), kFin | kAck);
  add(true, next_[0], kAck);
}

void Connection::send(bool from_client, Bytes payload) {
  segment(from_client, pass(from_client, payload.size()), payload);
}

void Connection::add(bool from_client, std::uint32_t sequence, std::uint8_t flags, Bytes payload) {
  const std::uint32_t acknowledged = (flags & kAck) != 0 ? next_[from_client ? 1 : 0] : 0;
  story_.add(tcp_frame(from_client ? client_ : client_.reversed(), {sequence, acknowledged, flags},
                       payload));
}

std::vector<Capture> golden_captures() {
  std::vector<Capture> all = protocol_captures();
  for (Capture& capture : encapsulation_captures()) all.push_back(std::move(capture));
  for (Capture& capture : finding_captures()) all.push_back(std::move(capture));
  for (Capture& capture : conversations()) all.push_back(std::move(capture));
  return all;
}

}  // namespace vmirror::test
