#include "agent/engine/health/window.hpp"

#include <algorithm>

namespace vmirror {
namespace {

std::uint64_t less(std::uint64_t a, std::uint64_t b) {
  return a - std::min(a, b);
}

/// How much a count of the engine's grew.
template <typename Count>
Range grown(const CoverageSample& first, const CoverageSample& last, Count count) {
  return {less(count(last.low), count(first.high)), less(count(last.high), count(first.low))};
}

Range operator+(const Range& a, const Range& b) {
  return {a.low + b.low, a.high + b.high};
}

/// All that a window is judged by; of directions that are not mirrored there is nothing.
struct Moved {
  Range out, own_in, groups, flooded;
  std::uint64_t counted = 0;
  std::uint64_t refused = 0;  ///< Sent to the port, and not taken: copied, and not counted.
};

double part(std::uint64_t frames, std::uint64_t counted) {
  return static_cast<double>(frames) / static_cast<double>(counted);
}

/// So many frames that should have been counted, of which `counted` were.
bool agrees(const Range& received, const Moved& m) {
  const double most = static_cast<double>(m.counted + m.refused) * (2 - kWhole);
  const double least = static_cast<double>(m.counted) * kWhole;
  return static_cast<double>(received.high) >= least && static_cast<double>(received.low) <= most &&
         static_cast<double>(received.high - received.low) <=
             kTight * static_cast<double>(m.counted);
}

bool is_excess(const Coverage& c, const Moved& m) {
  const auto too_many = [](std::uint64_t received, std::uint64_t counted) {
    return static_cast<double>(received) > static_cast<double>(counted) * (2 - kWhole);
  };
  return too_many(m.out.low, c.counted_out) ||
         too_many(less(m.own_in.low, kTapQueue), c.counted_in + m.refused);
}

/// Ratio and verdict.
void conclude(Coverage& c, const Moved& m) {
  const auto set_bounds = [&](std::uint64_t low, std::uint64_t high) {
    c.low = part(low, m.counted + m.refused);
    c.high = part(high, m.counted);
  };
  const Range own = m.out + m.own_in, all = own + m.groups + m.flooded;
  if (is_excess(c, m)) {
    c.verdict = Coverage::Verdict::excess;
    c.ratio = part(own.low, std::max<std::uint64_t>(m.counted, 1));
  }
  if (m.counted == 0) return;
  set_bounds(own.low, all.high);
  if (c.verdict == Coverage::Verdict::excess) return;
  if (c.high < kWhole) {
    c.verdict = Coverage::Verdict::lossy;
    c.ratio = c.high;
    return;
  }
  c.verdict = Coverage::Verdict::open;
  for (const Range& explained : {own + m.groups, all, own})
    if (agrees(explained, m)) {
      set_bounds(explained.low, explained.high);
      c.verdict = Coverage::Verdict::complete;
      c.ratio = std::clamp(1.0, c.low, std::max(c.low, c.high));
      return;
    }
}

}  // namespace

bool is_comparable(const CoverageSample& first, const CoverageSample& last) {
  return first.port.port_id == last.port.port_id &&
         last.port.counters.in_frames >= first.port.counters.in_frames &&
         last.port.counters.out_frames >= first.port.counters.out_frames &&
         last.high.in >= first.low.in && last.high.out >= first.low.out;
}

Coverage coverage(const CoverageSample& first, const CoverageSample& last, Direction mirrored) {
  Coverage c;
  Moved m;
  c.from = first.port.from;
  c.to = last.port.to;
  const PortCounters &was = first.port.counters, &is = last.port.counters;
  if (includes(mirrored, Direction::out)) {
    c.counted_out = is.out_frames - was.out_frames;
    m.out = c.received_out = grown(first, last, [](const NicFrames& n) { return n.out; });
  }
  if (includes(mirrored, Direction::in)) {
    c.counted_in = is.in_frames - was.in_frames;
    m.refused = less(is.in_dropped, was.in_dropped);
    c.received_in = grown(first, last, [](const NicFrames& n) { return n.in; });
    m.own_in = grown(first, last, [](const NicFrames& n) { return less(n.in, n.in_group); });
    m.groups = grown(first, last, [](const NicFrames& n) { return n.in_group; });
  }
  m.flooded = grown(first, last, [](const NicFrames& n) { return n.flooded; });
  m.counted = c.counted();
  c.flooded = m.flooded.high;
  conclude(c, m);
  return c;
}

Coverage judge_windows(std::span<const CoverageSample> samples, Direction mirrored) {
  using Verdict = Coverage::Verdict;
  if (samples.empty()) return {};
  const CoverageSample& last = samples.back();
  const Coverage longest = coverage(samples.front(), last, mirrored);
  for (std::size_t back = samples.size() - 1; back-- > 0;) {
    const Coverage c = coverage(samples[back], last, mirrored);
    if (c.verdict == Verdict::silent || c.verdict == Verdict::open) continue;
    if (c.verdict == Verdict::complete && longest.verdict == Verdict::lossy &&
        (c.low + c.high) / 2 < kWhole)
      return longest;
    return c;
  }
  return longest;
}

std::vector<std::string> warnings(const CoverageSample& first, const CoverageSample& last,
                                  Direction mirrored) {
  constexpr std::uint64_t kEnough = 20;  // Frames, before shares of them mean anything.
  std::vector<std::string> out;
  const std::string who = last.high.port();
  const Coverage c = coverage(first, last, mirrored);
  const std::uint64_t in = last.high.in - first.low.in, sent = last.high.out - first.low.out;
  const std::string span = std::to_string((c.to - c.from) / kSecond) + " s";
  const std::string moved = std::to_string(c.counted());
  if (c.verdict == Coverage::Verdict::excess)
    out.push_back(who + ": a fault of counting: at least " + std::to_string(c.received().low) +
                  " frames came in " + span + ", while its port moved " + moved);
  if (in + sent == 0) {
    if (c.counted() > 0)
      out.push_back(who + ": no traffic: no frame came in " + span + ", while its port moved " +
                    moved);
    return out;
  }
  if (c.verdict == Coverage::Verdict::open)
    out.push_back(who + ": not told: of " + moved + " frames that its port moved in " + span +
                  " between " + std::to_string(c.received().low) + " and " +
                  std::to_string(c.received().high + c.flooded) + " came" +
                  (c.flooded == 0 ? ""
                                  : ", " + std::to_string(c.flooded) +
                                        " of them for others, if the switch flooded them"));
  const std::uint64_t unicast_in = less(in, last.high.in_group - first.low.in_group);
  const std::uint64_t unicast_out = less(sent, last.high.out_group - first.low.out_group);
  const std::uint64_t unicast = unicast_in + unicast_out;
  if (mirrored == Direction::both && unicast >= kEnough && (unicast_in == 0 || unicast_out == 0))
    out.push_back(who + ": one direction only: of " + std::to_string(unicast) +
                  " unicast frames none is " + (unicast_in == 0 ? "to it" : "from it"));
  if (in + sent >= kEnough && unicast * 5 < in + sent)
    out.push_back(who + ": " +
                  std::to_string(static_cast<int>(100 - 100.0 * part(unicast, in + sent))) +
                  "% of its frames are broadcast or multicast: the mirror may miss its unicast");
  return out;
}

}  // namespace vmirror
