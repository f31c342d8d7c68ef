// The captures that the engine is held to, made from the builders of tests/support: the same bytes
// at every run. README.md says how to add one.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/captures.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::test {

/// cases/NAME.pcap, or of a protocol tests/protocols/PROTOCOL/NAME.pcap.
struct Capture {
  std::string name;
  Buffer file;  ///< The bytes of a pcap file.
};

/// Frames in the order of their times: the first at 2026-01-02 03:04:05 UTC, each a millisecond
/// after the one before.
class Story {
 public:
  Story& add(Buffer frame, std::uint32_t wire_size = 0) {
    frames_.push_back({now_, std::move(frame), wire_size});
    now_ += kSecond / 1000;
    return *this;
  }
  Story& add(std::vector<Buffer> frames) {
    for (Buffer& frame : frames) add(std::move(frame));
    return *this;
  }
  /// The first `size` bytes of a frame, as a mirror or a snap length cuts it.
  Story& add_cut(Bytes frame, std::size_t size) {
    const Bytes front = frame.first(size);
    return add({front.begin(), front.end()}, static_cast<std::uint32_t>(frame.size()));
  }
  Capture named(std::string name) const { return {std::move(name), pcap(frames_)}; }

 private:
  std::vector<Captured> frames_;
  Time now_ = Time{1767323045} * kSecond;
};

/// One TCP connection: keeps the numbers of both sides.
class Connection {
 public:
  /// With its three segments of opening.
  Connection(Story& story, const Ends& client);
  void up(Bytes payload) { send(true, payload); }
  void down(Bytes payload) { send(false, payload); }
  /// The segments of a message in an order of their own, or none of them: passes `size` bytes, and
  /// gives the frame of any part of them.
  std::uint32_t pass(bool from_client, std::size_t size);
  void segment(bool from_client, std::uint32_t sequence, Bytes payload);
  /// Both sides' FIN.
  void close();

 private:
  void send(bool from_client, Bytes payload);
  void add(bool from_client, std::uint32_t sequence, std::uint8_t flags, Bytes payload = {});
  Story& story_;
  Ends client_;
  std::uint32_t next_[2] = {1000, 5000};  ///< Client's, server's.
};

/// Those that tests/protocols/NAME/conversation.txt describes:
///
///   tcp 102                 a connection to this port begins; udp 389, ip 112 (a protocol), link
///                           88b8 (an EtherType), llc 42 (a SAP), snap 00000c 2000 (OUI and number)
///   > "setup"               to the server, a payload of the protocol
///   < 03 00 ## 02f080 "x"   from it: hexadecimal digits, ## (the size of all, 16 bits), a payload
///   > "cotp: data"          a payload of another protocol
///   cut 40                  the next message comes in segments of 40 bytes
std::vector<Capture> conversations();
/// Of a capture: where it and what the engine must say of it are, without the ending.
std::filesystem::path place_of(const std::string& name);

/// One capture and more for each protocol.
std::vector<Capture> protocol_captures();
/// One and more for each encapsulation, and what comes damaged.
std::vector<Capture> encapsulation_captures();
/// For each kind of finding one that trips it, and one that nearly does. Their names begin with
/// kFinding; findings are looked for in these captures, with this learning time.
std::vector<Capture> finding_captures();
inline constexpr std::string_view kFinding = "finding_";
inline constexpr Time kFindingsLearn = 8 * kMillisecond;
/// All of them.
std::vector<Capture> golden_captures();

}  // namespace vmirror::test
