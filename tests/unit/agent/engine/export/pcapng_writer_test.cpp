// What is written as pcapng is what the reader of capture files gives back.
#include "agent/engine/export/pcapng_writer.hpp"

#include <gtest/gtest.h>

#include "agent/engine/capture/capture.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

using namespace test;

std::vector<std::uint8_t> written_by(const std::function<void(PcapngWriter&)>& write) {
  std::vector<std::uint8_t> out;
  PcapngWriter writer([&](Bytes bytes) -> Result<void> {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  });
  write(writer);
  EXPECT_TRUE(writer.flush());
  return out;
}

TEST(PcapngWriter, TheReaderGivesTheFrameBack) {
  const Buffer ping = ping_frame({});
  const Buffer tagged = ping_frame({.tags = {{0x8100, 0x600c}}});
  Buffer untagged = tagged;
  untagged.erase(untagged.begin() + 12, untagged.begin() + 16);
  const struct {
    const char* what;
    Frame frame;
    std::uint32_t snaplen;
    Buffer bytes;
    std::uint32_t wire_size;
  } table[] = {
      {"whole", frame_of(ping, 7), 0, ping, static_cast<std::uint32_t>(ping.size())},
      {"cut to 20 bytes",
       frame_of(ping, 1'700'000'000'123'456'789),
       20,
       {ping.begin(), ping.begin() + 20},
       static_cast<std::uint32_t>(ping.size())},
      {"of an odd length",
       frame_of({ping.data(), 41}, 1),
       0,
       {ping.begin(), ping.begin() + 41},
       41},
      {"a stripped tag comes back",
       [&] {
         Frame frame = frame_of(untagged, 1);
         frame.stripped = {0x8100, 0x600c};
         frame.wire_size = static_cast<std::uint32_t>(tagged.size());
         return frame;
       }(),
       0, tagged, static_cast<std::uint32_t>(tagged.size())},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.what);
    const TempDir folder;
    const std::string path = folder.write("c.pcapng", written_by([&](PcapngWriter& writer) {
                                            writer.interface("br0/vnet0", "VM dc1", row.snaplen);
                                            writer.frame(0, row.frame, Direction::out, row.snaplen);
                                            writer.statistics(0, 9, 1, 0);
                                          }));
    auto source = open_capture_file(path);
    ASSERT_TRUE(source) << source.error().text();
    std::vector<Frame> batch(4);
    const auto n = (*source)->next(batch, 0);
    ASSERT_TRUE(n) << n.error().text();
    ASSERT_EQ(*n, 1U);
    EXPECT_EQ(Buffer(batch[0].bytes.begin(), batch[0].bytes.end()), row.bytes);
    EXPECT_EQ(batch[0].wire_size, row.wire_size);
    EXPECT_EQ(batch[0].time, row.frame.time);
    EXPECT_TRUE((*source)->warnings().empty());
  }
}

TEST(PcapngWriter, AFailedSinkIsTheErrorOfFlush) {
  PcapngWriter writer([](Bytes) -> Result<void> { return fail(Error::Kind::exhausted, "full"); });
  writer.interface("a", "", 0);
  const auto flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().what, "full");
}

}  // namespace
}  // namespace vmirror
