// A capture file as a FrameSource: bytes from byte_source, records from pcap and pcapng.
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "agent/engine/capture/byte_source.hpp"
#include "agent/engine/capture/capture.hpp"
#include "agent/engine/capture/link.hpp"
#include "agent/engine/capture/records.hpp"
#include "agent/model/number_counts.hpp"

namespace vmirror {
namespace {

class FileSource : public FrameSource {
 public:
  FileSource(std::string path, std::unique_ptr<ByteSource> bytes,
             std::unique_ptr<RecordReader> reader)
      : path_(std::move(path)), bytes_(std::move(bytes)), reader_(std::move(reader)) {}

  Result<std::size_t> next(std::span<Frame> batch, int) override {
    if (error_) {
      finished_ = true;
      return tl::unexpected(*error_);
    }
    while (!finished_) {
      auto moved = bytes_->skip(std::exchange(shown_, 0));
      if (!moved) return give_up(moved.error());
      const auto window = bytes_->window(need_);
      if (!window) return give_up(window.error());
      if (window->size() < need_) {
        end(window->size());
        if (error_) return give_up(*error_);
        break;
      }
      const Progress progress = reader_->read(*window, batch);
      count(Drop::unsupported_link, progress.unsupported);
      if (progress.unsupported > 0) foreign_.count(progress.linktype, progress.unsupported);
      frames_ += progress.frames;
      shown_ = progress.consumed;
      position_ += progress.consumed;
      need_ = progress.stop == Progress::Stop::need_more ? progress.need : 1;
      if (progress.stop == Progress::Stop::corrupt)
        error_ = Error{Error::Kind::invalid, std::string("corrupt: ") + progress.what,
                       path_ + ", byte " + std::to_string(position_),
                       "what came before it stands; capture again, or cut the file there"};
      if (progress.frames > 0 || batch.empty()) return progress.frames;
      if (error_) return give_up(*error_);
    }
    return 0;
  }

  bool finished() const override { return finished_; }
  std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
  std::span<const std::string> warnings() const override { return warnings_; }

 private:
  void count(Drop kind, std::uint64_t frames) {
    dropped_[static_cast<std::size_t>(kind)] += frames;
  }
  tl::unexpected<Error> give_up(Error error) {
    finished_ = true;
    error_ = std::move(error);
    return tl::unexpected(*error_);
  }
  /// `left`: bytes behind the last whole record.
  void end(std::size_t left) {
    finished_ = true;
    if (left > 0) count(Drop::capture_truncated, 1);
    if (left > 0 || bytes_->cut_off())
      warnings_.push_back(path_ + ": ends within a record, at byte " + std::to_string(position_));
    if (!foreign_.counts().empty()) tell_foreign();
  }

  /// The records of link types that are not read: an error where there was nothing else.
  void tell_foreign() {
    std::string types;
    for (const auto& [linktype, records] : foreign_.counts())
      types += (types.empty() ? "" : ", ") + std::to_string(records) + " of link type " +
               linktype_text(linktype);
    const std::string what = "records that are not read: " + types;
    if (frames_ == 0)
      error_ = Error{Error::Kind::unsupported, what, path_,
                     "capture on an Ethernet interface, or convert the file to Ethernet or IP"};
    else
      warnings_.push_back(path_ + ": " + what);
  }

  std::string path_;
  std::unique_ptr<ByteSource> bytes_;
  std::unique_ptr<RecordReader> reader_;
  std::uint64_t shown_ = 0;     ///< Bytes of the window that the last batch borrows.
  std::uint64_t position_ = 0;  ///< In the file, or in what it unpacks to.
  std::size_t need_ = 1;
  bool finished_ = false;
  std::optional<Error> error_;
  std::array<std::uint64_t, kDropKinds> dropped_{};
  std::vector<std::string> warnings_;
  NumberCounts foreign_;      ///< Records left out, by link type.
  std::uint64_t frames_ = 0;  ///< Read so far.
};

}  // namespace

Result<std::unique_ptr<FrameSource>> open_capture_file(const std::string& path,
                                                       FileOptions options) {
  constexpr std::size_t kSmallest = 24;  // A pcap header; the smallest pcapng section has 28.
  auto bytes = ByteSource::open(path);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto first = (*bytes)->window(kSmallest);
  if (!first) return tl::unexpected(first.error());
  auto reader = reader_for(*first, options.input);
  if (!reader)
    return fail(Error::Kind::invalid, "is no pcap or pcapng file", path,
                "convert it with `editcap -F pcap`");
  if (first->size() < kSmallest)
    return fail(Error::Kind::invalid, "ends within its header", path,
                "capture again: the file holds no frame");
  return std::make_unique<FileSource>(path, std::move(*bytes), std::move(reader));
}

}  // namespace vmirror
