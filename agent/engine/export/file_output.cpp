// A file that lines are appended to, with rotation. It never keeps half a line: where the disk is
// full in the middle of one, the file is cut back to the last whole line.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/engine/export/output.hpp"

namespace vmirror {
namespace {

std::string remedy_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "free space on its disk; writing goes on by itself";
    case EFBIG:
      return "raise the limit of file size, or rotate earlier";
    case ENXIO:
    case EPIPE:
      return "start its reader";
    case ENOENT:
      return "create its folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "let the daemon's user write there";
    default:
      return "";
  }
}

class File final : public LineOutput {
 public:
  explicit File(FileOutput options) : options_(std::move(options)) {}
  ~File() override { close(); }

  Attempt write(std::string_view text) override {
    Attempt attempt;
    if (fd_ < 0) attempt.error = open();
    if (attempt.error) return attempt;
    std::string_view part = fitting(text);
    if (part.empty()) {
      attempt.error = rotate();
      if (attempt.error) return attempt;
      ++attempt.rotations;
      part = fitting(text);
    }
    append(part, attempt);
    return attempt;
  }

  void reopen() override { close(); }

  std::optional<Error> open() {
    close();
    struct stat st {};
    regular_ = ::stat(options_.path.c_str(), &st) != 0 || S_ISREG(st.st_mode);
    // A pipe that we could read ourselves would never tell that its reader went away; and where it
    // has none yet, to open it would wait.
    const int how = regular_ ? O_RDWR | O_CREAT : O_WRONLY | O_NONBLOCK;
    fd_ = ::open(options_.path.c_str(), how | O_APPEND | O_CLOEXEC, 0640);
    if (fd_ < 0) return error("can't be opened", errno);
    if (!regular_) ::fcntl(fd_, F_SETFL, O_APPEND);
    if (::fstat(fd_, &st) != 0) return error("can't be opened", errno);
    size_ = regular_ ? static_cast<std::uint64_t>(st.st_size) : 0;
    // A machine that stopped in the middle of a line: ours must not be glued to it.
    char last = '\n';
    if (size_ > 0 && ::pread(fd_, &last, 1, static_cast<off_t>(size_ - 1)) == 1 && last != '\n' &&
        ::write(fd_, "\n", 1) == 1)
      ++size_;
    return std::nullopt;
  }

 private:
  /// The whole lines at the front of `text` that the file may still take; an empty file takes one
  /// line of any length.
  std::string_view fitting(std::string_view text) const {
    if (options_.max_bytes == 0 || !regular_) return text;
    const std::uint64_t room = options_.max_bytes > size_ ? options_.max_bytes - size_ : 0;
    if (text.size() <= room) return text;
    if (room > 0) {
      const std::size_t end = text.rfind('\n', room - 1);
      if (end != text.npos) return text.substr(0, end + 1);
    }
    return size_ > 0 ? std::string_view{} : text.substr(0, text.find('\n') + 1);
  }

  void append(std::string_view part, Attempt& attempt) {
    std::size_t done = 0;
    while (done < part.size()) {
      const ssize_t n = ::write(fd_, part.data() + done, part.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        attempt.error = error("can't be written", errno);
        break;
      }
      done += static_cast<std::size_t>(n);
    }
    if (attempt.error) {
      const std::size_t end = part.substr(0, done).rfind('\n');
      done = end == part.npos ? 0 : end + 1;
      if (regular_ && ::ftruncate(fd_, static_cast<off_t>(size_ + done)) != 0)
        attempt.error->what += ", and half a line stays in it";
    }
    size_ += done;
    attempt.taken = attempt.written = done;
    attempt.lines = count_lines(part.substr(0, done));
    if (attempt.error) close();
  }

  /// path -> path.1 -> path.2 ...; each step is atomic, and a reader that follows the open file
  /// misses nothing.
  std::optional<Error> rotate() {
    const auto numbered = [&](int i) {
      return i == 0 ? options_.path : options_.path + "." + std::to_string(i);
    };
    for (int i = options_.keep - 1; i >= 0; --i)
      if (std::rename(numbered(i).c_str(), numbered(i + 1).c_str()) != 0 && errno != ENOENT)
        return error("can't be rotated", errno);
    if (options_.keep <= 0) ::unlink(options_.path.c_str());
    return open();
  }

  Error error(const std::string& what, int number) const {
    return {Error::Kind::refused, what + ": " + std::strerror(number), options_.path,
            remedy_of(number)};
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  FileOutput options_;
  int fd_ = -1;
  bool regular_ = true;
  std::uint64_t size_ = 0;
};

}  // namespace

Result<std::unique_ptr<LineOutput>> make_file_output(const FileOutput& options) {
  if (options.path.empty())
    return fail(Error::Kind::invalid, "an output file without a path", {}, "name a file");
  auto file = std::make_unique<File>(options);
  if (auto error = file->open()) return tl::unexpected<Error>(*error);
  return file;
}

}  // namespace vmirror
