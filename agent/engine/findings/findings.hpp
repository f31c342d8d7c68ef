// Findings of one worker: folds acts, facts and what the worker sees of devices and ports into
// rows, one for each kind and subject. It knows no protocol. docs/findings.md says what trips it.
//
//   acts, facts ----+
//   new devices ----+--> is the kind on, the subject wanted? --> row (bounded) --> told(): EVE
//   strays, twins --+       ^ baseline of all workers               +--> all(): API, command line
//
// Two workers that read of one subject have a row each; who asks joins them (merge in
// worker/snapshot.hpp). What needs several messages (claims of an address, refused logons) is
// counted by each worker for itself: frames of one conversation come to one worker, and so do all
// ARP frames that a fanout by hash spreads.
//
// One thread, but for the baseline. Work is done for the few frames that tell of such acts. No
// allocation after construction.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "agent/engine/findings/baseline.hpp"
#include "agent/engine/wire/keyed_hash.hpp"
#include "agent/engine/wire/lent.hpp"
#include "agent/model/finding.hpp"

namespace vmirror {

/// Of a frame: when it came, and in which network.
struct Sighting {
  Time time = 0;
  Scope scope = 0;
  std::uint16_t vlan = 0;
};

/// Bounds of one worker. What gives way is counted; a row that gives way begins anew.
struct FindingLimits {
  std::uint32_t rows = 2048;
  std::uint32_t claims = 4096;      ///< IP addresses of which it is known who claims them.
  std::uint32_t contenders = 256;   ///< MACs that claim an address against another.
  std::uint32_t logons = 1024;      ///< Pairs of client and server with refused logons.
  std::uint32_t controllers = 256;  ///< Domain controllers.
  std::uint32_t strays = 256;       ///< MACs that no mirrored port has.
};

class Findings {
 public:
  // What the kinds count by; docs/findings.md gives the reasons.
  static constexpr Time kClaimWindow = 300 * kSecond;  ///< Changes of an address are counted in it.
  static constexpr int kClaimChanges = 3;              ///< From MAC to MAC that make a conflict.
  static constexpr Time kLogonWindow = 60 * kSecond;
  static constexpr std::uint32_t kRefusals = 20;      ///< In this window that make a burst.
  static constexpr Time kStrayLasts = 10 * kSecond;   ///< Between two frames of a stray.
  static constexpr Time kTwinsLast = 60 * kSecond;    ///< How long two ports have one MAC.
  static constexpr Time kToldAgain = 3600 * kSecond;  ///< A row that was quiet for so long.

  /// `baseline`: shared by all workers. `hash`: with the secret of all tables.
  Findings(FindingOptions options, std::shared_ptr<Baseline> baseline, const KeyedHash& hash,
           const FindingLimits& limits = {});

  /// What a frame's messages told. Acts without an effect here cost a comparison each.
  void fold(const Facts& facts, const Sighting& at);
  /// A device sent its first frame.
  void device(const Mac& mac, const Sighting& at);
  /// A frame that left a mirrored port with this source, which is no mirrored port's MAC.
  void stray(const Mac& mac, const Sighting& at);
  /// Two mirrored ports have this MAC, since `since`. To be called now and then while they have.
  void twins(const Mac& mac, Time since, const Sighting& at);

  // -- what a guest brings along from another host is no news here --
  void know_device(const Mac& mac, Scope scope);
  void know_master(const IpAddress& master, const IpAddress& device, Scope scope);

  /// Rows that began, or were seen again after kToldAgain, since the last `clear_told`.
  std::span<const Finding> told() const { return told_; }
  void clear_told() { told_.clear(); }

  /// Adds all rows.
  void all(std::vector<Finding>& to) const;
  /// Rows that began, by kind.
  const std::array<std::uint64_t, kFindingKinds>& counts() const { return counts_; }
  const Baseline& baseline() const { return *baseline_; }

  struct Use {
    const char* name;  ///< "findings"
    const char* unit;
    LentUse use;
  };
  std::array<Use, 6> uses() const;

 private:
  struct Claim {
    Mac holder, other;  ///< Who claimed the address last, and who did before.
    Time since = 0;     ///< When the changes began that are counted.
    int changes = 0;
    Mac forger;  ///< Sent a claim in the name of another MAC.
  };
  struct Contender {
    IpAddress ip;  ///< An address that it claims against another,
    Mac against;   ///< and that other.
    bool several = false;
  };
  struct Logons {
    Time since = 0;
    std::uint32_t refused = 0;
  };
  struct Stray {
    Time first = 0;
  };
  struct Known {};
  struct Hashes {
    std::uint64_t first, second;
  };

  bool is_on(FindingKind kind) const { return !options_.off[static_cast<std::size_t>(kind)]; }
  template <typename... Words>
  Hashes hashes(Words... words) const {
    return {hash_.of(words...), second_.of(words...)};
  }
  Hashes hashes_of(const FindingKey& key) const;
  void act(const Act& act, const Sighting& at);
  void claim(const Act& act, const Sighting& at);
  Mac spoofer(const Claim& claim, const IpAddress& ip, const Sighting& at);
  void refused(const Act& act, const Sighting& at);
  void by_newcomer(FindingKind kind, const Act& act, const Sighting& at);
  void add(const FindingKey& key, const Sighting& at, std::uint64_t times = 1);
  bool is_known(const FindingKey& key);
  std::uint64_t pair_of(FindingKind kind, Scope scope, const Subject& on, const Subject& by) const;
  void learn_controller(const IpAddress& ip, Scope scope);
  bool is_controller(const IpAddress& ip, Scope scope);

  FindingOptions options_;
  std::shared_ptr<Baseline> baseline_;
  KeyedHash hash_, second_;
  Lent<Finding> rows_;
  Lent<Claim> claims_;
  Lent<Contender> contenders_;
  Lent<Logons> logons_;
  Lent<Known> controllers_;
  Lent<Stray> strays_;
  std::vector<Finding> told_;  ///< At most kMaxTold between two `clear_told`.
  std::array<std::uint64_t, kFindingKinds> counts_{};
};

}  // namespace vmirror
