// Carries submissions out, one after the other, on a thread of its own: the task of each switch is
// begun and waited for; what needs no task is done call by call.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "plugin/api/model.hpp"
#include "plugin/vsphere/drs.hpp"
#include "plugin/vsphere/follower.hpp"
#include "plugin/vsphere/span_change.hpp"
#include "plugin/vsphere/task.hpp"

namespace vmirror::vsphere {

/// What one switch is asked for by one task, made from one of its versions.
struct SwitchChange {
  Ref distributed_switch;
  std::string version;
  std::vector<VspanChange> changes;
};

struct Changes {
  std::vector<SwitchChange> distributed;
  std::vector<SpanChange> standard;
  std::vector<ClusterChange> clusters = {};
  bool empty() const { return distributed.empty() && standard.empty() && clusters.empty(); }
};

/// Functions may be called from any thread.
class Submitter {
 public:
  /// `client` and `follower` must outlive it. `ended` is called by its thread.
  Submitter(VimClient& client, Follower& follower, std::function<void()> ended);
  ~Submitter();
  Submitter(const Submitter&) = delete;
  Submitter& operator=(const Submitter&) = delete;

  /// Forgets what has ended.
  Ticket begin(Changes changes);
  /// Those that run, and those that ended since the latest begin().
  std::map<Ticket, Submission> submissions();

 private:
  void run(const std::stop_token& stop);
  Submission carry_out(const SwitchChange& change, const std::stop_token& stop);
  Submission carry_out(const SpanChange& change, const std::stop_token& stop);
  Submission carry_out(const ClusterChange& change, const std::stop_token& stop);
  Submission failed(const SwitchChange& change, const std::string& fault, Error error,
                    const std::stop_token& stop);

  VimClient& client_;
  Follower& follower_;
  const std::function<void()> ended_;
  std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable_any wake_;
  std::map<Ticket, Submission> submissions_;
  std::deque<std::pair<Ticket, Changes>> waiting_;
  Ticket tickets_ = 0;
  std::jthread thread_;
};

}  // namespace vmirror::vsphere
