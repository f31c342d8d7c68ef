// Flows of a guest that moves from host to host: taken out of one table as values, joined with what
// another table saw of them.
//
//   source       first ----------- last            saved
//   destination                       first --- last            one: summed
//               first ---------------------- last               both: the greater stand
//                                  (timeout)         first ...  over
#include <algorithm>

#include "agent/engine/flow/flow_table.hpp"

namespace vmirror {
namespace {

bool is_over(TcpState state) {
  return state == TcpState::closing || state == TcpState::closed || state == TcpState::reset;
}

/// The state of a connection whose first part ended in `before` and whose rest, picked up
/// midstream, in `now`. `flags` are those of both.
TcpState joined(TcpState before, TcpState now, const std::array<std::uint8_t, 2>& flags) {
  if (before == TcpState::reset || now == TcpState::reset) return TcpState::reset;
  const int fins = ((flags[0] & tcp_flag::kFin) != 0) + ((flags[1] & tcp_flag::kFin) != 0);
  if (fins > 0) return fins == 2 ? TcpState::closed : TcpState::closing;
  if (before == TcpState::syn) return now == TcpState::syn ? now : TcpState::established;
  return before;
}

/// One counter of a flow and how much of it was reported, with another host's.
void add(std::uint64_t& count, std::uint64_t& reported, std::uint64_t saved,
         std::uint64_t saved_reported, bool same_packets) {
  if (!same_packets) {
    count += saved;
    reported += saved_reported;
  } else if (saved > count) {
    reported += saved - count;  // What was not reported here is still to be.
    count = saved;
  }
}

}  // namespace

void FlowTable::turn(std::uint32_t place) {
  Entry& entry = entries_[place];
  entry.lesser_side ^= 1;
  std::swap(entry.packets[0], entry.packets[1]);
  std::swap(entry.bytes[0], entry.bytes[1]);
  std::swap(entry.flags[0], entry.flags[1]);
  std::swap(entry.mac[0], entry.mac[1]);
  std::swap(entry.reported_packets[0], entry.reported_packets[1]);
  std::swap(entry.reported_bytes[0], entry.reported_bytes[1]);
  if (!entry.has_others) return;
  Others& others = others_.at(place);
  std::swap(others.packets[0], others.packets[1]);
  std::swap(others.bytes[0], others.bytes[1]);
}

std::pair<std::vector<std::uint32_t>, std::size_t> FlowTable::of(std::span<const Mac> macs,
                                                                 std::size_t most) const {
  const auto is_one = [&](const Mac& mac) {
    return std::find(macs.begin(), macs.end(), mac) != macs.end();
  };
  std::vector<std::uint32_t> out;
  for (std::uint32_t place = 0; place < fresh_; ++place) {
    const Entry& entry = entries_[place];
    if ((is_one(entry.mac[0]) || is_one(entry.mac[1])) && entry.key.version != kFreeVersion)
      out.push_back(place);
  }
  const std::size_t all = out.size();
  const auto later = [&](std::uint32_t a, std::uint32_t b) {
    return entries_[a].last != entries_[b].last ? entries_[a].last > entries_[b].last : a < b;
  };
  if (most < all) {
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(most);
    std::nth_element(out.begin(), end, out.end(), later);
    out.erase(end, out.end());
  }
  std::sort(out.begin(), out.end(), later);
  return {std::move(out), all};
}

SavedFlow FlowTable::save(std::uint32_t place) const {
  const Entry& entry = entries_[place];
  SavedFlow out;
  out.key = entry.key;
  out.lesser_side = entry.lesser_side;
  out.flow = flow_of(place, FlowEnd::none);
  out.flow.input = 0;
  out.reported_packets = entry.reported_packets;
  out.reported_bytes = entry.reported_bytes;
  return out;
}

Time FlowTable::timeout(const SavedFlow& saved) const {
  const bool tcp = saved.flow.tcp != TcpState::none;
  return timeouts_[tcp ? timeout_of(saved.flow.tcp) : timeout_of(saved.key)];
}

FlowTable::Join FlowTable::join(std::uint32_t place, const SavedFlow& saved, Time now,
                                bool& turned) {
  Entry& entry = entries_[place];
  set_back(entry, now);
  const Flow& from = saved.flow;
  const Time last = std::min(from.last, now);
  const bool begun_anew =
      is_over(from.tcp) && ((entry.flags[0] | entry.flags[1]) & tcp_flag::kSyn) != 0;
  turned = false;
  if (entry.first - last > timeout(saved) || begun_anew) return Join::over;
  turned = entry.lesser_side != saved.lesser_side;
  if (turned) turn(place);
  const bool both = last - entry.first > kOverlap;
  for (std::size_t side = 0; side < 2; ++side) {
    if (from.packets[side] > 0) entry.mac[side] = from.mac[side];
    add(entry.packets[side], entry.reported_packets[side], from.packets[side],
        saved.reported_packets[side], both);
    add(entry.bytes[side], entry.reported_bytes[side], from.bytes[side], saved.reported_bytes[side],
        both);
    entry.flags[side] |= from.tcp_flags[side];
  }
  entry.first = std::min(entry.first, std::max<Time>(0, from.first - (from.last - last)));
  entry.generation = 0;
  entry.given_id = from.id;
  if (entry.tcp != TcpState::none) {
    entry.tcp = joined(from.tcp, entry.tcp, entry.flags);
    entry.timeout = timeout_of(entry.tcp);
  }
  return both ? Join::both : Join::one;
}

}  // namespace vmirror
