#include "agent/control/store/relays.hpp"

#include <algorithm>
#include <cstdint>

namespace vmirror {

namespace {

/// FNV-1a, and a last step that spreads its bits (the end of MurmurHash3): hosts' names differ in
/// their last characters.
std::uint64_t weight(const std::string& host, const std::string& relay) {
  std::uint64_t out = 0xcbf29ce484222325;
  for (const char c : host + "\n" + relay)
    out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  out = (out ^ (out >> 33)) * 0xff51afd7ed558ccd;
  return out ^ (out >> 33);
}

}  // namespace

std::vector<std::string> relay_order(std::vector<std::string> relays, const std::string& host) {
  std::ranges::sort(relays, std::ranges::greater(),
                    [&](const std::string& relay) { return weight(host, relay); });
  return relays;
}

bool RelayChoice::saw(bool serves, Time now) {
  if (is_ahead(since_, now)) since_ = now;
  if (is_ahead(missed_, now)) missed_ = now;
  if (serves) {
    served_ = true;
    tried_ = 0;
    missed_ = 0;
    return false;
  }
  if (missed_ == 0) missed_ = now;
  if (!served_ && now - since_ < kPatience) return false;
  served_ = false;
  since_ = now;
  ++tried_;
  at_ = (at_ + 1) % relays_.size();
  return relays_.size() > 1;
}

bool RelayChoice::wants_servers(Time now) const {
  return relays_.empty() ||
         (tried_ >= relays_.size() && missed_ != 0 && now - missed_ >= kPatience);
}

}  // namespace vmirror
