#include "agent/control/affinity/frame_ledger.hpp"

#include <algorithm>
#include <utility>

namespace vmirror {
namespace {

std::int64_t less(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b);
}

std::uint64_t at_least_0(std::int64_t n) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, n));
}

}  // namespace

bool FrameLedger::follow(const GuestCounters& reading) {
  if (reading.port) {
    if (last_port_ && (reading.port->out_frames < last_port_->out_frames ||
                       reading.port->in_frames < last_port_->in_frames))
      reset_ = true;
    if (!first_port_) first_port_ = reading.port;
    last_port_ = reading.port;
  }
  // The engine's counts begin at 0: a NIC that is watched from now on, with its port as it is now;
  // on the destination, a port that was made for the guest.
  const bool from_0 = on_destination_ || !reading.copied;
  if (from_0 && reading.port && !last_copied_ && !high_)
    high_ = low_ =
        Difference{-less(reading.port->out_frames, 0), -less(reading.port->in_frames, 0)};
  if (!reading.copied) return false;
  if (last_copied_ &&
      (reading.copied->out < last_copied_->out || reading.copied->in < last_copied_->in))
    reset_ = true;
  if (!last_copied_ && !high_) base_copied_ = *reading.copied;
  last_copied_ = reading.copied;
  return reading.port.has_value();
}

void FrameLedger::before(const GuestCounters& reading) {
  const bool both = follow(reading);
  if (reading.copied) before_copied_ = *reading.copied;
  if (!both) return;
  const Difference now{less(reading.copied->out, reading.port->out_frames),
                       less(reading.copied->in, reading.port->in_frames)};
  if (!high_) high_ = low_ = now;
  high_ = Difference{std::max(high_->out, now.out), std::max(high_->in, now.in)};
  low_ = Difference{std::min(low_->out, now.out), std::min(low_->in, now.in)};
}

void FrameLedger::after(const GuestCounters& reading) {
  follow(reading);
  const auto raise = [&reading](std::optional<Difference>& highest, const PortCounters& port) {
    const Difference now{less(reading.copied->out, port.out_frames),
                         less(reading.copied->in, port.in_frames)};
    highest =
        highest ? Difference{std::max(highest->out, now.out), std::max(highest->in, now.in)} : now;
  };
  if (reading.copied && end_port_) raise(end_generous_, *end_port_);
  if (reading.port) end_port_ = reading.port;
  // A port that is gone counts no more: what was read of it last is still true.
  if (reading.copied && end_port_) raise(end_, *end_port_);
}

std::optional<FrameLedger::Result> FrameLedger::result() const {
  if (reset_ || !high_ || !first_port_ || !end_) return {};
  const Difference generous = end_generous_ ? *end_generous_ : *end_;
  Result result;
  result.port_frames = at_least_0(less(last_port_->out_frames, first_port_->out_frames)) +
                       at_least_0(less(last_port_->in_frames, first_port_->in_frames));
  const std::uint64_t lost_out = at_least_0(high_->out - std::max(generous.out, end_->out));
  // What waits in the tap is copied and not yet counted by it: so the lowest is the one to trust.
  const std::uint64_t lost_in = at_least_0(low_->in - std::max(generous.in, end_->in));
  std::uint64_t lost = lost_out + lost_in;
  result.uncertain = at_least_0(high_->out - end_->out) - lost_out;
  // The guest moved on after the only reading: what the engine lacked then may have come since.
  if (!end_generous_) result.uncertain += std::exchange(lost, 0);
  result.copied_frames = at_least_0(less(result.port_frames, lost));
  return result;
}

std::uint64_t FrameLedger::duplicates() const {
  if (reset_) return 0;
  if (on_destination_)
    return at_least_0(less(before_copied_.out, base_copied_.out)) +
           at_least_0(less(before_copied_.in - before_copied_.in_group,
                           base_copied_.in - base_copied_.in_group));
  if (!end_ || !high_) return 0;
  return at_least_0(end_->out - high_->out) + at_least_0(end_->in - high_->in);
}

}  // namespace vmirror
