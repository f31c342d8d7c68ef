#include "agent/control/affinity/output_watch.hpp"

namespace vmirror {

OutputWatch watched(OutputWatch watch, const GuestCounters::Output& reading, Time now) {
  const bool lost = !reading.up || (watch.last && watch.last->losses != reading.losses);
  if (lost && watch.down_from == 0) watch.down_from = watch.last ? watch.read_at : now;
  if (lost || (watch.down_from != 0 && watch.down_to == 0)) watch.down_to = reading.up ? now : 0;
  watch.last = reading;
  watch.read_at = now;
  return watch;
}

}  // namespace vmirror
