// Events are written without allocation once the buffer has its size: this program counts what
// `new` gives out.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "agent/engine/export/eve.hpp"
#include "agent/engine/export/sink.hpp"
#include "tests/support/frames.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace vmirror {
namespace {

TEST(Allocation, NoneForAnEventInSteadyState) {
  const test::Buffer bytes = test::udp_frame({.tags = {{0x8100, 7}}}, test::counting(40));
  const Frame frame = test::frame_of(bytes, 7 * kSecond);
  const Packet packet = parse_packet(bytes, frame.link);
  Facts facts;
  facts.record("dns");
  facts.add("rrname", "host\nwith \xff escapes");
  facts.add("address", test::ip("2001:db8::1"));
  facts.add("mac", test::mac("52:54:00:00:00:01"));
  facts.add("raw", Bytes(bytes));
  facts.add("load", 0.1);
  Flow flow;
  flow.ip = {test::ip("10.0.0.1"), test::ip("10.0.0.2")};
  flow.protocol = ip_protocol::kTcp;
  std::string out;
  const auto write = [&] {
    out.clear();
    for (int i = 0; i < 100; ++i) {
      append_record_event(out, event_head(frame, packet, {}), facts.records()[0],
                          facts.fields(facts.records()[0]));
      append_flow_event(out, event_head(flow), flow);
    }
  };
  write();
  const std::size_t before = allocations;
  for (int i = 0; i < 10; ++i) write();
  EXPECT_EQ(allocations, before);
  EXPECT_GT(before, 0U);
}

}  // namespace
}  // namespace vmirror
