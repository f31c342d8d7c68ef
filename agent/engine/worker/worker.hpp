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
  const std::string& input() const { return input_.name; }
  int number() const { return number_; }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  /// A list that is being told, part by part.
  template <typename List>
  struct Telling {
    List list;
    std::uint64_t number = 0;  ///< The requests that it answers.
    std::size_t from = 0;      ///< Where it goes on; 0: it is not begun.
  };

  void run();
  void attempt();
  void pump();
  void answer(Pipeline& pipeline);
  void do_jobs(Pipeline& pipeline);
  void idle();
  void serve();
  void serve_one();
  template <typename List, typename Add>
  void tell_more(Telling<List>& telling, std::uint64_t& due, const Add& add);
  std::size_t add_flows(std::size_t from, std::vector<Flow>& to);
  EngineCounters counters() const;
  void lost(Error error);
  void try_later();
  void tell(const Error* error);
  void open_reinjector();
  void tell_reinjection();

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
  bool reinject_told_ = false;  ///< That it fails.
  TimePoint reinject_at_ = {};  ///< When it is tried again, while that is of use.
  std::string told_;            ///< EngineOptions::on_input; empty: frames come.
  std::chrono::milliseconds retry_{0};
  TimePoint retry_at_ = {};
  SlicesDue due_;              ///< Slices that others wait for.
  TimePoint next_slice_ = {};  ///< While frames come, not before then.
  TimePoint ticked_ = {};      ///< Pipeline::tick, while no frames come.
  Telling<KnownAssets> macs_;
  Telling<TopFlows> flows_;
  std::vector<std::uint32_t> flow_places_;
  Telling<AssetList> assets_;
  Telling<FindingList> findings_;
  std::vector<WorkerJob> jobs_;  ///< That wait for what is under way.
  TimePoint last_batch_ = {};    ///< While they do.
};

}  // namespace vmirror
