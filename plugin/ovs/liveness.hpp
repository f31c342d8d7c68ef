// Liveness: does ovs-vswitchd live, where nobody asks it for a change? A switch's database looks
// the same whether its daemon works, hangs or is gone.
//
//   control socket --answers, or not--+
//   database --rows that only the     +--> Liveness (pure) --> silent since when
//   daemon writes, cur_cfg------------+        `--> ask: count next_cfg up, and see cur_cfg follow
//
// Where the daemon's control socket answers, it is asked once a second, and the database is left
// alone. Elsewhere (a database on another host, a socket that we may not open) the database must
// tell: ovs-vswitchd writes the ports' counters every 5 s (other_config:stats-update-interval)
// where any frame moves. Where it writes nothing for longer, next_cfg is counted up, as `ovs-vsctl`
// does with each change: ovs-vswitchd looks over its configuration and writes cur_cfg.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "plugin/base/clock.hpp"
#include "plugin/ovs/control_socket.hpp"
#include "plugin/ovsdb/client.hpp"

namespace vmirror::ovs {

constexpr Time kProbeInterval = kSecond;     ///< Between two questions by the control socket.
constexpr Time kProbeTimeout = 2 * kSecond;  ///< For an answer. A busy daemon needs up to a second.
constexpr Time kSilence = 3 * kSecond;       ///< Without an answer: the daemon is silent.
/// Without a sign in the database: ask. More than the 5 s between two writings of the counters.
constexpr Time kQuiet = 5500 * kMillisecond;
constexpr Time kAskPatience = 5 * kSecond;  ///< For the sign that was asked for.

/// What the signs come to. Times are of a clock that is never set back. Pure.
class Liveness {
 public:
  /// The database can be read since `now`: what was before says nothing.
  void begin(Time now);
  /// The daemon wrote to the database.
  void wrote(Time now);
  /// The control socket was asked.
  void answered(Time now);
  void not_answered(Time now);
  /// next_cfg was counted up.
  void asked(Time now);

  /// The database alone tells, it has shown no sign for a while, and nobody asked for one yet.
  bool should_ask(Time now) const;
  /// When the last sign was, where the daemon is silent; 0: it is not, as far as anyone can tell.
  Time silent_since(Time now) const;

 private:
  Time sign_ = 0;           ///< The last one, of any kind; else when the database could be read.
  Time asked_ = 0;          ///< 0: not since the last sign.
  Time failing_since_ = 0;  ///< The socket that answered does not any more; 0: it does.
  bool by_socket_ = false;  ///< It has answered.
};

/// True where `after` shows something that only ovs-vswitchd writes, and `before` does not. Costs
/// what differs. Pure.
bool daemon_wrote(const ovsdb::Snapshot& before, const ovsdb::Snapshot& after);

/// Counts next_cfg up and changes nothing else. Pure.
ovsdb::Transaction ask_for_sign(const ovsdb::Snapshot& db);

/// Watches on a thread of its own, for as long as it is there.
class LivenessWatch {
 public:
  /// `client` outlives it. `hint` is called from its thread when silent_since() differs.
  LivenessWatch(ControlSocket socket, ovsdb::Client& client, std::function<void()> hint);
  /// Waits for a question that is under way: up to kProbeTimeout where the daemon is stuck.
  ~LivenessWatch();
  LivenessWatch(const LivenessWatch&) = delete;
  LivenessWatch& operator=(const LivenessWatch&) = delete;

  /// Wall clock; 0: the daemon lives, as far as anyone can tell. Any thread.
  Time silent_since() const;

 private:
  void run();
  void look(Time now);
  void probe();
  void publish();

  const ControlSocket socket_;
  ovsdb::Client& client_;
  const std::function<void()> hint_;

  // Of the thread alone.
  Liveness liveness_;
  std::shared_ptr<const ovsdb::Snapshot> seen_;
  Time probe_at_ = 0, ask_at_ = 0;  ///< Not before.

  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable wake_;
  bool stop_ = false;
  Time silent_since_ = 0;

  std::thread thread_;
};

}  // namespace vmirror::ovs
