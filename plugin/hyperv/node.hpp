// One Hyper-V host: read on a thread of its own, changed on another, listened to on a third.
//
//   reading   all queries once, then one query a period, in turn; the connections of adapters every
//             other time, because they tell that a VM came or went. Whatever differs from before
//             has all read anew.
//   changing  one submission after the other; what came of it is read before it is told.
//   events    of the cluster's groups, where the host grants a subscription: each has all read
//             anew. Elsewhere, and of what is no group, the next question tells.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "plugin/hyperv/change.hpp"
#include "plugin/hyperv/host.hpp"
#include "plugin/hyperv/observe.hpp"
#include "plugin/hyperv/wsman.hpp"

namespace vmirror::hyperv {

/// A step, and the GUID of the virtual switch that it is for.
struct NodeStep {
  Step step;
  std::string switch_id;
};

struct NodeOptions {
  std::string owner;
  std::chrono::milliseconds poll{500};  ///< The period.
  bool cluster = false;                 ///< Reads the failover cluster, too.
};

/// Functions may be called from any thread.
class Node {
 public:
  /// `changed` is called by its threads, also after an error.
  Node(std::unique_ptr<WsmanClient> client, NodeOptions options, std::function<void()> changed);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The latest reading, and since when the host can't be read: both may be there.
  struct Latest {
    NodeReading reading;
    std::optional<std::chrono::steady_clock::time_point> failing_since;
  };
  /// Waits for the first reading at most `patience`.
  Latest latest(std::chrono::milliseconds patience);
  /// Has all read anew, soon.
  void look_again();
  /// Carries steps out in their order; `ended` is called by a thread of this object.
  void submit(std::vector<NodeStep> steps, std::function<void(Submission)> ended);

  const std::string& url() const { return client_->url(); }
  WsmanClient& client() { return *client_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Work {
    std::vector<NodeStep> steps;
    std::function<void(Submission)> ended;
  };

  void read_on(const std::stop_token& stop);
  Result<bool> read_next(bool all, const std::stop_token& stop);
  Result<void> read_all(const std::stop_token& stop);
  Result<std::optional<std::vector<Instance>>> read(Table table, const std::stop_token& stop);
  std::size_t tables() const { return options_.cluster ? kTables : kHostTables; }
  void work_on(const std::stop_token& stop);
  void listen_on(const std::stop_token& stop);
  void set_events(bool are);
  Submission carry_out(const std::vector<NodeStep>& steps, const std::stop_token& stop);
  void wait_for_reading(const std::stop_token& stop);

  const std::unique_ptr<WsmanClient> client_;
  const NodeOptions options_;
  const std::function<void()> changed_;
  Tables tables_;              ///< The reading thread's, like the next three.
  std::size_t turn_ = 0;       ///< Counts periods.
  std::string product_;        ///< Empty: to be asked.
  std::string cluster_error_;  ///< Why the cluster can't be read; empty: it can, or there is none.
  std::mutex mutex_;           ///< Guards what follows.
  std::condition_variable_any wake_;
  Latest latest_;
  bool tried_ = false;
  std::uint64_t wanted_ = 1, began_ = 0, read_ = 0;  ///< Whole readings: asked for, begun, done.
  std::deque<Work> waiting_;
  std::jthread reader_, worker_, listener_;
};

}  // namespace vmirror::hyperv
