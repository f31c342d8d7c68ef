// The inside of a Libvirt: what is shared by its thread, its workers and the event loop, all under
// one mutex. Nothing here calls libvirt or a callback while it holds it.
//
// Its thread tells what came in and never waits for libvirtd. A worker takes the most urgent job:
//
//   dispose of a lost connection > connect > list all guests > read one: urgent, then the rest >
//   answer a question
//
// A full reading is the list, then a read of each; one that fails in between is begun anew later.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/control/libvirt/connection.hpp"
#include "agent/control/libvirt/events.hpp"
#include "agent/control/libvirt/link.hpp"

namespace vmirror {

inline constexpr std::size_t kMaxWaiting = 4096;  ///< Guests to be read, each for itself; or asked.

class Libvirt::Impl : public std::enable_shared_from_this<Impl> {
 public:
  explicit Impl(LibvirtOptions options);
  void start();
  void stop();

  std::shared_ptr<const Guests> guests() const;
  LibvirtStatus status() const;
  void hint(std::string uuid);
  void ask_leaving(std::string uuid);
  Result<void> migrate(const std::string& uuid, const std::string& destination,
                       const MigrateOptions& options, std::function<void(Result<void>)> done);

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  // The thread.
  void tell();
  void tell_events(Lock& lock);
  void tell_guests(Lock& lock);

  // The event loop's thread.
  void take_event(std::uint64_t connection, DomainEvent event);
  void take_close(std::uint64_t connection, const std::string& reason);

  // The workers.
  void work();
  bool do_one(Lock& lock);
  void connect(Lock& lock);
  void list(Lock& lock);
  void read(Lock& lock, std::set<std::string>& from);
  void answer_leaving(Lock& lock);
  void ask_in_turn();
  bool take_next(const std::set<std::string>& from, std::string& uuid) const;
  void keep(const std::string& uuid, Result<std::optional<LibvirtLink::Reading>> answer);
  Clock::time_point next_due() const;

  // With the mutex held.
  void lose(const std::string& reason);
  void want(std::string uuid);
  struct Question;
  void ask(const std::string& uuid, const Question& question);
  void take_note(const DomainEvent& event);
  void doubt(Clock::duration later = {});
  std::optional<Error> why_stale() const;

  const LibvirtOptions options_;

  mutable std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable for_thread_, for_workers_, for_stop_;
  bool stop_ = false;
  unsigned workers_ = 0;    ///< That still run.
  unsigned callbacks_ = 0;  ///< Of migrate(), that are being called.
  std::size_t migrations_ = 0;

  // The connection.
  std::shared_ptr<LibvirtLink> link_;                  ///< Null: there is none.
  std::vector<std::shared_ptr<LibvirtLink>> retired_;  ///< To be closed by a worker.
  std::uint64_t connection_ = 0;  ///< Grows with each; tells an old one's events.
  bool connecting_ = false;
  Clock::time_point connect_due_;
  std::chrono::milliseconds backoff_;
  std::optional<Error> lost_;                ///< Why there is no connection.
  std::optional<std::string> closed_early_;  ///< The one that is being made was closed already.

  // What came in, and is to be told.
  std::deque<DomainEvent> events_;
  bool changed_ = true;

  // What is to be read.
  std::optional<Clock::time_point> list_due_;
  bool listing_ = false;
  bool complete_ = false;  ///< A full reading on this connection has ended.
  bool filling_ = false;   ///< A full reading is on its way; `rest_` or `reading_` hold some of it.
  std::set<std::string> urgent_, rest_, reading_;
  /// Whether the guest is being migrated from here.
  struct Question {
    std::optional<Time> sign;  ///< Since when it seems so: a yes is told.
    bool awaited = false;      ///< By ask_leaving(): a no is told.
  };
  std::map<std::string, Question> questions_;  ///< By UUID.
  std::set<std::string> asking_;               ///< Being asked; a guest that hangs holds up one.
  Clock::time_point turn_due_;                 ///< When the next guests are asked in turn.
  std::string last_in_turn_;

  // What is known.
  PersistentMap<std::string, std::shared_ptr<const Guest>> known_;
  std::map<std::string, GuestState> states_;  ///< As the events have it: transition()'s `before`.
  /// Read once with a state that no event told, or as about to start: when to read them again.
  std::map<std::string, Clock::time_point> doubted_;
  std::map<std::string, Error> unread_;  ///< Guests that could not be read.
  std::shared_ptr<const Guests> told_;
  LibvirtStatus status_;

  std::thread thread_;
  std::vector<std::thread> pool_;  ///< The workers.
};

}  // namespace vmirror
