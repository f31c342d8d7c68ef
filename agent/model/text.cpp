// Names of the model's enumerations, as every output prints them.
#include "agent/model/drop.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

const char* granularity_text(std::uint8_t granularity) {
  constexpr const char* kNames[] = {"100us", "100ns", "1588", "custom"};
  return kNames[granularity & 3];
}

const char* to_text(Encapsulation encapsulation) {
  static constexpr const char* kNames[] = {
      "none",   "erspan1", "erspan2", "erspan3", "gre",    "vxlan", "geneve",     "rspan", "ip",
      "teredo", "gtp",     "capwap",  "tzsp",    "hp_erm", "pbb",   "fabricpath", "isl",   "mpls"};
  static_assert(sizeof kNames / sizeof *kNames == kEncapsulations);
  return encapsulation < Encapsulation::count_ ? kNames[static_cast<std::size_t>(encapsulation)]
                                               : "unknown";
}

const char* to_text(Drop drop) {
  switch (drop) {
    case Drop::kernel:
      return "kernel";
    case Drop::capture_truncated:
      return "capture_truncated";
    case Drop::unsupported_link:
      return "unsupported_link";
    case Drop::short_frame:
      return "short_frame";
    case Drop::not_mirrored:
      return "not_mirrored";
    case Drop::filtered:
      return "filtered";
    case Drop::unknown_session:
      return "unknown_session";
    case Drop::decap_truncated:
      return "decap_truncated";
    case Drop::decap_malformed:
      return "decap_malformed";
    case Drop::decap_unsupported:
      return "decap_unsupported";
    case Drop::nesting_too_deep:
      return "nesting_too_deep";
    case Drop::fragment_incomplete:
      return "fragment_incomplete";
    case Drop::fragment_overflow:
      return "fragment_overflow";
    case Drop::count_:
      break;
  }
  return "unknown";
}

}  // namespace vmirror
