#include "plugin/ovs/liveness.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{250};  ///< Between two looks at the database's replica.

Time steady_clock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

milliseconds to_milliseconds(Time time) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds(time));
}

/// A row of both that differs in one of these columns.
template <std::size_t N>
bool rewritten(const ovsdb::Snapshot& before, const ovsdb::Snapshot& after, std::size_t table,
               const std::array<std::size_t, N>& columns) {
  if (before.tables[table] == after.tables[table]) return false;
  using RowPtr = std::shared_ptr<const ovsdb::Row>;
  bool found = false;
  diff(before[table].rows, after[table].rows,
       [&](const ovsdb::Uuid&, const RowPtr* was, const RowPtr* is) {
         if (!was || !is) return;
         for (const std::size_t column : columns)
           found = found || (**was)[column] != (**is)[column];
       });
  return found;
}

}  // namespace

// ---- What the signs come to

void Liveness::begin(Time now) {
  *this = {};
  sign_ = now;
}

void Liveness::wrote(Time now) {
  sign_ = now;
  asked_ = 0;
  // A daemon that writes and does not answer has a socket that we can't reach any more. What it
  // wrote before it was killed may be seen a moment later.
  if (failing_since_ != 0 && now - failing_since_ > kProbeInterval) {
    by_socket_ = false;
    failing_since_ = 0;
  }
}

void Liveness::answered(Time now) {
  by_socket_ = true;
  failing_since_ = asked_ = 0;
  sign_ = now;
}

void Liveness::not_answered(Time now) {
  if (by_socket_ && failing_since_ == 0) failing_since_ = now;
}

void Liveness::asked(Time now) {
  asked_ = now;
}

bool Liveness::should_ask(Time now) const {
  return !by_socket_ && asked_ == 0 && now - sign_ >= kQuiet;
}

Time Liveness::silent_since(Time now) const {
  const bool silent = by_socket_ ? failing_since_ != 0 && now - sign_ >= kSilence
                                 : asked_ != 0 && now - asked_ >= kAskPatience;
  return silent ? sign_ : 0;
}

bool daemon_wrote(const ovsdb::Snapshot& before, const ovsdb::Snapshot& after) {
  constexpr std::array<std::size_t, 6> kOfInterface = {
      interface::kStatistics, interface::kStatus, interface::kMacInUse,
      interface::kLinkState,  interface::kMtu,    interface::kError};
  return rewritten(before, after, kOpenVswitch, std::array<std::size_t, 1>{root::kCurCfg}) ||
         rewritten(before, after, kMirror, std::array<std::size_t, 1>{mirror::kStatistics}) ||
         rewritten(before, after, kInterface, kOfInterface);
}

ovsdb::Transaction ask_for_sign(const ovsdb::Snapshot& db) {
  ovsdb::Transaction out;
  for (const auto& [id, row] : db[kOpenVswitch].rows)
    out.push_back(ovsdb::Increment{kOpenVswitch, id, root::kNextCfg, true});
  return out;
}

// ---- The thread

LivenessWatch::LivenessWatch(ControlSocket socket, ovsdb::Client& client,
                             std::function<void()> hint)
    : socket_(std::move(socket)), client_(client), hint_(std::move(hint)) {
  thread_ = std::thread([this] { run(); });
}

LivenessWatch::~LivenessWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Time LivenessWatch::silent_since() const {
  const std::lock_guard lock(mutex_);
  return silent_since_;
}

void LivenessWatch::run() {
  while (true) {
    look(steady_clock());
    probe();
    publish();
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kPause, [this] { return stop_; })) return;
  }
}

/// What the database shows since the last look. Before the question by the socket: what a daemon
/// wrote before it failed to answer is seen before that.
void LivenessWatch::look(Time now) {
  auto read = client_.read(milliseconds(0));
  if (!read) {
    seen_.reset();
    return;
  }
  const auto before = std::exchange(seen_, std::move(*read));
  if (!before)
    liveness_.begin(now);
  else if (before->revision != seen_->revision && daemon_wrote(*before, *seen_))
    liveness_.wrote(now);
  if (now < ask_at_ || !liveness_.should_ask(now)) return;
  // Nothing is told where it can't be written: that is for who has something to write.
  const auto commit = client_.commit(ask_for_sign(*seen_), to_milliseconds(kProbeTimeout));
  if (commit && commit->done)
    liveness_.asked(now);
  else
    ask_at_ = now + kProbeInterval;
}

void LivenessWatch::probe() {
  if (!seen_ || steady_clock() < probe_at_) return;
  const auto answer = socket_.call("version", {}, to_milliseconds(kProbeTimeout));
  const Time now = steady_clock();
  if (answer)
    liveness_.answered(now);
  else
    liveness_.not_answered(now);
  probe_at_ = now + kProbeInterval;
}

void LivenessWatch::publish() {
  const Time now = steady_clock();
  const Time since = seen_ ? liveness_.silent_since(now) : 0;
  {
    const std::lock_guard lock(mutex_);
    if ((since != 0) == (silent_since_ != 0)) return;
    silent_since_ = since == 0 ? 0 : wall_clock() - (now - since);
  }
  hint_();
}

}  // namespace vmirror::ovs
