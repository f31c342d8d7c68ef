#include "agent/model/flow.hpp"

namespace vmirror {

const char* to_text(TcpState state) {
  switch (state) {
    case TcpState::none:
      return "none";
    case TcpState::syn:
      return "syn";
    case TcpState::established:
      return "established";
    case TcpState::closing:
      return "closing";
    case TcpState::closed:
      return "closed";
    case TcpState::reset:
      return "reset";
    case TcpState::midstream:
      return "midstream";
  }
  return "unknown";
}

const char* to_text(FlowEnd end) {
  switch (end) {
    case FlowEnd::none:
      return "none";
    case FlowEnd::closed:
      return "closed";
    case FlowEnd::idle:
      return "idle";
    case FlowEnd::evicted:
      return "evicted";
    case FlowEnd::flushed:
      return "flushed";
    case FlowEnd::moved:
      return "moved";
  }
  return "unknown";
}

}  // namespace vmirror
