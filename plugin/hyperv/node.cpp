#include "plugin/hyperv/node.hpp"

#include <algorithm>
#include <utility>

namespace vmirror::hyperv {
namespace {

using std::chrono::milliseconds;
using State = Submission::State;

constexpr milliseconds kFirstPause{100}, kMostPause{5'000};  ///< After errors; doubled.
/// Of a cluster group, thus of a VM: it goes to another node, starts or ends.
constexpr const char* kGroupEvents = "SELECT * FROM MSCluster_EventGroupStateChange";
/// A subscription can't be renewed; it is followed by another before it ends.
constexpr std::chrono::seconds kExpires{600}, kFollowed{540};
/// Until the next attempt to subscribe: after a failure, and where the host has no such events.
constexpr std::chrono::seconds kListenSoon{5}, kListenLater{600};
/// How long a submission waits for the reading that shows what came of it.
constexpr std::chrono::seconds kReadPatience{60};

}  // namespace

Node::Node(std::unique_ptr<WsmanClient> client, NodeOptions options, std::function<void()> changed)
    : client_(std::move(client)), options_(std::move(options)), changed_(std::move(changed)) {
  latest_.reading.url = client_->url();
  reader_ = std::jthread([this](const std::stop_token& stop) { read_on(stop); });
  worker_ = std::jthread([this](const std::stop_token& stop) { work_on(stop); });
  listener_ = std::jthread([this](const std::stop_token& stop) { listen_on(stop); });
}

Node::~Node() {
  listener_.request_stop();
  worker_.request_stop();
  reader_.request_stop();
  listener_.join();
  worker_.join();
  reader_.join();
}

Node::Latest Node::latest(milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (!wake_.wait_for(lock, patience, [this] { return tried_; })) {
    Latest out = latest_;
    out.failing_since = Clock::now();
    out.reading.error = {
        Error::Kind::unreachable,
        "the host has not answered within " + std::to_string(patience.count()) + " ms",
        url(),
        {}};
    return out;
  }
  return latest_;
}

void Node::look_again() {
  const std::lock_guard lock(mutex_);
  wanted_++;
  wake_.notify_all();
}

void Node::submit(std::vector<NodeStep> steps, std::function<void(Submission)> ended) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back({std::move(steps), std::move(ended)});
  wake_.notify_all();
}

// ---- Reading ------------------------------------------------------------------------------------

/// A cluster that can't be read keeps no host from being served: it counts as none, and the reason
/// is kept.
Result<std::optional<std::vector<Instance>>> Node::read(Table table, const std::stop_token& stop) {
  const auto [space, wql] = queries()[static_cast<std::size_t>(table)];
  auto out = client_->query(space, wql, stop);
  const bool of_cluster = static_cast<std::size_t>(table) >= kHostTables;
  if (table == Table::clusters) cluster_error_.clear();
  if (out) return std::optional(std::move(*out));
  Error error = out.error();
  if (of_cluster && error.kind != Error::Kind::unreachable) {
    if (error.kind != Error::Kind::missing) cluster_error_ = error.text();
    return std::nullopt;
  }
  if (error.kind == Error::Kind::missing)
    error.remedy =
        "install the role on this host: Install-WindowsFeature Hyper-V (or leave the host out)";
  return tl::unexpected(std::move(error));
}

Result<void> Node::read_all(const std::stop_token& stop) {
  if (product_.empty()) {
    auto product = client_->identify(stop);
    if (!product) return tl::unexpected(product.error());
    product_ = std::move(*product);
  }
  Tables now;
  for (std::size_t table = 0; table < tables(); table++) {
    auto found = read(static_cast<Table>(table), stop);
    if (!found) return tl::unexpected(found.error());
    now[table] = std::move(*found);
  }
  tables_ = std::move(now);
  return {};
}

/// True: the host may be another than before. `all`: whatever the turn is.
Result<bool> Node::read_next(bool all, const std::stop_token& stop) {
  if (!all) {
    const std::size_t turn = turn_++;
    const Table table =
        turn % 2 == 0 ? Table::connections : static_cast<Table>(1 + turn / 2 % (tables() - 1));
    auto found = read(table, stop);
    if (!found) return tl::unexpected(found.error());
    auto& held = tables_[static_cast<std::size_t>(table)];
    if (*found == held) return false;
    held = std::move(*found);
  }
  if (const auto done = read_all(stop); !done) return tl::unexpected(done.error());
  return true;
}

void Node::read_on(const std::stop_token& stop) {
  milliseconds pause = kFirstPause;
  bool failed = true;
  while (!stop.stop_requested()) {
    std::uint64_t wanted = 0;
    bool all = false;
    {
      const std::lock_guard lock(mutex_);
      wanted = wanted_;
      all = failed || wanted != read_;
    }
    const auto done = read_next(all, stop);
    if (stop.stop_requested()) return;
    std::shared_ptr<const HostState> state;
    if (done && *done) {
      HostState now = read_host(tables_);
      now.cluster_error = cluster_error_;
      state = std::make_shared<const HostState>(std::move(now));
    }
    bool told = false;
    {
      const std::lock_guard lock(mutex_);
      NodeReading& reading = latest_.reading;
      if (!done) {
        told = !failed || !tried_ || !(reading.error == done.error());
        if (!failed || !tried_) latest_.failing_since = Clock::now();
        reading.error = done.error();
        product_.clear();  // What answers next may be another version.
      } else if (*done) {
        told = failed || !reading.state || !(*reading.state == *state);
        if (told) reading.state = std::move(state);
        reading.product = product_;
      }
      if (done) {
        reading.error = {};
        latest_.failing_since.reset();
        if (all || *done) read_ = wanted;
      }
      failed = !done;
      tried_ = true;
    }
    wake_.notify_all();
    if (told) changed_();
    std::unique_lock lock(mutex_);
    const milliseconds rest = failed ? pause : options_.poll;
    wake_.wait_for(lock, stop, rest, [&] { return !failed && wanted_ != read_; });
    pause = failed ? std::min(pause * 2, kMostPause) : kFirstPause;
  }
}

/// Until a reading has begun and ended from now on, or the host can't be read.
void Node::wait_for_reading(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++wanted_;
  wake_.notify_all();
  wake_.wait_for(lock, stop, kReadPatience, [&] { return read_ >= mine || latest_.failing_since; });
}

// ---- Events -------------------------------------------------------------------------------------

void Node::set_events(bool are) {
  {
    const std::lock_guard lock(mutex_);
    if (latest_.reading.events == are) return;
    latest_.reading.events = are;
  }
  changed_();
}

void Node::listen_on(const std::stop_token& stop) {
  const auto rest = [&](std::chrono::seconds pause) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
  };
  while (!stop.stop_requested()) {
    {  // Nobody logs on before the reader has: an account is not locked by two that do.
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return tried_ && !latest_.failing_since; })) return;
    }
    auto context = client_->subscribe(kCluster, kGroupEvents, kExpires, stop);
    std::chrono::seconds pause = kListenSoon;
    if (context) {
      set_events(true);
      look_again();  // What happened before is not told.
      const auto followed = Clock::now() + kFollowed;
      while (context && Clock::now() < followed) {
        const auto asked = Clock::now();
        auto page = client_->await(kCluster, *context, stop);
        // A host that does not wait for events is not asked without a pause.
        if (page && page->items.empty() && Clock::now() - asked < kListenSoon) rest(kListenSoon);
        if (page && !page->items.empty()) look_again();
        if (page)
          *context = std::move(page->context);
        else
          context = tl::unexpected(page.error());
      }
      if (context) continue;
    } else if (context.error().kind != Error::Kind::unreachable) {
      pause = kListenLater;
    }
    set_events(false);
    rest(pause);
  }
}

// ---- Changing -----------------------------------------------------------------------------------

void Node::work_on(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const Work work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const Submission is = carry_out(work.steps, stop);
    wait_for_reading(stop);
    work.ended(is);
    changed_();
    lock.lock();
  }
}

/// A VM that refuses a change keeps no other from being served. What failed is told before what met
/// another world: a look does not help it.
Submission Node::carry_out(const std::vector<NodeStep>& steps, const std::stop_token& stop) {
  std::shared_ptr<const HostState> state;
  {
    const std::lock_guard lock(mutex_);
    state = latest_.reading.state;
  }
  if (!state) return {State::failed, latest(milliseconds(0)).reading.error};
  const Changer changer{*client_, options_.owner};
  Submission out{State::settled, {}};
  for (const NodeStep& each : steps) {
    const auto done = changer.carry_out(each.step, *state, each.switch_id, stop);
    if (done && *done) continue;
    if (done && out.state == State::settled) out.state = State::conflict;
    if (done) continue;
    if (out.state != State::failed) out = {State::failed, done.error()};
    if (done.error().kind == Error::Kind::unreachable) break;
  }
  return out;
}

}  // namespace vmirror::hyperv
