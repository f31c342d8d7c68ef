// How long from a port's insertion into OVSDB to its mirror in OVSDB, on a real ovsdb-server, with
// the shortest reconciler that there is and with vmirrord, and what CPU time vmirrord takes for it.
//
//   another client: --insert port--> ovsdb-server --update--> IDL thread --hint--> reconciler
//   another client: <--sees it selected-- ovsdb-server <--one transaction-- observe, realise, diff
//
// With 1, 100 and 1,000 ports on the bridge, without ovs-vswitchd, for it would make as many taps;
// and once with it and three ports. The reference of a time is what OVN's ovn-controller needs on
// such a machine, 25 ms; that of the CPU time is what it is with one port: the daemon's work for
// one event must not grow with the number of ports. Nothing is subtracted from that: what a daemon
// does once a second is in it, and shown for itself as `idle`.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>

#include "plugin/api/diff.hpp"
#include "plugin/ovs/driver.hpp"
#include "plugin/ovs/schema.hpp"
#include "plugin/ovsdb/client.hpp"
#include "tests/bench/benches.hpp"
#include "tests/bench/daemon.hpp"
#include "tests/support/ovs_sandbox.hpp"

namespace vmirror::bench {
namespace {

using test::OvsSandbox;
using Clock = std::chrono::steady_clock;
using ovsdb::Atom;
using ovsdb::Uuid;

/// Wakes on a hint and reconciles: every port but our own is mirrored to the local target.
class Reconciler {
 public:
  explicit Reconciler(const std::string& remote) {
    OvsOptions options;
    options.remote = remote;
    driver_ = std::move(*make_ovs_driver(options));
    realiser_ = driver_->realiser();
    driver_->on_change([this] {
      const std::lock_guard lock(mutex_);
      hinted_ = true;
      wake_.notify_one();
    });
    thread_ = std::thread([this] { run(); });
  }
  ~Reconciler() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = hinted_ = true;
      wake_.notify_one();
    }
    thread_.join();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return hinted_; });
      hinted_ = false;
      if (stop_) return;
      lock.unlock();
      const auto observed = driver_->observe();
      if (!observed) continue;
      diff_ports(*world_, **observed, [&](const PortKey& key, const Port*, const Port* is) {
        Session session;
        session.name = session.port = key.port;
        session.switch_name = key.switch_name;
        session.direction = Direction::both;
        if (is && !is->owned && key.port != key.switch_name)
          sessions_.set(session.name, session);
        else
          sessions_.erase(session.name);
      });
      world_ = *observed;
      realiser_->update(sessions_, world_);
      const auto steps = differ_.update(realiser_->objects(), *world_);
      if (!steps.empty()) (void)carry_out(*driver_, steps, std::chrono::seconds(3));
    }
  }

  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Realiser> realiser_;
  Differ differ_;
  std::shared_ptr<const Observed> world_ = std::make_shared<const Observed>();
  SessionMap sessions_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool hinted_ = true, stop_ = false;
  std::thread thread_;
};

std::string guest_mac(std::uint32_t number) {
  return Mac{
      {0x52, 0x54, 0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)}}
      .text();
}

/// Somebody else who adds ports and watches the mirrors.
class Other {
 public:
  /// `no_vswitchd`: what it does is done in that one's name, which is not there: it has carried out
  /// all that will be asked, and gives signs of life.
  Other(const std::string& remote, bool no_vswitchd) : no_vswitchd_(no_vswitchd) {
    client_ = std::move(*ovsdb::Client::start({.remote = remote}, ovs::schema()));
    client_->on_change([this] { changes_++, changes_.notify_all(); });
  }
  void add(const std::vector<std::string>& names) {
    const auto snapshot = *client_->read(std::chrono::seconds(5));
    const Uuid bridge = (*snapshot)[ovs::kBridge].rows.begin()->first;
    ovsdb::Transaction transaction;
    for (const std::string& name : names) {
      const Uuid port{{1, ++rows_, 0, 0}}, interface {
        { 2, rows_, 0, 0 }
      };
      transaction.push_back(ovsdb::Insert{
          ovs::kInterface,
          interface,
          {{ovs::interface::kName, name.c_str()},
           {ovs::interface::kType, "internal"},
           {ovs::interface::kExternalIds,
            std::map<std::string, std::string>{{"attached-mac", guest_mac(rows_)}}}}});
      transaction.push_back(ovsdb::Insert{
          ovs::kPort,
          port,
          {{ovs::port::kName, name.c_str()}, {ovs::port::kInterfaces, Atom(interface)}}});
      transaction.push_back(ovsdb::Add{ovs::kBridge, bridge, ovs::bridge::kPorts, Atom(port)});
    }
    if (no_vswitchd_)
      transaction.push_back(ovsdb::Write{ovs::kOpenVswitch,
                                         (*snapshot)[ovs::kOpenVswitch].rows.begin()->first,
                                         {{ovs::root::kCurCfg, Atom(++alive_)}}});
    (void)client_->commit(transaction, std::chrono::seconds(10));
  }
  /// Waits until as many ports are selected.
  void wait_for_selected(std::size_t count) {
    for (;;) {
      const int before = changes_;
      const auto snapshot = *client_->read(std::chrono::seconds(5));
      const auto& mirrors = (*snapshot)[ovs::kMirror].rows;
      if (!mirrors.empty() &&
          (*mirrors.begin()->second)[ovs::mirror::kSelectSrcPort].size() == count)
        return;
      changes_.wait(before);
    }
  }

 private:
  const bool no_vswitchd_;
  std::int64_t alive_ = 1'000'000'000;
  std::atomic<int> changes_ = 0;
  std::uint32_t rows_ = 0;
  std::unique_ptr<ovsdb::Client> client_;
};

/// Who mirrors the ports: the shortest loop that there is, or vmirrord.
enum class By { reconciler, daemon };

constexpr std::size_t kTurns = 11, kPortsATurn = 10;
constexpr std::size_t kRepetitions = kTurns * kPortsATurn;
constexpr auto kPause = std::chrono::milliseconds(20);  ///< Between two ports.
constexpr auto kIdle = std::chrono::seconds(5);

/// A switch with so many ports, and who mirrors them.
class Subject {
 public:
  Subject(std::string name, std::size_t ports, bool vswitchd, By by)
      : name_(std::move(name)),
        selected_(ports),
        sandbox_(options(vswitchd)),
        other_((sandbox_.vsctl("add-br br0 -- set bridge br0 datapath_type=netdev"),
                sandbox_.remote()),
               !vswitchd) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < ports; i++) names.push_back("old" + std::to_string(i));
    other_.add(names);
    if (by == By::daemon)
      daemon_.emplace(sandbox_);
    else
      reconciler_.emplace(sandbox_.remote());
    other_.wait_for_selected(ports);
    // For what else the start brings; a daemon says of all its sessions that the guests are silent.
    std::this_thread::sleep_for(std::chrono::seconds(by == By::daemon ? 9 : 1));
  }

  /// Ports, one after the other, each as it is seen selected.
  void turn() {
    const double cpu_before = cpu_seconds();
    for (std::size_t i = 0; i < kPortsATurn; i++) {
      const auto start = Clock::now();
      other_.add({"new" + std::to_string(milliseconds_.size())});
      other_.wait_for_selected(++selected_);
      milliseconds_.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - start).count());
      std::this_thread::sleep_for(kPause);
    }
    cpu_ += cpu_seconds() - cpu_before;
  }

  void report_latency(Report& report) {
    constexpr double kOvnMilliseconds = 25;
    std::sort(milliseconds_.begin(), milliseconds_.end());
    report.add({name_ + ".median", milliseconds_[kRepetitions / 2], "ms", kOvnMilliseconds,
                value_at_most(5)});
    report.add({name_ + ".p99", milliseconds_[kRepetitions * 99 / 100], "ms", kOvnMilliseconds,
                value_at_most(20)});
  }

  const std::string& name() const { return name_; }
  /// Of the daemon, for one port in its turns; with all that it does in that time.
  double cpu_milliseconds() const { return cpu_ * 1000 / kRepetitions; }
  /// Of the daemon so far; 0: there is none.
  double cpu_seconds() const { return daemon_ ? daemon_->cpu_seconds() : 0; }

 private:
  static OvsSandbox::Options options(bool vswitchd) {
    OvsSandbox::Options out;
    out.vswitchd = vswitchd;
    return out;
  }

  const std::string name_;
  std::size_t selected_;
  OvsSandbox sandbox_;
  Other other_;
  std::optional<Reconciler> reconciler_;
  std::optional<Daemon> daemon_;
  std::vector<double> milliseconds_;
  double cpu_ = 0;
};

constexpr std::size_t kPorts[] = {1, 100, 1000};

std::string name_of(const char* who, std::size_t ports) {
  return "mirror_latency." + std::string(who) + "." + std::to_string(ports) + "_ports";
}

void measure(Report& report, const std::string& name, std::size_t ports, bool vswitchd, By by) {
  Subject subject(name, ports, vswitchd, by);
  for (std::size_t i = 0; i < kTurns; i++) subject.turn();
  subject.report_latency(report);
}

/// Daemons with 1, 100 and 1,000 ports in turn, so that what else the machine does is the same for
/// all; then all of them with nothing to do, which is in the numbers before, too.
void compare_daemons(Report& report) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const std::size_t ports : kPorts)
    subjects.push_back(
        std::make_unique<Subject>(name_of("vmirrord", ports), ports, false, By::daemon));
  for (std::size_t i = 0; i < kTurns; i++)
    for (const auto& subject : subjects) subject->turn();
  std::vector<double> before;
  for (const auto& subject : subjects) before.push_back(subject->cpu_seconds());
  std::this_thread::sleep_for(kIdle);
  const auto idle = [&](std::size_t i) {
    return (subjects[i]->cpu_seconds() - before[i]) * 1000 /
           std::chrono::duration<double>(kIdle).count();
  };
  std::vector<double> quiet;
  for (std::size_t i = 0; i < subjects.size(); i++) quiet.push_back(idle(i));
  for (std::size_t i = 0; i < subjects.size(); i++) {
    Subject& subject = *subjects[i];
    subject.report_latency(report);
    Measure cpu{subject.name() + ".cpu", subject.cpu_milliseconds(), "ms/event"};
    Measure rest{subject.name() + ".idle", quiet[i], "ms/s"};
    if (i != 0) {
      cpu.reference = subjects[0]->cpu_milliseconds();
      cpu.target = ratio_at_most(1.25);
      rest.reference = quiet[0];
    }
    report.add(cpu);
    report.add(rest);
  }
}

}  // namespace

/// From a port's insertion into OVSDB to its mirror in OVSDB.
void bench_mirror_latency(Report& report) {
  if (const std::string why = OvsSandbox::unavailable(); !why.empty()) {
    report.note("mirror_latency: left out, " + why);
    return;
  }
  for (const std::size_t ports : kPorts)
    measure(report, name_of("driver", ports), ports, false, By::reconciler);
  if (!Daemon::is_built()) return;
  compare_daemons(report);
  measure(report, "mirror_latency.vmirrord.with_vswitchd", 3, true, By::daemon);
}

}  // namespace vmirror::bench
