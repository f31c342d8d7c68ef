// Names of the model's enumerations, as every output prints them.
#include "agent/model/drop.hpp"
#include "agent/model/frame.hpp"

namespace vmirror {

const char* to_text(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::none:
      return "none";
    case Encapsulation::erspan1:
      return "erspan1";
    case Encapsulation::erspan2:
      return "erspan2";
    case Encapsulation::erspan3:
      return "erspan3";
    case Encapsulation::gre:
      return "gre";
    case Encapsulation::vxlan:
      return "vxlan";
    case Encapsulation::geneve:
      return "geneve";
    case Encapsulation::rspan:
      return "rspan";
  }
  return "unknown";
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
