// What a daemon is made of; for the files of agent/app that are one class in three: wiring.cpp
// makes it and ends it, answers.cpp says what it knows, events.cpp does what follows from what
// happens.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/api/routes.hpp"
#include "agent/app/answer_threads.hpp"
#include "agent/app/inputs.hpp"
#include "agent/app/wiring.hpp"
#include "agent/control/admission/hook_watch.hpp"
#include "agent/control/affinity/guest_book.hpp"
#include "agent/control/affinity/lingering_nics.hpp"
#include "agent/control/evidence/collector_link.hpp"
#include "agent/control/evidence/coverage_log.hpp"
#include "agent/control/evidence/device_counters.hpp"
#include "agent/control/evidence/trace_asker.hpp"
#include "agent/control/follow/following.hpp"
#include "agent/control/follow/sensor_follower.hpp"
#include "agent/control/libvirt/connection.hpp"
#include "agent/control/loop/control.hpp"
#include "agent/control/policy/policy_store.hpp"
#include "agent/control/policy/terms.hpp"
#include "agent/control/store/link.hpp"
#include "agent/engine/worker/engine.hpp"
#include "agent/report/status.hpp"

namespace vmirror {

struct Daemon::State {
  State(Config c, Confinement given_up) : config(std::move(c)), confinement(std::move(given_up)) {}

  const Config config;
  const Confinement confinement;
  const Time started = wall_clock();
  boost::asio::io_context io{1};

  // The data side, in the frames' order.
  LocalPorts local_ports;          ///< Where copies for the local engine come out; control tells.
  std::size_t local_inputs = 0;    ///< Of those, that became inputs. The control thread's.
  std::unique_ptr<LineSinks> eve;  ///< Null: no output is configured.
  std::unique_ptr<Engine> engine;

  // The control side, in the policies' order.
  std::unique_ptr<StoreLink> store;  ///< Null: no store is configured.
  std::unique_ptr<PolicyStore> policies;
  bool folder_known = false;  ///< The folder could be read once.
  /// The latest set that control was given, and the generation of the store that it has.
  std::uint64_t policies_number = 0;
  std::int64_t policies_generation = 0;
  /// What the store was told last: sessions, and the generation that they follow.
  PersistentMap<std::string, SessionStatus> told_sessions;
  std::int64_t told_generation = -1;
  std::optional<std::vector<Policy>> asked_for;  ///< None: no good set was read yet.
  bool asked_whole = true;                       ///< False: a file's policy is not in `asked_for`.
  bool drained = false;                          ///< By `vmirror drain`.
  std::optional<std::vector<Policy>> in_force;   ///< `asked_for`, or nothing while drained.
  Terms terms;                                   ///< The ends of those `in_force`.
  bool all_known = true;                         ///< False: a file's policy is not in `in_force`.
  std::optional<Error> hook_file_error;          ///< What the hook reads is not `in_force`.
  std::unique_ptr<Control> control;              ///< Null: this daemon drives no switch.
  GuestBook guests{[this](std::shared_ptr<const Guests> g) { on_guests(std::move(g)); }};
  std::unique_ptr<Libvirt> libvirt;  ///< Null: this daemon asks no hypervisor.
  LocationTable locations;
  std::unique_ptr<Following> following;  ///< With control.
  HookWatch hook;
  std::unique_ptr<Peers> peers;  ///< Null: this daemon knows no other.
  std::unique_ptr<SensorFollower> sensor;
  std::unique_ptr<CollectorLink> copies;
  LingeringNics lingering;
  std::shared_ptr<const MirrorIndex> index;  ///< What the engine watches.
  CoverageLog coverage{port_reader(!config.monitor_nic)};
  std::unique_ptr<TraceAsker> silent;    ///< With control.
  Evidence evidence;                     ///< What control was told last.
  std::uint64_t logged = 0;              ///< Events of the control side that are in the log.
  std::atomic<bool> round_waits{false};  ///< A round's news are on their way to the main thread.
  std::uint64_t refusals_told = 0;       ///< Of the peers' refused connections, in the log.
  Time refusals_at = 0;
  bool copies_wait = false;  ///< The workers are asked for what the peers are to be told.

  // Outwards.
  struct MetricsText {
    std::mutex mutex;
    std::condition_variable made;
    bool making = false;
    std::optional<std::string> text;  ///< None: not made yet.
    std::chrono::steady_clock::time_point at;
  } metrics_text;
  AnswerThreads answering{io};
  std::unique_ptr<HttpServer> api, metrics_server;
  boost::asio::signal_set signals{io};
  boost::asio::steady_timer tick{io}, stats{io}, counts{io};

  // -- start --
  Result<void> open_outputs();
  Result<void> open_engine();
  Result<void> open_control();
  Result<void> open_peers();
  Result<void> open_servers();

  // -- on the answering threads (answers.cpp) --
  ApiBackend backend();
  HttpResponse metrics_answer();
  void add_listings(ApiBackend& backend);
  void add_plans(ApiBackend& backend);
  void add_changes(ApiBackend& backend);
  void add_store_answers(ApiBackend& backend);
  Result<void> needs_switch() const;
  Result<std::string> keep_policy(const std::string& yaml, std::optional<std::uint32_t> user);
  Result<void> drop_policy(const std::string& name, std::optional<std::uint32_t> user);
  template <typename Made, typename Make>
  Result<Made> view(const Make& make);
  template <typename Made, typename Make>
  Result<Made> asked(const Make& make);
  template <typename Work>
  auto on_main(Work work) -> Result<std::invoke_result_t<Work&>>;

  // -- on the main thread --
  struct Known;
  Known known_here();
  std::optional<HypervisorView> hypervisor() const;
  std::map<std::string, std::vector<NicState>> nics(const std::vector<InputSnapshot>& inputs) const;
  void use(const PolicyFolder& folder);
  PolicyFolder asked_policies() const;
  void put_in_force();
  void look_at_store();
  Result<void> see_store_change();
  void report_to_store(const ControlSnapshot& known);
  void report_news(const ControlSnapshot& known);
  void drain(bool on);
  void write_for_hook();
  HookAnswer on_hook(const HookCall& call);
  HookAnswer hook_answer(const HookCall& call);
  void on_guest_event(const GuestEvent& event);
  void on_round();
  void on_change(const RoundChanges& changes);
  void watch_nics(const ControlSnapshot& known);
  void on_guests(std::shared_ptr<const Guests> told);
  void sample_counts();
  void judge_counts(const ControlSnapshot& known);
  void on_tick();
  void tell_copies();
  void tell_refusals();
  void write_stats();
  void close_servers();
  void wait_for_signal();
  std::shared_ptr<const ControlSnapshot> control_now() const;
};

}  // namespace vmirror
