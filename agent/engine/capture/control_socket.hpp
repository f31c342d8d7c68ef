// A socket for ioctls about interfaces (netdevice(7)). For this folder only.
#pragma once

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace vmirror {

/// Closed at the end. Where there is none, each call fails.
class ControlSocket {
 public:
  ControlSocket() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~ControlSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  /// The error's number; 0: done.
  int call(unsigned long request, ifreq& data) const {
    return ::ioctl(fd_, request, &data) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

}  // namespace vmirror
