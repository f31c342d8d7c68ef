// The threads: all frames of all workers are counted, snapshots come while frames flow, a source
// that fails is opened again, and the end comes when asked.
#include "agent/engine/worker/engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/support/encapsulate.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;

/// Gives the scene's frames `rounds` times, then ends, waits for ever, or fails.
class SceneSource : public FrameSource {
 public:
  enum class End { finished, waits, fails };
  SceneSource(int rounds, End end) : frames_(scene()), rounds_(rounds), end_(end) {}

  Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
    if (rounds_ == 0) {
      if (end_ == End::fails) return fail(Error::Kind::unreachable, "the link is down", "mon0");
      if (end_ == End::waits) std::this_thread::sleep_for(std::chrono::milliseconds(timeout_ms));
      return 0;
    }
    std::size_t n = 0;
    for (; n < batch.size() && at_ < frames_.size(); ++n) batch[n] = frame_of(frames_[at_++], 1);
    if (at_ == frames_.size()) {
      at_ = 0;
      --rounds_;
    }
    return n;
  }
  bool finished() const override { return rounds_ == 0 && end_ == End::finished; }
  std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
  std::span<const std::string> warnings() const override { return warnings_; }

 private:
  std::vector<Buffer> frames_;
  std::size_t at_ = 0;
  int rounds_;
  End end_;
  std::array<std::uint64_t, kDropKinds> dropped_{1};
  std::vector<std::string> warnings_{"mon0: offloads are on"};
};

InputOptions input(std::string name, int workers, int rounds, SceneSource::End end) {
  InputOptions options;
  options.name = std::move(name);
  options.workers = workers;
  options.open = [=](int) -> Result<std::unique_ptr<FrameSource>> {
    return std::make_unique<SceneSource>(rounds, end);
  };
  return options;
}

EngineOptions engine_options(std::vector<InputOptions> inputs) {
  EngineOptions options;
  options.inputs = std::move(inputs);
  options.pipeline.dissectors = all_dissectors();
  options.retry_min = options.retry_max = std::chrono::milliseconds(1);
  return options;
}

/// Asks until `done` says yes, at most for a while.
std::shared_ptr<const EngineSnapshot> until(
    Engine& engine, const std::function<bool(const EngineSnapshot&)>& done) {
  std::shared_ptr<const EngineSnapshot> snapshot;
  for (int i = 0; i < 3000; ++i) {
    snapshot = engine.snapshot();
    if (done(*snapshot)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return snapshot;
}

TEST(Engine, CountsTheFramesOfAllWorkers) {
  Engine engine(engine_options({input("mon0", 3, 20, SceneSource::End::finished),
                                input("mon1", 1, 10, SceneSource::End::finished)}));
  const auto snapshot = until(engine, [&](const auto&) { return engine.finished(); });
  engine.stop();
  const auto end = engine.snapshot();
  const std::uint64_t size = scene().size();
  ASSERT_EQ(end->inputs.size(), 2u);
  EXPECT_EQ(end->inputs[0].workers, 3);
  EXPECT_EQ(end->inputs[0].frames.analysed, 3 * 20 * size);
  EXPECT_EQ(end->inputs[0].frames.received, 3 * (20 * size + 1)) << "and one lost by each source";
  EXPECT_EQ(end->inputs[1].frames.analysed, 10 * size);
  EXPECT_EQ(end->inputs[0].warnings, std::vector<std::string>{"mon0: offloads are on"});
  EXPECT_TRUE(end->inputs[0].frames.balanced());
  EXPECT_EQ(end->flows_active, 0u);
}

TEST(Engine, AnswersWhileFramesFlow) {
  Engine engine(engine_options({input("mon0", 2, 1 << 30, SceneSource::End::waits)}));
  auto index = std::make_shared<MirrorIndex>();
  index->nics.set({"br0", "vnet0"}, {.mac = mac("52:54:00:00:00:01")});
  std::vector<std::thread> askers;
  std::atomic<int> answers = 0;
  for (int i = 0; i < 3; ++i)
    askers.emplace_back([&] {
      std::uint64_t before = 0;
      for (int n = 0; n < 20; ++n) {
        engine.watch(n % 2 == 0 ? index : nullptr);
        const auto snapshot = engine.snapshot();
        EXPECT_GE(snapshot->frames().received, before);
        EXPECT_TRUE(snapshot->frames().balanced());
        before = snapshot->frames().received;
        ++answers;
      }
    });
  for (std::thread& asker : askers) asker.join();
  EXPECT_EQ(answers, 60);
  engine.watch(index);
  const auto watched =
      until(engine, [](const EngineSnapshot& s) { return !s.nics.empty() && s.nics[0].out > 0; });
  EXPECT_GT(watched->nics.at(0).out, 0u);
  engine.stop();
  EXPECT_GT(engine.snapshot()->frames().received, 0u) << "the end stays";
}

TEST(Engine, OpensAFailedSourceAgain) {
  std::atomic<int> opened = 0;
  InputOptions flapping = input("mon0", 1, 1, SceneSource::End::fails);
  flapping.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    const int n = ++opened;
    if (n == 2) return fail(Error::Kind::missing, "no such interface", "mon0");
    return std::make_unique<SceneSource>(
        1, n < 4 ? SceneSource::End::fails : SceneSource::End::finished);
  };
  std::vector<std::string> told;  // By the only worker.
  EngineOptions options = engine_options({flapping});
  options.on_input = [&told](const std::string& input, const Error* error) {
    told.push_back(input + ": " + (error ? error->what : "frames"));
  };
  Engine engine(std::move(options));
  until(engine, [&](const auto&) { return engine.finished(); });
  const auto end = engine.snapshot();
  EXPECT_EQ(opened, 4);
  EXPECT_EQ(end->frames().analysed, 3 * scene().size());
  EXPECT_EQ(end->frames().dropped_total(), 3u) << "each source's own losses";
  engine.stop();
  EXPECT_EQ(told,
            (std::vector<std::string>{"mon0: the link is down", "mon0: no such interface",
                                      "mon0: frames", "mon0: the link is down", "mon0: frames"}));
  EXPECT_FALSE(end->inputs[0].error);
}

TEST(Engine, SaysWhatIsWrongMeanwhile) {
  InputOptions missing = input("mon0", 1, 1, SceneSource::End::fails);
  missing.open = [](int) -> Result<std::unique_ptr<FrameSource>> {
    return fail(Error::Kind::missing, "no such interface", "mon0");
  };
  Engine engine(engine_options({missing}));
  const auto snapshot =
      until(engine, [](const EngineSnapshot& s) { return s.inputs[0].error.has_value(); });
  ASSERT_TRUE(snapshot->inputs[0].error);
  EXPECT_EQ(snapshot->inputs[0].error->text(), "mon0: no such interface");
  EXPECT_FALSE(engine.finished());
}

TEST(Engine, AnInputWithNothingToReadWaitsWithoutAFault) {
  std::atomic<int> opened = 0;
  InputOptions waiting = input("mon0", 1, 1, SceneSource::End::finished);
  waiting.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    if (++opened < 4) return nullptr;
    return std::make_unique<SceneSource>(1, SceneSource::End::finished);
  };
  std::vector<std::string> told;  // By the only worker.
  EngineOptions options = engine_options({waiting});
  options.on_input = [&told](const std::string& input, const Error*) { told.push_back(input); };
  Engine engine(std::move(options));
  until(engine, [&](const auto&) { return engine.finished(); });
  EXPECT_EQ(engine.snapshot()->frames().analysed, scene().size());
  EXPECT_FALSE(engine.snapshot()->inputs[0].error);
  engine.stop();
  EXPECT_EQ(told, std::vector<std::string>{});
}

/// One that opens and fails only once it is read, as a ring may: whoever asks is told of the error.
TEST(Engine, AskingDoesNotHideWhatIsWrong) {
  std::atomic<int> opened = 0;
  InputOptions failing = input("mon0", 1, 0, SceneSource::End::fails);
  failing.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    class Late : public SceneSource {
     public:
      Late() : SceneSource(0, End::waits) {}
      Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
        if (asked_once_) return fail(Error::Kind::unreachable, "the link is down", "mon0");
        asked_once_ = true;
        return SceneSource::next(batch, std::min(timeout_ms, 1));
      }

     private:
      bool asked_once_ = false;
    };
    return std::make_unique<Late>();
  };
  EngineOptions options = engine_options({failing});
  options.retry_min = options.retry_max = std::chrono::seconds(30);
  Engine engine(std::move(options));
  until(engine, [](const EngineSnapshot& s) { return s.inputs[0].error.has_value(); });
  for (int i = 0; i < 20; ++i)
    EXPECT_TRUE(engine.snapshot()->inputs[0].error) << "asked " << i << " times since";
  EXPECT_EQ(opened, 1) << "nobody who asks cuts the wait short";
}

TEST(Engine, GivesUpWhatCanNeverWork) {
  InputOptions wrong = input("mon0", 1, 1, SceneSource::End::fails);
  int opened = 0;
  wrong.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    return fail(Error::Kind::invalid, "block size 7", "mon0");
  };
  Engine engine(engine_options({wrong}));
  until(engine, [&](const auto&) { return engine.finished(); });
  EXPECT_TRUE(engine.finished());
  EXPECT_EQ(opened, 1);
  EXPECT_TRUE(engine.snapshot()->inputs[0].error);
}

/// Frames of long ago without a pause, so that what was asked waits; then it fails for good.
class DyingSource : public SceneSource {
 public:
  explicit DyingSource(const std::atomic<bool>& dead)
      : SceneSource(1 << 30, End::waits), dead_(dead) {}
  Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
    if (dead_) return fail(Error::Kind::unreachable, "the link is down", "mon0");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return SceneSource::next(batch.first(1), timeout_ms);
  }

 private:
  const std::atomic<bool>& dead_;
};

TEST(Engine, WhatIsAskedIsAnsweredThoughTheSourceFailsMeanwhile) {
  std::atomic<bool> dead = false;
  std::atomic<int> opened = 0;
  InputOptions dying = input("mon0", 1, 1, SceneSource::End::waits);
  dying.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    ++opened;
    if (dead) return fail(Error::Kind::missing, "no such interface", "mon0");
    return std::make_unique<DyingSource>(dead);
  };
  EngineOptions options = engine_options({dying});
  options.retry_min = options.retry_max = std::chrono::milliseconds(20);
  Engine engine(std::move(options));
  until(engine, [](const EngineSnapshot& s) { return s.frames().analysed > 0; });
  std::thread link([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    dead = true;
  });
  const Handover taken =
      engine.take({Mac::from(scene()[0].data() + 6)}, {}, std::chrono::seconds(4));
  link.join();
  EXPECT_EQ(taken.workers_missing, 0);
  EXPECT_LT(opened, 250) << "20 ms lie between two attempts";
}

/// One whose worker hangs while `hangs` is set.
class HangingSource : public SceneSource {
 public:
  explicit HangingSource(const std::atomic<bool>& hangs)
      : SceneSource(1, End::waits), hangs_(hangs) {}
  Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
    const auto taken = SceneSource::next(batch, std::min(timeout_ms, 1));
    while (hangs_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return taken;
  }

 private:
  const std::atomic<bool>& hangs_;
};

TEST(Engine, AStuckWorkerIsShownAsSuch) {
  std::atomic<bool> hangs = false, never = false;
  const auto hanging = [](const char* name, int workers, const std::atomic<bool>& flag) {
    InputOptions out = input(name, workers, 1, SceneSource::End::waits);
    out.open = [&flag](int) -> Result<std::unique_ptr<FrameSource>> {
      return std::make_unique<HangingSource>(flag);
    };
    return out;
  };
  Engine engine(engine_options({hanging("mon0", 2, never), hanging("mon1", 1, hangs)}));
  const std::uint64_t size = scene().size();
  until(engine, [&](const auto& s) { return s.frames().analysed == 3 * size; });
  const auto assets = engine.assets().assets;
  const std::uint64_t known = engine.counters().assets_known;
  EXPECT_EQ(known, assets.size()) << "all three know the same";
  hangs = true;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  constexpr std::chrono::milliseconds kPatience{500};
  for (int times = 0; times < 3; ++times) {
    const EngineCounters counters = engine.counters(kPatience);
    ASSERT_EQ(counters.inputs.size(), 2u);
    EXPECT_FALSE(counters.inputs[0].error);
    ASSERT_TRUE(counters.inputs[1].error);
    EXPECT_NE(counters.inputs[1].error->what.find("has not answered for"), std::string::npos);
    EXPECT_EQ(counters.inputs[1].frames.analysed, size) << "as it was";
    EXPECT_EQ(counters.assets_known, known);
    const AssetList list = engine.assets(kPatience);
    EXPECT_EQ(list.workers_missing, 1);
    EXPECT_EQ(list.assets.size(), assets.size());
    EXPECT_EQ(engine.top_flows(kPatience).workers_missing, 1);
  }
  hangs = false;
  const auto after = until(engine, [](const auto& s) { return !s.inputs[1].error; });
  EXPECT_FALSE(after->inputs[1].error);
  EXPECT_EQ(engine.assets().workers_missing, 0);
}

/// Counters, flows and assets are asked for by several at once while frames flow; each answer is
/// whole.
TEST(Engine, SlicesAreWholeWhoeverAsks) {
  Engine engine(engine_options({input("mon0", 2, 1 << 30, SceneSource::End::waits)}));
  const auto settled = until(engine, [](const auto& s) { return s.frames().received > 5000; });
  std::vector<std::thread> askers;
  for (int i = 0; i < 4; ++i)
    askers.emplace_back([&] {
      Time before = 0;
      for (int n = 0; n < 30; ++n) {
        const EngineCounters counters = engine.counters();
        EXPECT_GE(counters.time, before);
        before = counters.time;
        EXPECT_EQ(counters.assets_known, settled->assets.size());
        EXPECT_TRUE(counters.frames().balanced());
        const AssetList assets = engine.assets();
        EXPECT_EQ(assets.assets.size(), settled->assets.size());
        EXPECT_GE(assets.from, before);
        EXPECT_GE(assets.to, assets.from);
        EXPECT_FALSE(engine.top_flows().flows.empty());
      }
    });
  for (std::thread& asker : askers) asker.join();
  engine.stop();
  EXPECT_EQ(engine.assets().assets.size(), settled->assets.size()) << "the end stays";
  EXPECT_TRUE(engine.top_flows().flows.empty());
}

TEST(Engine, WhereBareFramesGoIsLookedForUntilItIsThere) {
  for (const auto kind : {Error::Kind::missing, Error::Kind::refused}) {
    std::atomic<int> opened = 0;
    InputOptions bare = input("mon0", 1, 1, SceneSource::End::waits);
    bare.open_reinjector = [&, kind]() -> Result<Reinjector> {
      ++opened;
      return fail(kind, "no such interface", "mon1");
    };
    Engine engine(engine_options({bare}));
    const int wanted = kind == Error::Kind::missing ? 2 : 1;
    until(engine, [&](const EngineSnapshot& s) { return s.inputs[0].error && opened >= wanted; });
    EXPECT_EQ(opened, wanted);
    EXPECT_EQ(engine.snapshot()->inputs[0].error->text(), "mon1: no such interface");
  }
}

TEST(Engine, WithoutInputsIsQuiet) {
  Engine engine(engine_options({}));
  EXPECT_TRUE(engine.snapshot()->inputs.empty());
  EXPECT_TRUE(engine.finished());
}

}  // namespace
}  // namespace vmirror
