#include "plugin/vsphere/submitter.hpp"

#include <algorithm>
#include <utility>

namespace vmirror::vsphere {
namespace {

using State = Submission::State;

/// How long a task may run. Each of the switch's hosts takes its part.
constexpr std::chrono::seconds kTaskPatience{120};
/// How long the inventory may lag behind a task that succeeded.
constexpr std::chrono::seconds kShowPatience{3};

}  // namespace

Submitter::Submitter(VimClient& client, Follower& follower, std::function<void()> ended)
    : client_(client), follower_(follower), ended_(std::move(ended)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Submitter::~Submitter() {
  thread_.request_stop();
  thread_.join();
}

Ticket Submitter::begin(Changes changes) {
  const std::lock_guard lock(mutex_);
  std::erase_if(submissions_, [](const auto& each) { return each.second.state != State::running; });
  Submission& is = submissions_[++tickets_];
  if (changes.empty()) {
    is.state = State::settled;
  } else {
    waiting_.emplace_back(tickets_, std::move(changes));
    wake_.notify_all();
  }
  return tickets_;
}

std::map<Ticket, Submission> Submitter::submissions() {
  const std::lock_guard lock(mutex_);
  return submissions_;
}

void Submitter::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const auto [ticket, changes] = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    Submission is{State::settled, {}};
    const auto add = [&](Submission one) {
      // What failed is told before what met another world: a look does not help it.
      if (one.state == State::failed || (one.state == State::conflict && is.state != State::failed))
        is = std::move(one);
    };
    for (const SwitchChange& change : changes.distributed) add(carry_out(change, stop));
    for (const SpanChange& change : changes.standard) add(carry_out(change, stop));
    for (const ClusterChange& change : changes.clusters) add(carry_out(change, stop));
    lock.lock();
    submissions_[ticket] = std::move(is);
    lock.unlock();
    ended_();
    lock.lock();
  }
}

/// The one port that a fault is about is looked at, so that the others can be served.
Submission Submitter::failed(const SwitchChange& change, const std::string& fault, Error error,
                             const std::stop_token& stop) {
  if (fault == "ConcurrentAccess") return {State::conflict, {}};
  constexpr std::string_view kPort = "portKey ";
  if (fault == "VspanPromiscuousPortNotSupported")
    if (const std::size_t at = error.what.find(kPort); at != std::string::npos) {
      const std::size_t from = at + kPort.size();
      follower_.suspect(change.distributed_switch,
                        error.what.substr(from, error.what.find_first_of(",)", from) - from), stop);
    }
  return {State::failed, std::move(error)};
}

Submission Submitter::carry_out(const SpanChange& change, const std::stop_token& stop) {
  for (const SpanStep& step : change.steps) {
    const auto done = vsphere::carry_out(client_, change.at, step, stop);
    if (!done && done.error().kind == Error::Kind::missing) return {State::conflict, {}};
    if (!done) return {State::failed, done.error()};
    if (step.kind == SpanStep::Kind::set_option) follower_.option_is(change.at.host, 1);
  }
  follower_.wait_until(
      [&](const Inventory& inventory) {
        return std::ranges::all_of(
            change.steps, [&](const SpanStep& step) { return shows(inventory, change.at, step); });
      },
      kShowPatience);
  return {State::settled, {}};
}

Submission Submitter::carry_out(const ClusterChange& change, const std::stop_token& stop) {
  const auto done = vsphere::carry_out(client_, change, stop);
  if (!done) return {State::failed, done.error()};
  follower_.wait_until([&](const Inventory& inventory) { return shows(inventory, change); },
                       kShowPatience);
  return {State::settled, {}};
}

Submission Submitter::carry_out(const SwitchChange& change, const std::stop_token& stop) {
  auto begun =
      reconfigure(client_, change.distributed_switch, change.version, change.changes, stop);
  if (!begun) return {State::failed, begun.error()};
  if (!begun->fault.empty()) return failed(change, begun->fault, std::move(begun->error), stop);
  auto task = end_of_task(client_, task_of(*begun),
                          "the task of distributed switch " + change.distributed_switch.id,
                          kTaskPatience, stop);
  if (!task) return {State::failed, task.error()};
  if (task->state == TaskInfo::State::error)
    return failed(change, task->fault, std::move(task->error), stop);
  follower_.wait_past(change.distributed_switch, change.version, kShowPatience);
  return {State::settled, {}};
}

}  // namespace vmirror::vsphere
