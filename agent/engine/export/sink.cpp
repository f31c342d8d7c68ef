// The queue is two buffers: workers append to one while the writer works off the other. They are
// swapped when the writer's is done, so that a lock is held for a copy or a swap and never while
// anything is written.
#include "agent/engine/export/sink.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "agent/engine/export/output.hpp"

namespace vmirror {

const std::string& name(const SinkOptions& options) {
  return std::visit([](const auto& output) -> const std::string& { return output.path; },
                    options.output);
}

const char* to_text(LineLoss loss) {
  switch (loss) {
    case LineLoss::queue_full:
      return "queue_full";
    case LineLoss::too_long:
      return "too_long";
    case LineLoss::disconnected:
      return "disconnected";
    case LineLoss::stopped:
      return "stopped";
    case LineLoss::count_:
      break;
  }
  return "unknown";
}

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

struct LineSink::State {
  SinkOptions options;
  std::unique_ptr<LineOutput> output;  ///< The writer's.
  std::string writing;                 ///< The writer's.

  mutable std::mutex mutex;  ///< Guards all below.
  std::condition_variable wake, room;
  std::string pending;
  std::size_t writing_left = 0;
  SinkStatus status;
  bool reopen = false;
  bool stopping = false;
  Clock::time_point stop_at;

  std::thread writer;

  void lose(LineLoss reason, std::uint64_t lines) {
    status.lost[static_cast<std::size_t>(reason)] += lines;
  }

  /// The writer: takes a buffer, works it off, until it is told to stop and nothing is left.
  void run() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || reopen || !pending.empty(); });
      if (std::exchange(reopen, false)) {
        lock.unlock();
        output->reopen();
        lock.lock();
      }
      if (pending.empty()) {
        if (stopping) return;
        continue;
      }
      writing.clear();
      std::swap(writing, pending);
      writing_left = writing.size();
      const std::string_view left = work_off(lock);
      writing_left = 0;
      if (!left.empty()) {  // only when stopping
        lose(LineLoss::stopped, count_lines(left) + count_lines(pending));
        pending.clear();
        return;
      }
    }
  }

  /// Returns what could not be written before the end.
  std::string_view work_off(std::unique_lock<std::mutex>& lock) {
    std::string_view left = writing;
    while (!left.empty()) {
      if (std::exchange(reopen, false)) output->reopen();
      if (stopping && Clock::now() >= stop_at) return left;
      lock.unlock();
      const Attempt attempt = output->write(left);
      lock.lock();
      left.remove_prefix(attempt.taken);
      writing_left = left.size();
      status.lines += attempt.lines;
      status.bytes += attempt.written;
      status.rotations += attempt.rotations;
      if (attempt.lost > 0) lose(attempt.reason, attempt.lost);
      if (attempt.error || attempt.written > 0) status.error = attempt.error;
      room.notify_all();
      if (!attempt.error) continue;
      if (stopping) return left;
      wake.wait_for(lock, options.retry, [&] { return stopping || reopen; });
    }
    return left;
  }
};

LineSink::LineSink(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<LineSink>> LineSink::open(SinkOptions options) {
  auto output = std::holds_alternative<FileOutput>(options.output)
                    ? make_file_output(std::get<FileOutput>(options.output))
                    : make_socket_output(std::get<SocketOutput>(options.output));
  if (!output) return tl::unexpected<Error>(output.error());
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  state->output = std::move(*output);
  State* shared = state.get();
  state->writer = std::thread([shared] { shared->run(); });
  return std::unique_ptr<LineSink>(new LineSink(std::move(state)));
}

LineSink::~LineSink() {
  stop();
}

void LineSink::submit(std::string_view lines) {
  if (lines.empty()) return;
  {
    std::unique_lock lock(state_->mutex);
    std::size_t waiting = 0;
    const auto fits = [&] {
      waiting = state_->pending.size() + state_->writing_left;
      return waiting == 0 || waiting + lines.size() <= state_->options.queue_bytes;
    };
    if (state_->options.wait)
      state_->room.wait(lock, [&] { return fits() || state_->stopping || state_->status.error; });
    if (state_->stopping) {
      state_->lose(LineLoss::stopped, count_lines(lines));
    } else if (!fits()) {
      state_->lose(LineLoss::queue_full, count_lines(lines));
    } else {
      state_->pending.append(lines);
    }
  }
  state_->wake.notify_one();
}

void LineSink::reopen() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->reopen = true;
  }
  state_->wake.notify_one();
}

SinkStatus LineSink::status() const {
  const std::lock_guard lock(state_->mutex);
  SinkStatus status = state_->status;
  status.name = name(state_->options);
  status.waiting_bytes = state_->pending.size() + state_->writing_left;
  status.queue_bytes = state_->options.queue_bytes;
  return status;
}

void LineSink::close() {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->stopping) state_->stop_at = Clock::now() + state_->options.drain;
    state_->stopping = true;
  }
  state_->wake.notify_one();
}

void LineSink::stop() {
  close();
  if (state_->writer.joinable()) state_->writer.join();
}

Result<std::unique_ptr<LineSinks>> LineSinks::open(std::vector<SinkOptions> options) {
  auto out = std::make_unique<LineSinks>();
  for (SinkOptions& one : options) {
    auto sink = LineSink::open(std::move(one));
    if (!sink) return tl::unexpected(sink.error());
    out->sinks_.push_back(std::move(*sink));
  }
  return out;
}

void LineSinks::submit(std::string_view lines) {
  for (const auto& sink : sinks_) sink->submit(lines);
}

void LineSinks::reopen() {
  for (const auto& sink : sinks_) sink->reopen();
}

std::vector<SinkStatus> LineSinks::status() const {
  std::vector<SinkStatus> out;
  for (const auto& sink : sinks_) out.push_back(sink->status());
  return out;
}

void LineSinks::stop() {
  for (const auto& sink : sinks_) sink->close();
  for (const auto& sink : sinks_) sink->stop();
}

}  // namespace vmirror
