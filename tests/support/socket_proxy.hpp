// A Unix socket that passes everything on to another one, and can cut the connection after a given
// number of JSON messages: what a client sees when the network or the server goes away in the
// middle.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>

namespace vmirror::test {

class SocketProxy {
 public:
  SocketProxy(std::string listen_path, std::string server_path);
  ~SocketProxy();
  SocketProxy(const SocketProxy&) = delete;
  SocketProxy& operator=(const SocketProxy&) = delete;

  /// Cuts all connections right after the `n`th message from now, of either side, was passed on;
  /// later connections pass. 0: never.
  void cut_after(std::size_t n);
  /// True when a cut has happened since cut_after().
  bool has_cut() const { return cut_; }

 private:
  struct Link;
  struct Json;
  void serve();
  bool pass(int from, int to, Json& json);

  const std::string listen_path_, server_path_;
  int listener_ = -1, stop_[2] = {-1, -1};
  std::atomic<std::size_t> countdown_ = 0;
  std::atomic<bool> cut_ = false;
  std::thread thread_;
};

}  // namespace vmirror::test
