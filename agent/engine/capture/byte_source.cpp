#include "agent/engine/capture/byte_source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vmirror {
namespace {

constexpr std::size_t kBuffer = 256 << 10;  // Fits the second-level cache.
constexpr std::size_t kPacked = 64 << 10;

Error::Kind kind_of(int error) {
  return error == ENOENT   ? Error::Kind::missing
         : error == EACCES ? Error::Kind::refused
                           : Error::Kind::unreachable;
}

}  // namespace

Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return fail(kind_of(errno), std::strerror(errno), path, "name a capture file that can be read");
  std::unique_ptr<ByteSource> out(new ByteSource(path, file));
  struct stat info {};
  if (fstat(file, &info) != 0) return fail(Error::Kind::unreachable, std::strerror(errno), path);
  if (S_ISDIR(info.st_mode))
    return fail(Error::Kind::invalid, "is a directory", path, "name a capture file in it");
  if (S_ISREG(info.st_mode) && info.st_size == 0)
    return fail(Error::Kind::invalid, "is empty", path,
                "capture again: not even a header was written");
  posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
  if (auto begun = out->begin(); !begun) return tl::unexpected(begun.error());
  return out;
}

ByteSource::~ByteSource() {
  if (packed_) inflateEnd(&unpacker_);
  close(file_);
}

/// Tells by the first bytes whether the file is packed.
Result<void> ByteSource::begin() {
  buffer_.resize(kBuffer);
  while (end_ < 2 && !done_) {
    if (auto got = more(); !got) return got;
  }
  if (end_ < 2 || buffer_[0] != 0x1f || buffer_[1] != 0x8b) return {};
  if (inflateInit2(&unpacker_, 16 + MAX_WBITS) != Z_OK)
    return fail(Error::Kind::internal, "zlib does not start", path_);
  packed_ = true;
  packed_bytes_.assign(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(end_));
  unpacker_.next_in = packed_bytes_.data();
  unpacker_.avail_in = static_cast<uInt>(end_);
  end_ = 0;
  return {};
}

Result<Bytes> ByteSource::window(std::size_t want) {
  if (end_ - at_ < want && !done_) {
    if (at_ > 0) std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
    end_ -= at_;
    at_ = 0;
    if (buffer_.size() < want) buffer_.resize(want);
    while (end_ < want && !done_) {
      const auto got = packed_ ? unpack() : more();
      if (!got) return tl::unexpected(got.error());
    }
  }
  return Bytes(buffer_.data() + at_, end_ - at_);
}

Result<void> ByteSource::skip(std::uint64_t bytes) {
  for (;;) {
    const auto step = std::min<std::uint64_t>(bytes, end_ - at_);
    at_ += step;
    bytes -= step;
    if (bytes == 0) return {};
    const auto next = window(1);
    if (!next) return tl::unexpected(next.error());
    if (next->empty()) return {};
  }
}

/// 0 at the end.
Result<std::size_t> ByteSource::fill(std::uint8_t* to, std::size_t room) {
  ssize_t n;
  do n = read(file_, to, room);
  while (n < 0 && errno == EINTR);
  if (n < 0) return fail(Error::Kind::unreachable, std::strerror(errno), path_);
  return static_cast<std::size_t>(n);
}

Result<void> ByteSource::more() {
  const auto n = fill(buffer_.data() + end_, buffer_.size() - end_);
  if (!n) return tl::unexpected(n.error());
  done_ = *n == 0;
  end_ += *n;
  return {};
}

/// RFC 1952, members one after another.
Result<void> ByteSource::unpack() {
  if (unpacker_.avail_in == 0) {
    packed_bytes_.resize(std::max(packed_bytes_.size(), kPacked));
    const auto n = fill(packed_bytes_.data(), packed_bytes_.size());
    if (!n) return tl::unexpected(n.error());
    unpacker_.next_in = packed_bytes_.data();
    unpacker_.avail_in = static_cast<uInt>(*n);
    if (*n == 0) {
      done_ = true;
      cut_off_ = !between_members_;
      return {};
    }
  }
  if (between_members_ && unpacker_.next_in[0] != 0x1f) {  // Padding behind the last member.
    done_ = true;
    return {};
  }
  between_members_ = false;
  unpacker_.next_out = buffer_.data() + end_;
  unpacker_.avail_out = static_cast<uInt>(buffer_.size() - end_);
  const int status = inflate(&unpacker_, Z_NO_FLUSH);
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

}  // namespace vmirror
