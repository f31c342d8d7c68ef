// Counters of the mirroring sessions that one input sees, bounded in number.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/engine/decap/decap.hpp"
#include "agent/engine/decap/sender_sequence.hpp"
#include "agent/engine/wire/keyed_hash.hpp"

namespace vmirror {

class Sessions {
 public:
  /// `accepted`: the IDs to take; empty: any.
  explicit Sessions(std::set<std::uint32_t> accepted, const KeyedHash& hash = KeyedHash())
      : accepted_(std::move(accepted)), entries_(0, Hash{hash}) {}

  /// One frame of a session: `frame` as it came out, `sequence` where GRE had one. True when the
  /// session is accepted. Allocates at a session's first frame only.
  bool count(const Origin& origin, const Frame& frame, const std::uint32_t* sequence);

  /// One session's counters; stays where it is.
  struct Entry {
    SessionCounters counters;
    SequenceWindow window;
    bool numbered = false;               ///< A number was seen.
    SenderSequence* together = nullptr;  ///< With its sender's others; null: there are none.

    void see(std::uint32_t sequence) {
      if (together == nullptr)
        window.see(sequence);
      else
        together->see(sequence, window);
    }
  };
  /// The session that was counted last. Null: none yet.
  Entry* last() { return last_; }

  std::vector<SessionCounters> counters() const;
  /// Frames that are counted in the entry that all share past the bound.
  std::uint64_t overflowed() const {
    const auto shared = entries_.find(Key{});
    return shared == entries_.end() ? 0 : shared->second.counters.received;
  }
  std::vector<SenderCounters> senders() const;

 private:
  struct Key {
    Encapsulation encapsulation;
    std::uint32_t session;
    IpAddress sender;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    KeyedHash hash;
    std::size_t operator()(const Key& k) const {
      return hash(k.sender,
                  std::uint64_t{k.session} << 8 | static_cast<std::uint8_t>(k.encapsulation));
    }
  };

  /// The sessions of one sender that it may number together: all of ERSPAN, or all of GRE.
  struct Sender {
    std::vector<Entry*> sessions;
    std::unique_ptr<SenderSequence> sequence;  ///< From the second session on.
  };
  using SenderKey = std::pair<IpAddress, Encapsulation>;
  static SequenceRule rule_of(const Sender& sender);
  static bool is_before(const SessionCounters& a, const SessionCounters& b);

  bool accepts(const Origin& origin) const;
  void join_sender(Entry& entry);
  Entry& entry(const Origin& origin);
  Entry& find(const Origin& origin);

  std::set<std::uint32_t> accepted_;
  std::unordered_map<Key, Entry, Hash> entries_;  // Never moves an entry.
  std::vector<const Entry*> in_order_;            // By encapsulation, session and sender.
  std::map<SenderKey, Sender> senders_;
  Entry* last_ = nullptr;  // The session of the frame before.
};

}  // namespace vmirror
