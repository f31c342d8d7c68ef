// Whom the switch is asked about, how often, and which of its answers is believed.
#include "agent/control/evidence/trace_asker.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

using Kind = TraceAnswer::Kind;

/// A switch whose answers the test gives.
struct Switchboard {
  std::vector<TraceQuestion> asked;
  std::vector<Tracer::Answered> answers;
  bool full = false;
};

class TestTracer final : public Tracer {
 public:
  explicit TestTracer(Switchboard& board) : board_(board) {}
  bool ask(TraceQuestion question) override {
    if (!board_.full) board_.asked.push_back(std::move(question));
    return !board_.full;
  }
  std::vector<Answered> take_answers() override { return std::exchange(board_.answers, {}); }

 private:
  Switchboard& board_;
};

struct TraceStory {
  TraceStory() {
    s.name = "vnet0@local";
    s.state = SessionState::ready;
    s.switch_name = "br0";
    s.port = "vnet0";
    s.mac = *Mac::parse("52:54:00:00:00:01");
    s.mirror = "vmirror-local";
    s.in_place = true;
    s.in_place_since = 5 * kSecond;
    Switch& sw = world.switches["br0"];
    sw.ports["vnet0"].vlan = 10;
    sw.ports["vmr-er"].tunnel = TunnelEnd{"192.0.2.9", {}};
    sw.mirrors["vmirror-local"].output = PortOutput{"vmr-er"};
  }
  /// Looks after so long; returns the questions that were asked.
  std::size_t look(Time after = kSecond) {
    now += after;
    control.sessions.set(s.name, s);
    control.observed = std::make_shared<const Observed>(world);
    board.asked.clear();
    asker.look(control, now);
    return board.asked.size();
  }
  /// The answer to the latest question comes, and is looked at.
  void answer(Kind kind, const char* why = "") {
    board.answers.push_back({question, {kind, why, now, question.since}});
    look(0);
    if (!board.asked.empty()) question = board.asked.back();
  }
  void ask() {
    ASSERT_EQ(look(), 1U);
    question = board.asked.back();
  }
  std::string known() {
    const TraceAnswer* is = asker.answers().get(s.name);
    return is == nullptr ? "-" : is->kind == Kind::copied ? "copied" : is->why;
  }

  Time now = 100 * kSecond;
  Switchboard board;
  TraceAsker asker{std::make_unique<TestTracer>(board)};
  Observed world;
  SessionStatus s;
  ControlSnapshot control;
  TraceQuestion question;
};

TEST(TraceAsker, AsksOnceAndThenWhenItNoLongerHolds) {
  TraceStory story;
  story.ask();
  EXPECT_EQ(story.question.vlan, 10);
  EXPECT_EQ(story.question.output, "vmr-er");
  EXPECT_EQ(story.question.remote, "192.0.2.9");
  EXPECT_EQ(story.look(TraceAsker::kAgain), 0U) << "the question waits";
  story.answer(Kind::copied);
  EXPECT_EQ(story.known(), "copied");
  EXPECT_EQ(story.look(TraceAsker::kAgain), 0U);
  story.world.progress = {"daemon", true, 7};
  EXPECT_EQ(story.look(TraceAsker::kAgain), 0U) << "it is being configured";
  story.world.progress = {"daemon", false, 8};
  story.ask();
  story.answer(Kind::copied);
  EXPECT_EQ(story.look(TraceAsker::kHolds - 2 * kSecond), 0U);
  EXPECT_EQ(story.look(TraceAsker::kAgain), 1U) << "flow tables may be others";
  EXPECT_EQ(story.known(), "copied") << "until the next answer";
}

TEST(TraceAsker, ARefutationIsBelievedOnceItIsSaidTwice) {
  TraceStory story;
  story.ask();
  story.answer(Kind::not_copied, "no");
  EXPECT_EQ(story.known(), "-");
  story.ask();
  story.answer(Kind::not_copied, "no");
  EXPECT_EQ(story.known(), "no");
  story.s.state = SessionState::failed;
  EXPECT_EQ(story.look(TraceAsker::kAgain), 1U) << "what it made fail it may make well";
  story.answer(Kind::copied);
  EXPECT_EQ(story.known(), "copied");
}

TEST(TraceAsker, WhatHeldBeforeIsDoubtedToo) {
  TraceStory story;
  story.ask();
  story.answer(Kind::copied);
  story.world.progress = {"daemon", false, 8};
  EXPECT_EQ(story.look(TraceAsker::kAgain), 1U);
  story.question = story.board.asked.back();
  story.answer(Kind::not_copied, "no");
  EXPECT_EQ(story.known(), "copied");
  story.ask();
  story.answer(Kind::not_copied, "no");
  EXPECT_EQ(story.known(), "no");
}

TEST(TraceAsker, AsksOnlyAboutSilentSessionsOfThisMirror) {
  TraceStory story;
  story.ask();
  story.answer(Kind::not_told, "hangs");
  EXPECT_EQ(story.known(), "hangs");
  story.s.in_place_since += kSecond;
  EXPECT_EQ(story.look(), 1U) << "another mirror";
  EXPECT_EQ(story.known(), "-");
  story.answer(Kind::copied);
  EXPECT_EQ(story.known(), "-") << "an answer about the mirror before";
  story.s.state = SessionState::active;
  story.look();
  EXPECT_EQ(story.known(), "-");
  story.s.state = SessionState::ready;
  story.s.selective = true;
  EXPECT_EQ(story.look(), 0U) << "of a part of its frames one that is not copied tells nothing";
}

TEST(TraceAsker, ATracerThatIsFullIsAskedAgain) {
  TraceStory story;
  story.board.full = true;
  EXPECT_EQ(story.look(), 0U);
  story.board.full = false;
  EXPECT_EQ(story.look(), 1U);
  TraceAsker nobody(nullptr);
  nobody.look(story.control, story.now);
  EXPECT_TRUE(nobody.answers().empty());
}

}  // namespace
}  // namespace vmirror
