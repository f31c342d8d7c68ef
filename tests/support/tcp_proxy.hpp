// A TCP port that passes everything on to another one, until it is told to hold it back: a network
// or a host that went silent without saying so.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace vmirror::test {

class TcpProxy {
 public:
  /// Listens on 127.0.0.1, for a server there.
  explicit TcpProxy(std::uint16_t server_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const { return port_; }
  /// True: nothing passes any more, connections stay. False: what waited passes.
  /// True of all that is sent once this has returned.
  void hold(bool on) {
    hold_ = on;
    held_.wait(!on);
  }

 private:
  void serve();

  const std::uint16_t server_port_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> hold_ = false, held_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace vmirror::test
