// The engine's threads. Each input has one worker or several (a ring's fanout group); a worker is
// one thread that owns one source and one pipeline, and nothing of it is shared:
//
//   source -> pipeline            snapshot() -> request flag, looked at once a batch
//      ^ opened again when lost              <- a snapshot in the worker's slot
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/engine/pipeline.hpp"

namespace vmirror {

/// One capture input.
struct InputOptions {
  std::string name;  ///< "mon0": unique in the engine.
  int workers = 1;   ///< More than one: `open` joins them to a fanout group.
  /// Opens the source of worker 0..workers-1. Called on that worker's thread, and again after the
  /// source failed.
  std::function<Result<std::unique_ptr<FrameSource>>(int worker)> open;
  DecapOptions decap;
  /// Opens where this input's decapsulated frames are sent on to; empty: nowhere. Called once for
  /// each worker, on its thread.
  std::function<Result<Reinjector>()> open_reinjector;
};

struct EngineOptions {
  std::vector<InputOptions> inputs;
  /// What all pipelines have in common. Limits are of each worker. input_name, decap and reinject
  /// are the input's.
  PipelineOptions pipeline;
  std::chrono::milliseconds retry_min{100}, retry_max{5000};  ///< Backoff of a failed source.
};

/// All functions may be called by any thread.
class Engine {
 public:
  /// Starts the threads. A source that can't be opened is no failure: its input's snapshot has the
  /// error, and it is tried again; unless the error is Error::Kind::invalid, which ends the worker.
  explicit Engine(EngineOptions options);
  /// stop()
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// One more input, from now on; it watches what the others do.
  void add(InputOptions input);
  /// Everything that is known now, of all workers. Waits for each worker to finish its batch; a
  /// worker that does not answer within `wait` is represented by its last snapshot.
  std::shared_ptr<const EngineSnapshot> snapshot(
      std::chrono::milliseconds wait = std::chrono::milliseconds(1000));
  /// From each worker's next batch on.
  void watch(std::shared_ptr<const MirrorIndex> index);
  /// True once every worker has ended: its capture file is read to the end and all was flushed.
  bool finished() const;
  /// Reports all flows as flushed, ends the threads. Snapshots keep working: they show the end.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
