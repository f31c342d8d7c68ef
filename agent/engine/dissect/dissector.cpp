#include "agent/engine/dissect/dissector.hpp"

namespace vmirror {

const char* to_text(Carrier carrier) {
  switch (carrier) {
    case Carrier::link:
      return "link";
    case Carrier::network:
      return "network";
    case Carrier::datagram:
      return "datagram";
    case Carrier::stream:
      return "stream";
    case Carrier::inside:
      return "inside";
  }
  return "unknown";
}

const char* to_text(Malformed malformed) {
  switch (malformed) {
    case Malformed::none:
      return "none";
    case Malformed::truncated:
      return "truncated";
    case Malformed::bad_length:
      return "bad_length";
    case Malformed::bad_value:
      return "bad_value";
    case Malformed::too_deep:
      return "too_deep";
    case Malformed::count_:
      break;
  }
  return "unknown";
}

}  // namespace vmirror
