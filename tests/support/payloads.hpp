// For each protocol some valid messages, as its dissector is given them. The tests of the probes
// run every one through all others' probes; the fuzz targets begin at them, and the golden captures
// carry them. Those of a protocol are in tests/protocols/NAME/payloads.txt:
//
//   # a comment
//   > the name of a message to the server       (< of one from it)
//     its bytes, as hexadecimal digits
//   = the protocol of what follows, where that is not the folder's name
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/frames.hpp"

namespace vmirror::test {

struct Payload {
  std::string protocol;  ///< The dissector's name; "dns/tcp" for the stream.
  std::string what;      ///< "query for www.example.com, A"
  bool to_server = true;
  Buffer bytes;
};

const std::vector<Payload>& payloads();
/// Those of one protocol.
std::vector<Payload> payloads_of(std::string_view protocol);
/// The bytes of one; aborts when there is none.
const Buffer& payload(std::string_view protocol, std::string_view what);

}  // namespace vmirror::test
