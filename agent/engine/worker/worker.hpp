// One of the engine's threads (engine.hpp): a source, opened again when it fails, and a pipeline.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/engine/worker/engine.hpp"
#include "agent/engine/worker/slot.hpp"

namespace vmirror {

/// One worker: a source, a pipeline, a thread.
class Worker {
 public:
  /// `engine` outlives it.
  Worker(InputOptions input, PipelineOptions pipeline, int number, const EngineOptions& engine)
      : input_(std::move(input)), options_(std::move(pipeline)), number_(number), engine_(engine) {}

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  WorkerSlot& slot() { return slot_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void run();
  void attempt();
  void pump();
  void answer(Pipeline& pipeline);
  void do_jobs(Pipeline& pipeline);
  EngineSnapshot snapshot(const Pipeline& pipeline) const;
  void lost(Error error);
  void tell(const Error* error);
  void open_reinjector();

  const InputOptions input_;
  PipelineOptions options_;
  int number_;
  const EngineOptions& engine_;
  WorkerSlot slot_;
  std::thread thread_;

  // Of the worker's thread.
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<FrameSource> source_;
  std::optional<Reinjector> reinjector_;
  bool hopeless_ = false;       ///< The source would fail in the same way again.
  std::optional<Error> error_;  ///< What is wrong with the source now.
  std::optional<Error> reinject_error_;
  TimePoint reinject_at_ = {};  ///< When it is tried again, while that is of use.
  std::string told_;            ///< EngineOptions::on_input; empty: frames come.
  std::chrono::milliseconds retry_{0};
  TimePoint retry_at_ = {};
  std::vector<WorkerJob> jobs_;  ///< That wait for what is under way.
  TimePoint last_batch_ = {};    ///< While they do.
};

}  // namespace vmirror
