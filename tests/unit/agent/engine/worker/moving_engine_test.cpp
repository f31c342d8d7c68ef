// Guests that move between engines with threads: several workers, several moves, bounds.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/engine/worker/engine.hpp"
#include "tests/support/payloads.hpp"
#include "tests/unit/agent/engine/worker/scene.hpp"

namespace vmirror {
namespace {

using namespace test;
using namespace tcp_flag;
using std::chrono::milliseconds;

const std::vector<Mac> kGuest = {mac("52:54:00:00:00:01")};

/// A worker's source that the test feeds.
class Feed {
 public:
  void put(Buffer frame, Time time) {
    const std::lock_guard lock(mutex_);
    frames_.emplace_back(std::move(frame), time);
    came_.notify_all();
  }
  /// Until the worker came back for more.
  void drain() {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [&] { return frames_.empty() && idle_; });
  }

  class Source : public FrameSource {
   public:
    explicit Source(Feed& feed) : feed_(feed) {}
    Result<std::size_t> next(std::span<Frame> batch, int timeout_ms) override {
      std::unique_lock lock(feed_.mutex_);
      feed_.idle_ = feed_.frames_.empty();
      feed_.drained_.notify_all();
      feed_.came_.wait_for(lock, milliseconds(std::min(timeout_ms, 5)),
                           [&] { return !feed_.frames_.empty(); });
      if (feed_.frames_.empty()) return 0;
      feed_.idle_ = false;
      current_ = std::move(feed_.frames_.front());
      feed_.frames_.pop_front();
      batch[0] = frame_of(current_.first, current_.second);
      return 1;
    }
    bool finished() const override { return false; }
    std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
    std::span<const std::string> warnings() const override { return {}; }

   private:
    Feed& feed_;
    std::pair<Buffer, Time> current_;
    std::array<std::uint64_t, kDropKinds> dropped_{4};
  };

 private:
  std::mutex mutex_;
  std::condition_variable came_, drained_;
  std::deque<std::pair<Buffer, Time>> frames_;
  bool idle_ = false;
};

/// A worker's source that does not come back before it is let go.
class Stuck {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_all();
  }

  class Source : public FrameSource {
   public:
    explicit Source(Stuck& stuck) : stuck_(stuck) {}
    Result<std::size_t> next(std::span<Frame>, int timeout_ms) override {
      std::unique_lock lock(stuck_.mutex_);
      if (stuck_.free_) {
        lock.unlock();
        std::this_thread::sleep_for(milliseconds(std::min(timeout_ms, 5)));
        return 0;
      }
      stuck_.inside_ = true;
      stuck_.changed_.notify_all();
      stuck_.changed_.wait(lock, [&] { return stuck_.free_; });
      return 0;
    }
    bool finished() const override { return false; }
    std::span<const std::uint64_t, kDropKinds> dropped() const override { return dropped_; }
    std::span<const std::string> warnings() const override { return {}; }

   private:
    Stuck& stuck_;
    std::array<std::uint64_t, kDropKinds> dropped_{};
  };

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false, free_ = false;
};

/// An engine of one input with workers that the test feeds one by one.
struct Host {
  explicit Host(int workers, std::size_t max_adopted = 1000) : feeds(workers) {
    static std::uint32_t number = 0;
    EngineOptions options;
    options.pipeline.dissectors = all_dissectors();
    options.pipeline.flows.max_flows = 4096;
    options.pipeline.flows.first_number = ++number * 100000;
    options.max_adopted = max_adopted;
    InputOptions input;
    input.name = "mon0";
    input.workers = workers;
    input.open = [this](int worker) -> Result<std::unique_ptr<FrameSource>> {
      return std::make_unique<Feed::Source>(feeds[static_cast<std::size_t>(worker)]);
    };
    options.inputs = {input};
    engine = std::make_unique<Engine>(std::move(options));
  }
  /// Frames of one port always come to one worker, whose number differs from host to host.
  void see(const Buffer& frame, std::size_t flow, Time time, std::size_t host) {
    feeds[(flow + host) % feeds.size()].put(frame, time);
  }
  void drain() {
    for (Feed& feed : feeds) feed.drain();
  }
  std::uint64_t adopted(std::string_view name) {
    const auto snapshot = engine->snapshot();
    for (const NamedCount& count : snapshot->adopted)
      if (count.name == name) return count.count;
    return 0;
  }
  Limit adoption_limit() {
    const auto snapshot = engine->snapshot();
    for (const Limit& limit : snapshot->limits)
      if (limit.name == "adopted") return limit;
    return {};
  }

  std::deque<Feed> feeds;
  std::unique_ptr<Engine> engine;
};

void move(Host& from, Host& to) {
  from.drain();
  const std::string bytes = encode(from.engine->take(kGuest));
  const auto handover = decode({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  ASSERT_TRUE(handover) << handover.error().text();
  EXPECT_EQ(handover->workers_missing, 0);
  EXPECT_EQ(to.engine->give(*handover, bytes.size()).state, HandoverResult::State::taken);
  from.engine->let_go(kGuest);
}

constexpr std::size_t kFlows = 30;

Ends ends_of(std::size_t flow) {
  return {.source_port = static_cast<std::uint16_t>(40000 + flow), .destination_port = 502};
}

/// Step `n` of a flow's conversation: the SYNs, then requests of Modbus, each in two halves.
Buffer step(std::size_t flow, std::size_t n) {
  static const Buffer request = payload("modbus", "read holding registers");
  const Ends up = ends_of(flow);
  if (n == 0) return tcp_frame(up, {100, 0, kSyn});
  if (n == 1) return tcp_frame(up.reversed(), {500, 101, kSyn | kAck});
  const std::size_t half = n - 2, size = request.size();
  const auto at = static_cast<std::uint32_t>(101 + half / 2 * size + (half % 2) * 5);
  const Bytes part = half % 2 == 0 ? Bytes(request).first(5) : Bytes(request).subspan(5);
  return tcp_frame(up, {at, 501, kAck}, part);
}

TEST(MovingEngine, ThereAndBackWithSeveralWorkersOneFlowEach) {
  Host hosts[] = {Host(3), Host(2), Host(1)};
  constexpr std::size_t kSteps = 12, kStay = 3;  // Three steps at each host; messages are split.
  std::size_t at = 0;
  Time time = wall_clock();
  for (std::size_t n = 0; n < kSteps; ++n) {
    if (n > 0 && n % kStay == 0) {
      const std::size_t next = (at + 1) % 3;
      move(hosts[at], hosts[next]);
      at = next;
    }
    for (std::size_t flow = 0; flow < kFlows; ++flow)
      if (flow % 4 != 3 || n < 3 || n > 8)  // Some are silent during two stays.
        hosts[at].see(step(flow, flow % 4 == 3 && n > 8 ? n - 6 : n), flow, time += 1000, at);
  }
  hosts[at].drain();
  EXPECT_EQ(at, 0u) << "back where it began";
  std::uint64_t records = 0;
  for (Host& host : hosts) {
    const auto snapshot = host.engine->snapshot();
    for (const ProtocolSnapshot& p : snapshot->protocols)
      if (p.name == "modbus") records += p.records;
    for (const NamedCount& count : snapshot->streams)
      if (count.name == "gaps" || count.name == "midstream") {
        EXPECT_EQ(count.count, 0u) << count.name;
      }
  }
  const std::size_t silent = kFlows / 4, talking = kFlows - silent;
  EXPECT_EQ(records, talking * 5 + silent * 2);
  const auto end = hosts[0].engine->snapshot();
  EXPECT_EQ(end->flows_active, kFlows);
  std::uint64_t packets = 0;
  for (const Flow& flow : end->top_flows) {
    EXPECT_LE(flow.first, time);
    packets += flow.packets[0] + flow.packets[1];
  }
  EXPECT_EQ(packets, talking * kSteps + silent * (kSteps - 6));
  EXPECT_EQ(end->flows_ended[static_cast<std::size_t>(FlowEnd::moved)], kFlows);
  EXPECT_EQ(hosts[0].adoption_limit().used, 0u) << "all went on";
}

TEST(MovingEngine, RefusesWhatIsOverItsBound) {
  Host source(1), destination(1, 10);
  for (std::size_t flow = 0; flow < 11; ++flow) source.see(step(flow, 0), flow, wall_clock(), 0);
  source.drain();
  const Handover eleven = source.engine->take(kGuest);
  EXPECT_EQ(eleven.flows.size(), 11u);
  const HandoverResult refused = destination.engine->give(eleven);
  EXPECT_EQ(refused.state, HandoverResult::State::failed);
  EXPECT_EQ(refused.reason, "flows of other guests that came fill the bound of 10");
  const Handover ten = source.engine->take(kGuest, {.flows = 10});
  EXPECT_EQ(ten.flows.size(), 10u);
  EXPECT_EQ(ten.left_out.flows, 1u);
  EXPECT_EQ(destination.engine->give(ten).state, HandoverResult::State::taken);
  EXPECT_EQ(destination.engine->give(ten).state, HandoverResult::State::failed);
  const Limit limit = destination.adoption_limit();
  EXPECT_EQ(limit.limit, 10u);
  EXPECT_EQ(limit.used, 10u);
  EXPECT_EQ(limit.overflow, 21u);
  destination.engine->let_go(kGuest);
  EXPECT_EQ(destination.adopted("forgotten"), 10u);
  EXPECT_EQ(destination.adopted("given"), 10u);
}

/// The guest goes on in the meantime: its state is handed over without what that worker knows.
TEST(MovingEngine, AWorkerThatDoesNotAnswerIsNotWaitedForLong) {
  Stuck stuck;
  Host source(1);
  InputOptions input;
  input.name = "mon1";
  input.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    return std::make_unique<Stuck::Source>(stuck);
  };
  source.engine->add(input);
  stuck.wait();
  source.see(step(0, 0), 0, wall_clock(), 0);
  source.drain();
  const Handover taken = source.engine->take(kGuest);  // It would wait for ever without a bound.
  EXPECT_EQ(taken.workers_missing, 1);
  EXPECT_EQ(taken.flows.size(), 1u) << "what the other worker knows";
  EXPECT_EQ(result_of(taken, HandoverResult::State::sent, 0).reason,
            "1 worker did not answer in time");
  stuck.let_go();
  EXPECT_EQ(source.engine->take(kGuest, {}, std::chrono::seconds(60)).workers_missing, 0);
  source.engine->stop();
}

TEST(MovingEngine, AnInputThatComesLaterAdoptsToo) {
  Host source(1), destination(1);
  source.see(step(0, 0), 0, wall_clock(), 0);
  source.drain();
  destination.engine->give(source.engine->take(kGuest));
  Feed later;
  InputOptions input;
  input.name = "mon1";
  input.open = [&](int) -> Result<std::unique_ptr<FrameSource>> {
    return std::make_unique<Feed::Source>(later);
  };
  destination.engine->add(input);
  later.put(step(0, 1), wall_clock());
  later.drain();
  EXPECT_EQ(destination.adopted("continued"), 1u);
  destination.engine->stop();
}

TEST(MovingEngine, WhatWaitsIsReportedOnceWhenTheEngineStops) {
  Host source(1), destination(3);
  for (std::size_t flow = 0; flow < 5; ++flow) source.see(step(flow, 0), flow, wall_clock(), 0);
  source.drain();
  destination.engine->give(source.engine->take(kGuest));
  destination.engine->stop();
  EXPECT_EQ(destination.adopted("flushed"), 5u);
}

TEST(MovingEngine, AnEngineWithoutInputsHasAndTakesNothing) {
  Engine engine({});
  EXPECT_TRUE(engine.take(kGuest).flows.empty());
  engine.let_go(kGuest);
  EXPECT_EQ(engine.give({}).reason, "the engine has no input");
}

TEST(MovingEngine, TellsWhatNicsSentAtOnce) {
  Host host(2);
  auto index = std::make_shared<MirrorIndex>();
  const PortKey at{"br0", "vnet0"};
  index->nics.set(at, {.at = at, .mac = kGuest[0], .vm = "dc"});
  host.engine->watch(index);
  while (host.engine->nics().nics.empty()) std::this_thread::yield();
  host.see(ping_frame({}), 0, 5 * kSecond, 0);
  host.see(ping_frame({}), 1, 3 * kSecond, 0);
  host.see(ping_frame(Ends{}.reversed(), 1, true), 1, 9 * kSecond, 0);
  host.drain();
  NicReadings readings = host.engine->nics();
  ASSERT_EQ(readings.nics.size(), 1u);
  EXPECT_EQ(readings.nics[0].out, 2u);
  EXPECT_EQ(readings.nics[0].in, 1u);
  EXPECT_EQ(readings.nics[0].first_out, 3 * kSecond);
  EXPECT_EQ(readings.nics[0].last_out, 5 * kSecond);
  EXPECT_EQ(readings.lost, 8u) << "what both sources lost";
  host.engine->restart_first_out(at);
  EXPECT_EQ(host.engine->nics().nics[0].first_out, 0);
  host.see(ping_frame({}), 0, 7 * kSecond, 0);
  host.drain();
  EXPECT_EQ(host.engine->nics().nics[0].first_out, 7 * kSecond);
}

}  // namespace
}  // namespace vmirror
