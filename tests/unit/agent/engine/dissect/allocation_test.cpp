// Dissecting, matching and cutting allocate nothing: this program counts what it allocates.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "agent/engine/dissect/dissection.hpp"
#include "tests/unit/agent/engine/dissect/told.hpp"

namespace {
std::size_t allocations = 0;
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

namespace vmirror {
namespace {

using namespace test;

TEST(Allocation, NoneForAnyPayload) {
  const Dissectors all = *Dissectors::select(std::vector<std::string>{"all"});
  Dissection dissection(all);
  Facts facts;
  payloads();
  const std::size_t before = allocations;
  std::size_t told = 0;
  for (int round = 0; round < 3; ++round) {
    for (const Payload& each : payloads()) {
      Context context = context_of(each.to_server);
      context.engine = &dissection;
      for (DissectorId id = 1; id <= all.size(); ++id) {
        if (all[id].carrier != Carrier::stream) {
          dissection.message(id, each.bytes, context, facts);
          continue;
        }
        Conversation conversation;
        conversation.dissector = id;
        for (std::size_t i = 0; i < each.bytes.size(); i += 9)
          dissection.feed(
              conversation,
              Bytes(each.bytes).subspan(i, std::min<std::size_t>(9, each.bytes.size() - i)),
              context, facts);
        dissection.close(conversation);
      }
      told += facts.records().size();
      facts.clear();
      dissection.settle();
    }
    dissection.requests().expire(100 * kSecond);
  }
  EXPECT_EQ(allocations, before);
  EXPECT_GT(told, 100u);
}

}  // namespace
}  // namespace vmirror
