#include "plugin/ovs/trace.hpp"

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "plugin/ovs/control_socket.hpp"

namespace vmirror::ovs {
namespace {

constexpr std::string_view kActions = "Datapath actions: ";
constexpr std::chrono::milliseconds kPatience{1000};  ///< For one answer.
constexpr std::size_t kMostWait = 4096;               ///< Questions that wait.
/// Between two questions: a daemon with a thousand silent guests has frames to forward, too.
constexpr std::chrono::milliseconds kBetween{10};
/// For how long a daemon that did not answer is not asked again.
constexpr std::chrono::milliseconds kNoDaemon{5000};
/// Locally administered, and nobody's.
constexpr const char* kNobody = "02:76:6d:72:00:01";

/// The actions of one line, those inside clone(...) and its kin as well: they are actions, too.
void add_actions(std::string_view line, std::vector<std::string>& out) {
  std::size_t depth = 0;
  std::string one;
  const auto end_one = [&] {
    if (!one.empty()) out.push_back(std::exchange(one, {}));
  };
  for (const char c : line) {
    if (c == '(' && depth == 0 && one == "clone") {
      one.clear();
      continue;
    }
    if (c == '(') ++depth;
    if (c == ')' && depth == 0) continue;  // A clone's.
    if (c == ')') --depth;
    if (c == ',' && depth == 0)
      end_one();
    else if (c != '"' && c != ' ')
      one += c;
  }
  end_one();
}

/// One of the actions has this, as a whole word.
bool says(const Trace& trace, const std::string& word) {
  return std::ranges::any_of(trace.actions, [&](const std::string& action) {
    for (std::size_t at = action.find(word); at != action.npos; at = action.find(word, at + 1)) {
      const std::size_t end = at + word.size();
      if (end == action.size() || action[end] == ',' || action[end] == ')') return true;
    }
    return false;
  });
}

}  // namespace

bool Trace::leaves_by(std::string_view port) const {
  return std::ranges::find(actions, port) != actions.end();
}

Result<Trace> parse_trace(std::string_view text) {
  if (text.size() > kMaxTrace)
    return fail(Error::Kind::exhausted,
                "the trace is longer than " + std::to_string(kMaxTrace) + " bytes",
                "ofproto/trace");
  Trace out;
  bool told = false;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with(kActions)) {
      told = true;
      add_actions(line.substr(kActions.size()), out.actions);
    }
    out.no_route = out.no_route || line.find("native tunnel routing failed") != line.npos;
    out.unresolved = out.unresolved || line.find("neighbor cache miss") != line.npos;
  }
  if (!told)
    return fail(Error::Kind::invalid, "the answer has no datapath actions", "ofproto/trace");
  return out;
}

std::string flow_of(const TraceQuestion& q, Direction one) {
  constexpr const char* kArp = ",dl_type=0x0806";
  if (one == Direction::out)
    return "in_port=" + q.port + ",dl_src=" + q.mac.text() + ",dl_dst=ff:ff:ff:ff:ff:ff" + kArp;
  const std::string tag = q.vlan.value_or(0) == 0 ? "" : ",dl_vlan=" + std::to_string(*q.vlan);
  return std::string("in_port=LOCAL,dl_src=") + kNobody + ",dl_dst=" + q.mac.text() + kArp + tag;
}

TraceAnswer judge_trace(const TraceQuestion& q, Direction one, const Result<Trace>& trace) {
  using enum TraceAnswer::Kind;
  const std::string what =
      one == Direction::out ? "a frame from port " + q.port : "a frame to port " + q.port;
  if (!trace) return {not_told, trace.error().text()};
  // What is copied of the output depends on the switch's giving the port the frame at all.
  if (one == Direction::in && !trace->leaves_by(q.port))
    return {not_told, "the switch would not give port " + q.port + " a frame from elsewhere"};
  if (!q.remote.empty()) {
    const bool goes = says(*trace, "dst=" + q.remote);
    if (goes) return {copied, ""};
    if (trace->unresolved)
      return {not_told, "the next hop to " + q.remote + " is not resolved before the first copy"};
    return {not_copied, "the switch would not send a copy of " + what + " to " + q.remote +
                            (trace->no_route ? ": it has no route there" : "")};
  }
  if (q.output_vlan) {
    const bool goes = says(*trace, "vlan(vid=" + std::to_string(*q.output_vlan));
    if (goes) return {copied, ""};
    return {not_copied,
            "the switch would not copy " + what + " into VLAN " + std::to_string(*q.output_vlan)};
  }
  if (trace->leaves_by(q.output)) return {copied, ""};
  return {not_copied, "the switch would not copy " + what + " to port " + q.output};
}

namespace {

class OvsTracer final : public Tracer {
 public:
  explicit OvsTracer(const std::string& remote) : socket_(remote) {
    sigset_t all, before;  // Signals are the main thread's.
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~OvsTracer() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  bool ask(TraceQuestion question) override {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMostWait) return false;
    waiting_.push_back(std::move(question));
    wake_.notify_all();
    return true;
  }

  std::vector<Answered> take_answers() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(answered_, {});
  }

 private:
  TraceAnswer answer(const TraceQuestion& q) {
    TraceAnswer out{TraceAnswer::Kind::copied, ""};
    const Time at = wall_clock();
    // A thousand questions must not look for a socket that is not there a thousand times.
    if (error_ && std::chrono::steady_clock::now() < again_at_)
      return {TraceAnswer::Kind::not_told, error_->text(), at, q.since};
    error_.reset();
    for (const Direction one : {Direction::out, Direction::in}) {
      if (!includes(q.direction, one)) continue;
      const auto text =
          socket_.call("ofproto/trace", {q.switch_name, flow_of(q, one), "--names"}, kPatience);
      if (!text && text.error().kind != Error::Kind::refused) {
        error_ = text.error();
        again_at_ = std::chrono::steady_clock::now() + kNoDaemon;
      }
      const TraceAnswer is =
          judge_trace(q, one, text ? parse_trace(*text) : tl::unexpected(text.error()));
      if (is.kind == TraceAnswer::Kind::copied) continue;
      // What is known for sure is worth more than what is not.
      if (out.kind != TraceAnswer::Kind::not_copied) out = is;
    }
    out.at = at;
    out.since = q.since;
    return out;
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      TraceQuestion question = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      TraceAnswer is = answer(question);
      lock.lock();
      answered_.push_back({std::move(question), std::move(is)});
      wake_.wait_for(lock, kBetween, [this] { return stop_; });
    }
  }

  const ControlSocket socket_;
  std::optional<Error> error_;                      ///< Why nobody answered. The thread's alone.
  std::chrono::steady_clock::time_point again_at_;  ///< Not asked before, while there is one.
  std::mutex mutex_;                                ///< Guards what follows.
  std::condition_variable wake_;
  bool stop_ = false;
  std::deque<TraceQuestion> waiting_;
  std::vector<Answered> answered_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Tracer> make_tracer(const std::string& remote) {
  return std::make_unique<OvsTracer>(remote);
}

}  // namespace vmirror::ovs
