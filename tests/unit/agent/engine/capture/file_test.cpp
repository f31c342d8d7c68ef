// Capture files as a FrameSource: plain and compressed, whole and broken.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/engine/capture/capture.hpp"
#include "tests/support/captures.hpp"

namespace vmirror {
namespace {

using namespace test;
using Kind = Error::Kind;

/// What a source gave until it ended.
struct Ending {
  std::vector<Buffer> frames;
  std::optional<Error> error;
  std::uint64_t truncated = 0, unsupported = 0;
  std::uint32_t last_number = 0;
  std::vector<std::string> warnings;
};
Ending drain(FrameSource& source, std::size_t batch_size = 7) {
  Ending out;
  std::vector<Frame> batch(batch_size);
  while (!source.finished()) {
    const auto n = source.next(batch, 0);
    if (!n) {
      out.error = n.error();
      continue;
    }
    for (std::size_t i = 0; i < *n; ++i) {
      out.frames.emplace_back(batch[i].bytes.begin(), batch[i].bytes.end());
      out.last_number = batch[i].number;
    }
  }
  out.truncated = source.dropped()[static_cast<std::size_t>(Drop::capture_truncated)];
  out.unsupported = source.dropped()[static_cast<std::size_t>(Drop::unsupported_link)];
  out.warnings.assign(source.warnings().begin(), source.warnings().end());
  return out;
}
Ending drain(const std::string& path) {
  auto source = open_capture_file(path);
  if (source) return drain(**source);
  Ending out;
  out.error = source.error();
  return out;
}

std::vector<Captured> many(std::size_t count) {
  std::vector<Captured> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({static_cast<Time>(i), udp_frame({}, counting(i * 37 % 1400)), 0});
  return out;
}
std::vector<Buffer> frames_of(const std::vector<Captured>& captured) {
  std::vector<Buffer> out;
  for (const Captured& c : captured) out.push_back(c.bytes);
  return out;
}

TEST(CaptureFile, GivesTheSameFramesPlainCompressedAndThroughAPipe) {
  const TempDir dir;
  const auto captured = many(9000);  // 6 MB: more than any buffer.
  Buffer file = pcap({});
  {
    PcapFile out(dir / "plain.pcap");
    for (const Captured& c : captured) out.write(c.time, c.bytes);
  }
  std::FILE* in = std::fopen((dir / "plain.pcap").c_str(), "rb");
  file.resize(std::filesystem::file_size(dir / "plain.pcap"));
  ASSERT_EQ(std::fread(file.data(), 1, file.size(), in), file.size());
  std::fclose(in);
  const Ending plain = drain(dir / "plain.pcap");
  EXPECT_FALSE(plain.error);
  EXPECT_EQ(plain.frames, frames_of(captured));
  EXPECT_EQ(plain.last_number, captured.size());
  EXPECT_TRUE(plain.warnings.empty());

  const Ending packed = drain(dir.write("packed.pcap.gz", gzip(file)));
  EXPECT_FALSE(packed.error);
  EXPECT_EQ(packed.frames, plain.frames);
  EXPECT_TRUE(packed.warnings.empty());

  const Bytes half = Bytes(file).first(file.size() / 2);
  const Buffer members = concat({gzip(half), gzip(Bytes(file).subspan(half.size()))});
  EXPECT_EQ(drain(dir.write("members.gz", members)).frames, plain.frames)
      << "members one after another";

  const std::string command = "cat " + (dir / "plain.pcap");
  std::FILE* pipe = popen(command.c_str(), "r");
  const Ending piped = drain("/dev/fd/" + std::to_string(fileno(pipe)));
  EXPECT_EQ(piped.frames, plain.frames);
  pclose(pipe);
}

TEST(CaptureFile, CutAtEveryByteGivesWhatCameBefore) {
  const TempDir dir;
  const auto captured = many(4);
  for (const bool compressed : {false, true}) {
    const Buffer whole = pcap(captured);
    std::size_t end = 24, frames = 0;
    std::vector<std::size_t> ends;
    for (const Captured& c : captured) ends.push_back(end += 16 + c.bytes.size());
    for (std::size_t size = 24; size < whole.size(); ++size) {
      while (frames < ends.size() && ends[frames] <= size) ++frames;
      const bool at_a_record = size == 24 || (frames > 0 && ends[frames - 1] == size);
      const Bytes cut = Bytes(whole).first(size);
      const Ending e =
          drain(dir.write("cut", compressed ? gzip(cut) : Buffer(cut.begin(), cut.end())));
      EXPECT_FALSE(e.error) << size;
      EXPECT_EQ(e.frames.size(), frames) << size;
      EXPECT_EQ(e.truncated, at_a_record ? 0u : 1u) << size;
      EXPECT_EQ(e.warnings.size(), at_a_record ? 0u : 1u) << size;
    }
  }
}

TEST(CaptureFile, ACompressedFileCutAnywhereIsReadAsFarAsItGoes) {
  const TempDir dir;
  const auto captured = many(400);
  const Buffer packed = gzip(pcap(captured));
  std::size_t most = 0;
  for (std::size_t size = 1; size < packed.size(); size += 97) {
    const Ending e = drain(dir.write("cut.gz", Bytes(packed).first(size)));
    if (e.error) {
      EXPECT_EQ(e.error->kind, Kind::invalid) << size;  // Not even a header.
    } else {
      EXPECT_EQ(e.warnings.size(), 1u) << size;
      EXPECT_GE(e.frames.size(), most);
      most = e.frames.size();
    }
  }
  EXPECT_GT(most, 300u);
}

TEST(CaptureFile, SaysWhatIsWrongWithAFileThatIsNone) {
  const TempDir dir;
  const struct {
    std::string path;
    Kind kind;
    const char* what;
  } cases[] = {
      {dir / "nothing", Kind::missing, "No such file or directory"},
      {dir / ".", Kind::invalid, "is a directory"},
      {dir.write("empty", {}), Kind::invalid, "is empty"},
      {dir.write("text", text("hello, this is no capture file")), Kind::invalid,
       "is no pcap or pcapng file"},
      {dir.write("short", hex("a1b2c3d4 0002")), Kind::invalid, "ends within its header"},
      {dir.write("one", hex("a1")), Kind::invalid, "is no pcap or pcapng file"},
      {dir.write("gz", gzip(text("hello"))), Kind::invalid, "is no pcap or pcapng file"},
      {dir.write("bad.gz", hex("1f8b 0800 0000 0000 0003 ffff ffff ffff ffff")), Kind::invalid,
       "the compressed data is corrupt"},
  };
  for (const auto& c : cases) {
    const auto source = open_capture_file(c.path);
    ASSERT_FALSE(source) << c.path;
    EXPECT_EQ(source.error().kind, c.kind) << c.path;
    EXPECT_EQ(source.error().what, c.what) << c.path;
    EXPECT_EQ(source.error().where, c.path);
    EXPECT_NE(source.error().remedy, "") << c.path;
  }
}

TEST(CaptureFile, NamesTheByteWhereItIsCorruptAfterGivingWhatCameBefore) {
  const TempDir dir;
  const auto captured = many(5);
  Buffer file = pcap(captured);
  const std::size_t fourth =
      24 + 3 * 16 + captured[0].bytes.size() + captured[1].bytes.size() + captured[2].bytes.size();
  store_be32(file.data() + fourth + 8, 0xffffffff);
  const std::string path = dir.write("corrupt", file);
  const Ending e = drain(path);
  EXPECT_EQ(e.frames.size(), 3u);
  ASSERT_TRUE(e.error);
  EXPECT_EQ(e.error->kind, Kind::invalid);
  EXPECT_EQ(e.error->where, path + ", byte " + std::to_string(fourth));
}

TEST(CaptureFile, CountsFramesOfOtherLinkTypesAndSkipsLongBlocks) {
  const TempDir dir;
  const auto captured = many(3);
  const Ending wlan = drain(dir.write("wlan", pcap(captured, {.linktype = 105})));
  EXPECT_EQ(wlan.unsupported, 3u);
  ASSERT_TRUE(wlan.error) << "nothing of it could be read";
  EXPECT_NE(wlan.error->what.find("3 of link type 105 (IEEE802_11)"), std::string::npos)
      << wlan.error->text();
  Pcapng file;
  file.section().interface(105).interface(1);
  file.enhanced(0, 1, counting(20)).block(0x0bad, Buffer(3 << 20)).enhanced(1, 2, counting(64));
  const Buffer bytes = file.take();
  for (const Buffer& form : {bytes, gzip(bytes)}) {
    const Ending e = drain(dir.write("mixed.pcapng", form));
    EXPECT_EQ(e.unsupported, 1u);
    EXPECT_EQ(e.frames, std::vector<Buffer>(1, counting(64)));
    EXPECT_EQ(e.last_number, 2u) << "the frame of another link type has a number, too";
  }
}

TEST(CaptureFile, EndsWhereAFileEndsThatBecomesShorterMeanwhile) {
  const TempDir dir;
  const std::string path = dir / "shrinks";
  {
    PcapFile out(path);
    for (int i = 0; i < 6000; ++i) out.write(i, counting(1500));
  }
  auto source = open_capture_file(path);
  ASSERT_TRUE(source);
  std::vector<Frame> batch(8);
  ASSERT_TRUE((*source)->next(batch, 0));
  std::filesystem::resize_file(path, 4 << 20);
  const Ending e = drain(**source, 64);
  EXPECT_FALSE(e.error);
  EXPECT_EQ(e.frames.size() + batch.size(), std::size_t{4 << 20} / 1516);
  EXPECT_EQ(e.truncated, 1u);
}

TEST(CaptureFile, WritesAWrappedCopyThatReadsBack) {
  const TempDir dir;
  const auto captured = many(20);
  dir.write("in", pcap(captured));
  const auto written = wrap_capture(dir / "in", dir / "out", wrapping("vxlan"));
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, 20u);
  const auto back = read_capture(dir / "out");
  ASSERT_TRUE(back);
  EXPECT_EQ((*back)[3].bytes, wrapping("vxlan").wrap(captured[3].bytes, 3).front());
}

/// Captures of others, where they are at hand: every one is read to its end or to a named error.
TEST(CaptureFile, ReadsTheCapturesOfOthers) {
  const auto paths = shared_captures();
  if (paths.empty()) GTEST_SKIP() << "no ../shared/captures here";
  std::size_t files = 0, frames = 0, left_out = 0;
  for (const std::string& path : paths) {
    const Ending e = drain(path);
    ++files;
    left_out += e.unsupported + e.truncated;
    frames += e.frames.size();
    if (e.error) {
      EXPECT_TRUE(e.error->kind == Kind::invalid || e.error->kind == Kind::unsupported)
          << e.error->text();
      std::cout << e.error->text() << "\n";
    }
    for (const auto& warning : e.warnings) std::cout << warning << "\n";
    if (e.unsupported > 0) std::cout << path << ": link type not read\n";
  }
  std::cout << files << " captures, " << frames << " frames, " << left_out << " left out\n";
  EXPECT_GT(frames, files);
}

}  // namespace
}  // namespace vmirror
