#include "agent/capture/byte_source.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace vmirror {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Maps the whole file, but has only a few MiB of it in memory: pages are read in ahead of the
/// reader, which also finds a shortened file before the reader would be killed by it, and given
/// back behind it.
class MappedFile : public ByteSource {
 public:
  MappedFile(std::string path, std::uint8_t* begin, std::size_t size)
      : path_(std::move(path)), begin_(begin), size_(size) {
    madvise(begin_, size_, MADV_SEQUENTIAL);
  }
  ~MappedFile() override { munmap(begin_, size_); }

  Result<Bytes> window(std::size_t want) override {
    if (at_ + want > ready_ && ready_ < size_) {
      give_back();
      const std::size_t from = ready_;
      ready_ = std::min(size_, (at_ + want + kStep) / kStep * kStep);
      const bool gone = madvise(begin_ + from, ready_ - from, MADV_POPULATE_READ) != 0 &&
                        (errno == EFAULT || errno == EHWPOISON);
      if (gone)
        return fail(Error::Kind::unreachable, "the file became shorter, or its disk fails", path_,
                    "read a copy that nobody writes to");
    }
    return Bytes(begin_ + at_, ready_ - at_);
  }
  Result<void> skip(std::uint64_t bytes) override {
    at_ += std::min<std::uint64_t>(bytes, size_ - at_);
    ready_ = std::max(ready_, at_ / kStep * kStep);
    return {};
  }

 private:
  static constexpr std::size_t kStep = 2 << 20;

  void give_back() {
    const std::size_t done = at_ / kStep * kStep;
    if (done <= given_back_) return;
    madvise(begin_ + given_back_, done - given_back_, MADV_DONTNEED);
    given_back_ = done;
  }

  std::string path_;
  std::uint8_t* begin_;
  std::size_t size_;
  std::size_t at_ = 0;
  std::size_t ready_ = 0;       ///< Pages up to here are in memory.
  std::size_t given_back_ = 0;  ///< Pages up to here are not needed again.
};

/// Reads a descriptor through a buffer, unpacking where it begins as gzip (RFC 1952), members one
/// after another.
class Stream : public ByteSource {
 public:
  Stream(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {
    unpacker_.zalloc = nullptr;
    unpacker_.zfree = nullptr;
    unpacker_.opaque = nullptr;
    unpacker_.next_in = nullptr;
    unpacker_.avail_in = 0;
  }
  ~Stream() override {
    if (packed_) inflateEnd(&unpacker_);
  }

  Result<void> begin() {
    if (auto filled = fill_input(); !filled) return tl::unexpected(filled.error());
    packed_ = input_.size() >= 2 && input_[0] == 0x1f && input_[1] == 0x8b;
    if (packed_ && inflateInit2(&unpacker_, 16 + MAX_WBITS) != Z_OK)
      return fail(Error::Kind::internal, "zlib does not start", path_);
    return {};
  }

  Result<Bytes> window(std::size_t want) override {
    if (end_ - at_ < want) {
      if (at_ > 0) std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
      end_ -= at_;
      at_ = 0;
      if (buffer_.size() < std::max(want, kBuffer)) buffer_.resize(std::max(want, kBuffer));
      while (end_ < want && !done_) {
        const auto more = packed_ ? unpack() : copy();
        if (!more) return tl::unexpected(more.error());
      }
    }
    return Bytes(buffer_.data() + at_, end_ - at_);
  }
  Result<void> skip(std::uint64_t bytes) override {
    while (bytes > 0) {
      const auto step = std::min<std::uint64_t>(bytes, end_ - at_);
      at_ += step;
      bytes -= step;
      if (bytes == 0) return {};
      const auto more = window(1);
      if (!more) return tl::unexpected(more.error());
      if (more->empty()) return {};
    }
    return {};
  }
  bool cut_off() const override { return cut_off_; }

 private:
  static constexpr std::size_t kBuffer = 256 << 10;
  static constexpr std::size_t kInput = 64 << 10;

  Result<void> fill_input() {
    input_.resize(kInput);
    ssize_t n;
    do n = read(file_.get(), input_.data(), kInput);
    while (n < 0 && errno == EINTR);
    input_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    taken_ = 0;
    if (n < 0) return fail(Error::Kind::unreachable, std::strerror(errno), path_);
    return {};
  }

  Result<void> copy() {
    if (taken_ == input_.size()) {
      if (auto filled = fill_input(); !filled) return filled;
      done_ = input_.empty();
    }
    const std::size_t n = std::min(input_.size() - taken_, buffer_.size() - end_);
    std::memcpy(buffer_.data() + end_, input_.data() + taken_, n);
    end_ += n;
    taken_ += n;
    return {};
  }

  Result<void> unpack() {
    if (taken_ == input_.size()) {
      if (auto filled = fill_input(); !filled) return filled;
      if (input_.empty()) {
        done_ = true;
        cut_off_ = !between_members_;
        return {};
      }
    }
    if (between_members_ && input_[taken_] != 0x1f) {  // Padding behind the last member.
      done_ = true;
      return {};
    }
    between_members_ = false;
    unpacker_.next_in = input_.data() + taken_;
    unpacker_.avail_in = static_cast<uInt>(input_.size() - taken_);
    unpacker_.next_out = buffer_.data() + end_;
    unpacker_.avail_out = static_cast<uInt>(buffer_.size() - end_);
    const int status = inflate(&unpacker_, Z_NO_FLUSH);
    taken_ = input_.size() - unpacker_.avail_in;
    end_ = buffer_.size() - unpacker_.avail_out;
    if (status == Z_STREAM_END) {
      between_members_ = true;
      inflateReset(&unpacker_);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return fail(Error::Kind::invalid, "the compressed data is corrupt", path_,
                  "what came before it stands; fetch the file again");
    }
    return {};
  }

  std::string path_;
  Descriptor file_;
  z_stream unpacker_;
  bool packed_ = false;
  bool between_members_ = false;
  bool done_ = false;
  bool cut_off_ = false;
  std::vector<std::uint8_t> input_;  ///< As read; `taken_` of it are done with.
  std::size_t taken_ = 0;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_ = 0, end_ = 0;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> open_bytes(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (file.get() < 0 || fstat(file.get(), &info) != 0) {
    const auto kind = errno == ENOENT   ? Error::Kind::missing
                      : errno == EACCES ? Error::Kind::refused
                                        : Error::Kind::unreachable;
    return fail(kind, std::strerror(errno), path, "name a capture file that can be read");
  }
  if (S_ISDIR(info.st_mode))
    return fail(Error::Kind::invalid, "is a directory", path, "name a capture file in it");
  const bool regular = S_ISREG(info.st_mode);
  if (regular && info.st_size == 0)
    return fail(Error::Kind::invalid, "is empty", path,
                "capture again: not even a header was written");
  std::uint8_t magic[2] = {};
  const bool packed =
      regular && pread(file.get(), magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
  if (regular && !packed) {
    const auto size = static_cast<std::size_t>(info.st_size);
    void* begin = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
    if (begin != MAP_FAILED)
      return std::make_unique<MappedFile>(path, static_cast<std::uint8_t*>(begin), size);
  }
  auto stream = std::make_unique<Stream>(path, std::move(file));
  if (auto begun = stream->begin(); !begun) return tl::unexpected(begun.error());
  return stream;
}

}  // namespace vmirror
