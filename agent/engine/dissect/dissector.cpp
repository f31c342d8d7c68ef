#include "agent/engine/dissect/dissector.hpp"

#include "agent/engine/dissect/requests.hpp"

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

void Context::ask(std::uint64_t key, std::uint32_t a, std::uint32_t b) const {
  if (requests) requests->ask(flow, key, {time, a, b});
}

std::optional<Request> Context::answer(std::uint64_t key) const {
  return requests ? requests->answer(flow, key) : std::nullopt;
}

}  // namespace vmirror
