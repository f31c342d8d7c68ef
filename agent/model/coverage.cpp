#include "agent/model/coverage.hpp"

namespace vmirror {

const char* to_text(Coverage::Verdict verdict) {
  switch (verdict) {
    case Coverage::Verdict::silent:
      return "silent";
    case Coverage::Verdict::complete:
      return "complete";
    case Coverage::Verdict::lossy:
      return "lossy";
    case Coverage::Verdict::excess:
      return "excess";
    case Coverage::Verdict::open:
      break;
  }
  return "open";
}

}  // namespace vmirror
