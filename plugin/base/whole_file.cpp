#include "plugin/base/whole_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace vmirror {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

bool replace_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool done = write_all(fd, text) && ::fsync(fd) == 0;
  ::close(fd);
  done = done && ::rename(fresh.c_str(), path.c_str()) == 0;
  if (!done) {
    const int why = errno;
    ::unlink(fresh.c_str());
    errno = why;
  }
  return done;
}

}  // namespace vmirror
