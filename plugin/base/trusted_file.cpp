#include "plugin/base/trusted_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "plugin/base/unix_socket.hpp"

namespace vmirror {
namespace {

Time time_of(const timespec& t) {
  return t.tv_sec * kSecond + t.tv_nsec;
}

}  // namespace

FileState FileState::of(const struct stat& s) {
  return {s.st_dev,           s.st_ino,           static_cast<std::uint64_t>(s.st_size),
          time_of(s.st_mtim), time_of(s.st_ctim), s.st_uid};
}

FileState FileState::of(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? of(s) : FileState{};
}

Result<void> check_trusted(const struct stat& s, const std::string& path) {
  if (s.st_uid != 0 && s.st_uid != ::geteuid())
    return fail(Error::Kind::refused, "belongs to user " + std::to_string(s.st_uid), path,
                "give it to root, or to the daemon's user: chown root " + path);
  if ((s.st_mode & S_IWOTH) != 0)
    return fail(Error::Kind::refused, "every user may write it", path, "chmod o-w " + path);
  return {};
}

Result<std::string> read_trusted(const std::string& path, std::size_t most) {
  const auto missing = [&path](int error) {
    return fail(Error::Kind::missing, std::string("can't be read: ") + std::strerror(error), path,
                "check the path and its permissions");
  };
  const Fd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat s {};
  if (fd.get() < 0 || ::fstat(fd.get(), &s) != 0) return missing(errno);
  if (!S_ISREG(s.st_mode))
    return fail(Error::Kind::refused, "is no regular file", path, "put a file in its place");
  if (const auto good = check_trusted(s, path); !good) return tl::unexpected(good.error());
  // A bound may be many times the file's size, and a file may grow meanwhile.
  std::string text(std::min(most, static_cast<std::size_t>(s.st_size)) + 1, '\0');
  std::size_t size = 0;
  for (;;) {
    if (size == text.size()) {
      if (size > most) break;
      text.resize(std::min(most + 1, 2 * size));
    }
    const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return missing(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > most)
    return fail(Error::Kind::exhausted, "more than " + std::to_string(most) + " bytes", path,
                "split it");
  text.resize(size);
  return text;
}

}  // namespace vmirror
