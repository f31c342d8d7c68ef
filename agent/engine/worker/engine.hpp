// The engine's threads. Each input has one worker or several (a ring's fanout group); a worker is
// one thread that owns one source and one pipeline, and nothing of it is shared:
//
//   source -> pipeline             counters(), ... -> request flag, looked at once a batch
//      ^ opened again when lost                    <- a slice in the worker's slot
//
// Between two batches a worker makes one slice at most, or one part of a list, in much less than
// 0.5 ms whatever it knows; and while frames come, slices take at most a tenth of its time.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/engine/worker/handover.hpp"
#include "agent/engine/worker/pipeline.hpp"
#include "agent/model/copies.hpp"

namespace vmirror {

/// One capture input.
struct InputOptions {
  std::string name;  ///< "mon0": unique in the engine.
  int workers = 1;   ///< More than one: `open` joins them to a fanout group.
  /// Opens the source of worker 0..workers-1. Called on that worker's thread, and again after the
  /// source failed. Null: there is nothing to read now, which is no fault; asked again later.
  std::function<Result<std::unique_ptr<FrameSource>>(int worker)> open;
  DecapOptions decap;
  Identity identity;
  /// Opens where this input's decapsulated frames are sent on to; empty: nowhere. Called for each
  /// worker, on its thread, once a second until it succeeds or fails otherwise than by
  /// Error::Kind::missing.
  std::function<Result<Reinjector>()> open_reinjector;
};

struct EngineOptions {
  std::vector<InputOptions> inputs;
  /// What all pipelines have in common. Limits are of each worker. input_name, decap and reinject
  /// are the input's.
  PipelineOptions pipeline;
  std::chrono::milliseconds retry_min{100}, retry_max{5000};  ///< Backoff of a failed source.
  /// An input can't be read, for this reason; null: frames come again. Told when that changes, not
  /// with each attempt, from the input's thread.
  std::function<void(const std::string& input, const Error* error)> on_input = {};
  std::size_t max_adopted = 2 * 65536;  ///< Flows that were given and wait to go on, of all guests.
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
  // -- slices (snapshot.hpp). They wait for each worker, at most `wait`, and for a worker that is
  // stuck not again until it answers: not for threads that must not wait --
  /// A worker that does not answer is represented by its last counters; its input's `error` says
  /// so.
  EngineCounters counters(std::chrono::milliseconds wait = kPatience) const;
  TopFlows top_flows(std::chrono::milliseconds wait = kPatience) const;
  AssetList assets(std::chrono::milliseconds wait = kPatience) const;
  FindingList findings(std::chrono::milliseconds wait = kPatience) const;
  /// All of them, one after the other.
  std::shared_ptr<const EngineSnapshot> snapshot(std::chrono::milliseconds wait = kPatience) const;
  static constexpr std::chrono::milliseconds kPatience{1000};

  /// From each worker's next batch on.
  void watch(std::shared_ptr<const MirrorIndex> index);
  /// Only what was counted of the watched NICs, and lost by the inputs: at once and at little cost,
  /// whatever the workers do. Of counters that move meanwhile each is right for itself.
  NicReadings nics() const;
  /// NicFrames::first_out of this NIC is the next frame's. At once.
  void restart_first_out(const PortKey& nic);

  // -- guests that move: source take, let_go; destination give; see handover.hpp --
  /// What is known of the guest with these MACs, latest flows first, within the limits. Changes
  /// nothing: should the migration be aborted, all goes on. To be called once the guest is
  /// suspended. Each worker answers when it has read all frames that were there at the call (that
  /// takes 30 ms where none comes after them), or half of `wait` has passed. Those that do not
  /// answer within `wait` are counted in the handover.
  Handover take(std::vector<Mac> macs, const HandoverLimits& limits = {},
                std::chrono::milliseconds wait = std::chrono::milliseconds(200));
  /// The guest has left: its flows end as FlowEnd::moved, all but those whose other end is watched
  /// here, which are still seen. On the destination of an aborted migration: what was given of it
  /// and did not go on is forgotten. Does not wait.
  void let_go(std::vector<Mac> macs);
  /// The guest's flows go on here: each where its next packet comes (or came already), as one flow
  /// with the source's id, start and counters; records that were told before the state came have
  /// the id that the flow had here. What goes on nowhere ends as idle in its protocol's own time.
  /// Past max_adopted flows the handover is not taken: the result says so. Does not wait; what is
  /// asked before a frame comes is there before it is analysed.
  HandoverResult give(Handover handover, std::uint64_t encoded_bytes = 0);
  /// True once every worker has ended: its capture file is read to the end and all was flushed.
  bool finished() const;
  /// Reports all flows as flushed, ends the threads. Snapshots keep working: they show the end.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vmirror
