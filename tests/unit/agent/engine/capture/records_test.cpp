// The readers of pcap and pcapng, on files made in memory: which frames come out, at what time, of
// which link type, and what is called corrupt.
#include "agent/engine/capture/records.hpp"

#include <gtest/gtest.h>

#include "agent/engine/capture/pcap.hpp"
#include "agent/engine/capture/pcapng.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

using namespace test;

const Buffer kFirst = udp_frame({}, counting(21));
const Buffer kArp = arp_frame({});
constexpr Time kTime = 1'700'000'000 * kSecond + 123'456'789;

struct Read {
  std::vector<Frame> frames;
  std::uint64_t unsupported = 0;
  std::string corrupt;
};
/// All of a file at once.
Read read(Bytes file) {
  Read out;
  auto reader = reader_for(file, 3);
  if (!reader) return out;
  std::vector<Frame> batch(16);
  const Progress p = reader->read(file, batch);
  out.frames.assign(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(p.frames));
  out.unsupported = p.unsupported;
  if (p.stop == Progress::Stop::corrupt) out.corrupt = p.what;
  return out;
}
Buffer bytes_of(const Frame& f) {
  return {f.bytes.begin(), f.bytes.end()};
}

TEST(Pcap, ReadsEveryForm) {
  for (const bool big_endian : {false, true})
    for (const bool nanoseconds : {false, true})
      for (const bool modified : {false, true}) {
        if (nanoseconds && modified) continue;
        const std::vector<Captured> frames = {{kTime, kFirst, 0}, {kTime + kSecond, kArp, 999}};
        const Buffer file = pcap(
            frames, {.big_endian = big_endian, .nanoseconds = nanoseconds, .modified = modified});
        const Read r = read(file);
        ASSERT_EQ(r.frames.size(), 2u);
        EXPECT_EQ(bytes_of(r.frames[0]), kFirst);
        EXPECT_EQ(r.frames[0].wire_size, kFirst.size());
        EXPECT_EQ(r.frames[0].time, nanoseconds ? kTime : kTime / 1000 * 1000);
        EXPECT_EQ(r.frames[0].input, 3);
        EXPECT_EQ(bytes_of(r.frames[1]), kArp);
        EXPECT_EQ(r.frames[1].wire_size, 999u);
        EXPECT_EQ(r.frames[0].number, 1u);
        EXPECT_EQ(r.frames[1].number, 2u);
      }
}

TEST(Pcap, KnowsTheLinkTypes) {
  const struct {
    std::uint32_t linktype;
    std::optional<LinkType> link;
  } cases[] = {{1, LinkType::ethernet},
               {101, LinkType::ip},
               {12, LinkType::ip},
               {14, LinkType::ip},
               {228, LinkType::ip},
               {229, LinkType::ip},
               {113, LinkType::linux_sll},
               {276, LinkType::linux_sll2},
               {0, LinkType::bsd_null},
               {108, LinkType::bsd_null},
               {105, {}},
               {147, {}},
               {0x24000001, LinkType::ethernet}};  // With an FCS length above the type.
  for (const auto& c : cases) {
    const Captured frames[] = {{kTime, kFirst, 0}, {kTime, kArp, 0}};
    const Buffer file = pcap(frames, {.linktype = c.linktype});
    const Read r = read(file);
    EXPECT_EQ(r.frames.size(), c.link ? 2u : 0u) << c.linktype;
    EXPECT_EQ(r.unsupported, c.link ? 0u : 2u) << c.linktype;
    if (c.link && !r.frames.empty()) {
      EXPECT_EQ(r.frames[0].link, *c.link) << c.linktype;
    }
  }
}

TEST(Pcap, AFrameCheckSequenceIsTakenOffWhereTheFileSaysSo) {
  const Buffer with_fcs = concat({kFirst, hex("01020304")});
  const struct {
    const char* what;
    std::uint32_t linktype;
    Buffer captured;
    std::uint32_t wire_size;  ///< 0: as captured
    std::size_t bytes, wire;
  } cases[] = {
      {"not told", 1, with_fcs, 0, with_fcs.size(), with_fcs.size()},
      {"a length that is not marked as told", 0x20000001, with_fcs, 0, with_fcs.size(),
       with_fcs.size()},
      {"two words", 0x24000001, with_fcs, 0, kFirst.size(), kFirst.size()},
      {"none", 0x04000001, kFirst, 0, kFirst.size(), kFirst.size()},
      {"half of it captured", 0x24000001, Buffer(with_fcs.begin(), with_fcs.end() - 2),
       static_cast<std::uint32_t>(with_fcs.size()), kFirst.size(), kFirst.size()},
      {"a frame that was cut", 0x24000001, Buffer(kFirst.begin(), kFirst.end() - 9),
       static_cast<std::uint32_t>(with_fcs.size()), kFirst.size() - 9, kFirst.size()},
      {"shorter than that", 0x24000001, hex("010203"), 0, 0, 0},
  };
  for (const auto& c : cases) {
    const Captured frames[] = {{kTime, c.captured, c.wire_size}};
    const Read r = read(pcap(frames, {.linktype = c.linktype}));
    ASSERT_EQ(r.frames.size(), 1u) << c.what;
    EXPECT_EQ(r.frames[0].bytes.size(), c.bytes) << c.what;
    EXPECT_EQ(r.frames[0].wire_size, c.wire) << c.what;
  }
}

TEST(Pcapng, AFrameCheckSequenceIsTakenOffWhereTheFileSaysSo) {
  const Buffer with_fcs = concat({kFirst, hex("01020304")});
  // An interface of Ethernet: any snaplen, if_fcslen of 4. The block: interface, time, sizes.
  const Buffer interface = hex("0100 0000 00000000 0d00 0100 04000000 0000 0000");
  const auto block = [&](const char* options) {
    const auto size = static_cast<std::uint8_t>(with_fcs.size());
    const Buffer padding((4 - size % 4) % 4);
    return concat({hex("00000000 00000000 00000000"), Buffer{size, 0, 0, 0, size, 0, 0, 0},
                   with_fcs, padding, hex(options)});
  };
  const struct {
    const char* what;
    Buffer file;
    std::size_t size;
  } cases[] = {
      {"the interface", Pcapng().section().block(1, interface).block(6, block("")).take(), 4},
      {"a simple packet", Pcapng().section().block(1, interface).simple(with_fcs).take(), 4},
      {"the packet's flags",
       Pcapng().section().interface().block(6, block("0200 0400 80000000 0000 0000")).take(), 4},
      {"flags that do not tell",
       Pcapng().section().block(1, interface).block(6, block("0200 0400 01000000")).take(), 4},
      {"nobody", Pcapng().section().interface().block(6, block("")).take(), 0},
      {"an option past the block",
       Pcapng().section().interface().block(6, block("0200 0400")).take(), 0},
  };
  for (const auto& c : cases) {
    const Read r = read(c.file);
    ASSERT_EQ(r.frames.size(), 1u) << c.what << ": " << r.corrupt;
    EXPECT_EQ(r.frames[0].bytes.size(), with_fcs.size() - c.size) << c.what;
    EXPECT_EQ(r.frames[0].wire_size, with_fcs.size() - c.size) << c.what;
  }
}

TEST(Pcap, CallsAHugeRecordCorruptAndKeepsWhatCameBefore) {
  const Captured frames[] = {{kTime, kFirst, 0}, {kTime, kArp, 0}};
  Buffer file = pcap(frames);
  file[24 + 16 + kFirst.size() + 10] = 0x20;  // The second record claims 2 MiB.
  const Read r = read(file);
  EXPECT_EQ(r.frames.size(), 1u);
  EXPECT_EQ(r.corrupt, "a record claims more than 1 MiB");
}

TEST(Pcap, StopsAtTheBatchAndGoesOn) {
  std::vector<Captured> frames;
  for (int i = 0; i < 10; ++i) frames.push_back({i, counting(20 + static_cast<std::size_t>(i)), 0});
  const Buffer file = pcap(frames);
  PcapReader reader(0);
  std::vector<Frame> batch(4);
  std::vector<std::size_t> counts;
  for (std::size_t at = 0; at < file.size();) {
    const Progress p = reader.read(Bytes(file).subspan(at), batch);
    counts.push_back(p.frames);
    at += p.consumed;
  }
  EXPECT_EQ(counts, (std::vector<std::size_t>{4, 4, 2}));
}

TEST(Records, GoOnWhereTheWindowEndedAtAnyByte) {
  const std::vector<Captured> frames = {{kTime, kFirst, 0}, {kTime, kArp, 0}};
  const Buffer files[] = {pcap(frames), Pcapng()
                                            .section(true)
                                            .interface()
                                            .enhanced(0, 1, kFirst)
                                            .block(99, counting(9))
                                            .simple(kArp)
                                            .take()};
  for (const Buffer& file : files) {
    for (std::size_t cut = 4; cut < file.size(); ++cut) {
      auto reader = reader_for(file, 0);
      std::vector<Frame> batch(4);
      const Progress first = reader->read(Bytes(file).first(cut), batch);
      ASSERT_EQ(first.stop, Progress::Stop::need_more) << cut;
      if (first.consumed <= cut) {
        EXPECT_GT(first.consumed + first.need, cut) << "asks for what is there already";
      }
      const Progress rest = reader->read(Bytes(file).subspan(first.consumed), batch);
      EXPECT_EQ(first.frames + rest.frames, 2u) << cut;
      EXPECT_EQ(first.consumed + rest.consumed, file.size()) << cut;
    }
  }
}

TEST(Pcapng, ReadsEveryPacketBlockInEitherByteOrder) {
  for (const bool big_endian : {false, true}) {
    Pcapng file;
    file.section(big_endian).interface(1).interface(101, 0, 9);
    file.enhanced(0, static_cast<std::uint64_t>(kTime / 1000), kFirst, 500);
    file.enhanced(1, static_cast<std::uint64_t>(kTime), ip_part(kFirst));
    file.obsolete(0, static_cast<std::uint64_t>(kTime / 1000), kArp);
    file.simple(kArp);
    const Buffer bytes = file.take();
    const Read r = read(bytes);
    ASSERT_EQ(r.corrupt, "");
    ASSERT_EQ(r.frames.size(), 4u);
    EXPECT_EQ(bytes_of(r.frames[0]), kFirst);
    EXPECT_EQ(r.frames[0].wire_size, 500u);
    EXPECT_EQ(r.frames[0].time, kTime / 1000 * 1000);
    EXPECT_EQ(r.frames[1].link, LinkType::ip);
    EXPECT_EQ(r.frames[1].time, kTime);
    EXPECT_EQ(bytes_of(r.frames[2]), kArp);
    EXPECT_EQ(r.frames[2].time, kTime / 1000 * 1000);
    EXPECT_EQ(bytes_of(r.frames[3]), kArp) << "the padding is not part of it";
    EXPECT_EQ(r.frames[3].time, kTime / 1000 * 1000) << "a simple packet has no time of its own";
    for (const Frame& f : r.frames) EXPECT_EQ(f.input, 3);
  }
}

TEST(Pcapng, ReadsTheClockOfEachInterface) {
  const struct {
    const char* name;
    std::optional<std::uint8_t> resolution;
    std::optional<std::int64_t> offset;
    std::uint64_t ticks;
    Time time;
  } cases[] = {
      {"microseconds unless told", {}, {}, 5'000'001, 5'000'001'000},
      {"seconds", 0, {}, 7, 7 * kSecond},
      {"milliseconds", 3, {}, 7, 7 * kMillisecond},
      {"nanoseconds", 9, {}, 7, 7},
      {"picoseconds", 12, {}, 7999, 7},
      {"10^-127", 127, {}, 7, 0},
      {"1/1024 s", 0x8a, {}, 1536, 1'500'000'000},
      {"2^-32 s, as NTP", 0xa0, {}, 0x1'8000'0000, 1'500'000'000},
      {"2^-64 s", 0xc0, {}, 7, 0},
      {"an offset", 9, 100, 7, 100 * kSecond + 7},
      {"an offset before the epoch", 0, -5, 7, 2 * kSecond},
  };
  for (const auto& c : cases) {
    for (const bool big_endian : {false, true}) {
      const Buffer file = Pcapng()
                              .section(big_endian)
                              .interface(1, 0, c.resolution, c.offset)
                              .enhanced(0, c.ticks, kFirst)
                              .take();
      const Read r = read(file);
      ASSERT_EQ(r.frames.size(), 1u) << c.name;
      EXPECT_EQ(r.frames[0].time, c.time) << c.name;
    }
  }
}

TEST(Pcapng, ASectionHasItsOwnInterfacesAndByteOrder) {
  Pcapng file;
  file.section(false).interface(147).enhanced(0, 1, kFirst);
  file.section(true).interface(1).enhanced(0, 2, kArp);
  const Buffer bytes = file.take();
  const Read r = read(bytes);
  EXPECT_EQ(r.unsupported, 1u);
  ASSERT_EQ(r.frames.size(), 1u);
  EXPECT_EQ(bytes_of(r.frames[0]), kArp);
}

TEST(Pcapng, ASimplePacketEndsAtTheSnaplen) {
  Buffer cut(kFirst.begin(), kFirst.begin() + 32);
  const Buffer file = Pcapng().section().interface(1, 30).simple(cut, 63).take();
  const Read r = read(file);
  ASSERT_EQ(r.frames.size(), 1u);
  EXPECT_EQ(r.frames[0].bytes.size(), 30u);
  EXPECT_EQ(r.frames[0].wire_size, 63u);
}

TEST(Pcapng, NamesWhatIsCorrupt) {
  const auto good = [] { return Pcapng().section().interface(); };
  Buffer lengths = good().enhanced(0, 1, kFirst).take();
  lengths.back() = 1;
  Buffer magic = Pcapng().section().take();
  magic[8] = 0;
  const struct {
    Buffer file;
    const char* what;
  } cases[] = {
      {good().enhanced(1, 1, kFirst).take(), "a packet of an interface that is not described"},
      {Pcapng().section().simple(kFirst).take(), "a packet of an interface that is not described"},
      {good().block(6, hex("00000000 00000000 00000000 ff000000 ff000000 11")).take(),
       "a packet longer than its block"},
      {good().block(6, counting(16)).take(), "a packet block too short"},
      {good().block(3, {}).take(), "a simple packet too short"},
      {good().block(1, counting(4)).take(), "an interface description too short"},
      {good().block(1, hex("0100 0000 00000000 0900 ff00")).take(), "an option past its block"},
      {Pcapng().section(false, 2).take(), "a section of an unknown version"},
      {concat({good().take(), hex("06000000 08000000 00000000")}),
       "a block of an impossible length"},
      {concat({good().take(), hex("06000000 0d000000 00000000")}),
       "a block of an impossible length"},
      {concat({good().take(), hex("06000000 00000010 00000000")}),
       "a block claims more than 16 MiB"},
      {lengths, "a block whose lengths differ"},
      {magic, "a section without the byte-order magic"},
  };
  for (const auto& c : cases) EXPECT_EQ(read(c.file).corrupt, c.what);
}

TEST(Pcapng, BoundsTheInterfacesOfASection) {
  Pcapng file;
  file.section();
  for (std::size_t i = 0; i <= PcapngReader::kMaxInterfaces; ++i) file.interface();
  EXPECT_EQ(read(file.take()).corrupt, "more than 4096 interfaces");
}

}  // namespace
}  // namespace vmirror
