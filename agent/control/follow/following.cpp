#include "agent/control/follow/following.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <filesystem>
#include <set>

#include "agent/control/affinity/journal.hpp"
#include "agent/control/affinity/record_json.hpp"
#include "agent/control/evidence/device_counters.hpp"
#include "agent/control/follow/guest_views.hpp"
#include "agent/control/follow/moves.hpp"
#include "agent/engine/export/eve.hpp"

namespace vmirror {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMaxId = 128;

TrackerOptions tracker_options(const FollowingOptions& options) {
  TrackerOptions out;
  out.host = options.host;
  out.hypervisor = options.hypervisor;
  out.peers = options.peers;
  return out;
}

PortCounters& operator+=(PortCounters& a, const PortCounters& b) {
  a.out_frames += b.out_frames;
  a.out_bytes += b.out_bytes;
  a.in_frames += b.in_frames;
  a.in_bytes += b.in_bytes;
  a.in_dropped += b.in_dropped;
  return a;
}

/// All that it tells is of these NICs.
bool is_of(const Handover& given, const std::vector<Mac>& nics) {
  const auto ours = [&](const Mac& mac) { return std::ranges::find(nics, mac) != nics.end(); };
  return std::ranges::all_of(given.macs, ours) &&
         std::ranges::all_of(given.assets, ours, &Asset::mac) &&
         std::ranges::all_of(given.flows, [&](const HandedFlow& f) {
           return std::ranges::any_of(f.flow.flow.mac, ours);
         });
}

/// The record's id at the front of a handover's message; empty: there is none.
std::string id_of(const std::string& body) {
  const std::string front = body.substr(0, kMaxId);
  const std::size_t end = front.find('\n');
  return end == std::string::npos ? std::string() : front.substr(0, end);
}

std::string text_of(const MigrationRecord& r) {
  const auto gap = gap_frames(r);
  return (r.vm_name.empty() ? r.vm_uuid : r.vm_name) + " migrated from " +
         (r.source.host.empty() ? "an unknown host" : r.source.host) + " to " +
         (r.destination.host.empty() ? "an unknown host" : r.destination.host) + ": " +
         to_text(r.state) + (gap ? ", gap " + std::to_string(*gap) + " frames" : ", gap not known");
}

}  // namespace

void count(FollowingStatus& counts, const MigrationRecord& r) {
  if (const auto gap = gap_frames(r))
    counts.gap_frames += *gap;
  else if (r.state == MigrationState::done)
    ++counts.gap_unknown;
  counts.duplicates += r.source.duplicates + r.destination.duplicates;
  ++counts.handovers[r.handover.state];
  if (const auto pause = downtime(r); pause && r.state == MigrationState::done) {
    ++counts.downtimes;
    counts.downtime += std::max<Time>(0, *pause);  // The clocks are known within half a round trip.
  }
}

struct Following::State : std::enable_shared_from_this<Following::State> {
  State(asio::io_context& i, FollowingOptions o, Engine& e, LineSinks* s)
      : io(i),
        options(std::move(o)),
        engine(e),
        eve(s),
        tracker(tracker_options(options)),
        journal(options.state + "/migrations.jsonl"),
        wake(i),
        pulse(i) {}

  asio::io_context& io;
  const FollowingOptions options;
  Engine& engine;
  LineSinks* const eve;
  std::atomic<Peers*> peers = nullptr;  ///< Its threads may deliver before the main thread has it.
  Libvirt* libvirt = nullptr;
  MigrationTracker tracker;
  Journal journal;
  GuestViews views;
  FollowingStatus counts;
  std::optional<Outage> outage;  ///< The switch's latest.
  std::deque<TrackerAction> due;
  bool acting = false;
  bool ready = false;
  asio::steady_timer wake, pulse;
  asio::thread_pool handover{1};
  std::atomic<std::size_t> waiting{0};  ///< Handovers that came and were not read yet.
  std::atomic<std::uint64_t> refused_handovers{0};

  void open_journal();
  void act(TrackerActions actions);
  void look(const std::set<std::string>& guests, Time now);
  void set_timer();
  void beat();

  void act(const SendMigration& action);
  void act(const ReadCounters& action);
  void act(const AskLeaving& action);
  void act(const RestartFirstFrame& action);
  void act(const HandOverGuest& action);
  void act(const LetGuestGo& action);
  void act(const RecordChanged& action);
  void act(const RecordFinished& action);

  std::vector<Mac> macs(const std::string& guest) const;
  GuestCounters read(const std::string& guest) const;
  void send_handover(const HandOverGuest& action, const Handover& taken);
  void on_handover(const std::string& host, PeerBody body);
  void expect_handover(const std::string& host, PeerBody body);
  void take_handover(const std::string& host, const std::string& body,
                     const std::vector<Mac>& nics);
  void unexpected(const std::string& host, const std::string& why);
  void told(const std::string& id, const HandoverResult& result);
  void write(const Result<void>& done);
};

// ---- The tracker's actions

/// What an action's answer brings comes after what is due already.
void Following::State::act(TrackerActions actions) {
  std::ranges::move(actions, std::back_inserter(due));
  if (acting) return;
  acting = true;
  while (!due.empty()) {
    const TrackerAction action = std::move(due.front());
    due.pop_front();
    std::visit([this](const auto& a) { act(a); }, action);
  }
  acting = false;
  set_timer();
}

void Following::State::act(const SendMigration& action) {
  Peers* const link = peers;
  if (link == nullptr) return;
  const std::string body = encode(action.message);
  for (const std::string& peer : options.peers)
    if (action.to.empty() || action.to == peer)
      (void)link->send(peer, MigrationMessage::kType, body);  // Down: on_up sends anew.
}

std::vector<Mac> Following::State::macs(const std::string& guest) const {
  std::vector<Mac> out;
  for (const Location& nic : views.nics(guest))
    if (nic.mac) out.push_back(*nic.mac);
  return out;
}

/// The engine first: what moves in between is counted by the port only, and seen the next time.
GuestCounters Following::State::read(const std::string& guest) const {
  GuestCounters out;
  const std::vector<Location> nics = views.nics(guest);
  std::set<PortKey> wanted;
  for (const Location& nic : nics) wanted.insert({nic.switch_name, nic.port});
  for (const NicFrames& nic : engine.nics().nics) {
    if (!wanted.contains(nic.at)) continue;
    CopiedFrames& copied = out.copied ? *out.copied : out.copied.emplace();
    copied.out += nic.out;
    copied.in += nic.in;
    copied.in_group += nic.in_group;
    if (nic.first_out != 0 && (copied.first_out == 0 || nic.first_out < copied.first_out))
      copied.first_out = nic.first_out;
    copied.last_out = std::max(copied.last_out, nic.last_out);
  }
  if (!options.ports_are_here || nics.empty()) return out;
  if (const std::string output = views.view(guest).output; !output.empty()) {
    const auto port = read_device(output);
    out.output = {port && port->carrier, port ? port->carrier_losses : 0};
  }
  PortCounters sum;
  for (const Location& nic : nics) {
    const auto port = read_device(nic.port);
    if (!port) return out;
    sum += port->counters;
  }
  out.port = sum;
  return out;
}

void Following::State::act(const ReadCounters& action) {
  const GuestCounters reading = read(action.guest);
  act(tracker.counters(action.guest, reading, wall_clock()));
}

void Following::State::act(const AskLeaving& action) {
  if (libvirt != nullptr) libvirt->ask_leaving(action.guest);
}

void Following::State::act(const RestartFirstFrame& action) {
  for (const Location& nic : views.nics(action.guest))
    engine.restart_first_out({nic.switch_name, nic.port});
}

void Following::State::act(const LetGuestGo& action) {
  engine.let_go(macs(action.guest));
}

void Following::State::act(const HandOverGuest& action) {
  asio::post(handover, [self = shared_from_this(), action, macs = macs(action.guest)] {
    self->send_handover(action, self->engine.take(macs));
  });
}

/// On the handover's thread.
void Following::State::send_handover(const HandOverGuest& action, const Handover& taken) {
  const std::string bytes = encode(taken);
  HandoverResult result = result_of(taken, HandoverResult::State::sent, bytes.size());
  Peers* const link = peers;
  const auto sent = link == nullptr
                        ? fail(Error::Kind::unreachable, "no link", action.to)
                        : link->send(action.to, kHandoverMessage, action.id + "\n" + bytes);
  if (!sent) {
    result.state = HandoverResult::State::failed;
    result.reason = sent.error().text();
  }
  told(action.id, result);
}

/// On the link's thread.
void Following::State::on_handover(const std::string& host, PeerBody body) {
  if (waiting.fetch_add(1) >= kMaxWaitingHandovers) {
    --waiting;
    ++refused_handovers;
    HandoverResult refused;
    refused.state = HandoverResult::State::failed;
    refused.bytes = body.bytes.size();
    refused.reason = std::to_string(kMaxWaitingHandovers) + " handovers wait already";
    return told(id_of(body.bytes), refused);
  }
  asio::post(io, [self = shared_from_this(), host, body = std::move(body)]() mutable {
    self->expect_handover(host, std::move(body));
  });
}

/// Only what an open migration brings changes what the engine knows: that guest, its NICs, from
/// the host that it comes from.
void Following::State::expect_handover(const std::string& host, PeerBody body) {
  const auto guest = tracker.expected_from(host, id_of(body.bytes));
  if (!guest) {
    --waiting;
    return unexpected(host, "no such migration from there is open");
  }
  asio::post(handover,
             [self = shared_from_this(), host, body = std::move(body), nics = macs(*guest)] {
               self->take_handover(host, body.bytes, nics);
               --self->waiting;
             });
}

/// On the main thread.
void Following::State::unexpected(const std::string& host, const std::string& why) {
  tracker.unexpected_handover();
  if (tracker.counters().unexpected_handovers == 1)
    spdlog::warn("a handover from {} changes nothing, as will others: {}", host, why);
}

/// On the handover's thread.
void Following::State::take_handover(const std::string& host, const std::string& body,
                                     const std::vector<Mac>& nics) {
  const std::string id = id_of(body);
  const std::size_t end = id.size();
  const auto* data = reinterpret_cast<const std::uint8_t*>(body.data()) + end + 1;
  const std::size_t size = body.size() - end - 1;
  auto given = decode(Bytes(data, size));
  if (!given) {
    HandoverResult failed;
    failed.state = HandoverResult::State::failed;
    failed.bytes = size;
    failed.reason = given.error().text();
    return told(id, failed);
  }
  if (!is_of(*given, nics))
    return asio::post(io, [self = shared_from_this(), host] {
      self->unexpected(host, "it has NICs that are not its guest's");
    });
  Peers* const link = peers;
  for (const PeerStatus& peer : link ? link->status().peers : std::vector<PeerStatus>{})
    if (peer.host == host && peer.clock_offset) shift(*given, -*peer.clock_offset);
  told(id, engine.give(std::move(*given), size));
}

void Following::State::told(const std::string& id, const HandoverResult& result) {
  asio::post(io, [self = shared_from_this(), id, result] {
    self->act(self->tracker.handed_over(id, result, wall_clock()));
  });
}

void Following::State::write(const Result<void>& done) {
  if (!done && counts.journal_error.empty())
    spdlog::error("the records of migrations: {}", done.error().text());
  counts.journal_error = done ? "" : done.error().text();
}

void Following::State::act(const RecordChanged& action) {
  write(journal.append(action.record, wall_clock(), action.replaces));
}

void Following::State::act(const RecordFinished& action) {
  count(counts, action.record);
  spdlog::info("{}", text_of(action.record));
  if (eve == nullptr) return;
  std::string line;
  append_migration_event(line, options.host, action.record, to_json(action.record));
  eve->submit(line);
}

// ---- Time

void Following::State::set_timer() {
  const auto at = tracker.wake();
  if (!at) {
    wake.cancel();
    return;
  }
  wake.expires_after(std::chrono::nanoseconds(std::max<Time>(0, *at - wall_clock())));
  wake.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->act(self->tracker.tick(wall_clock()));
  });
}

/// Once a second: the time, a sign of life while something is open, and the peers' clocks.
void Following::State::beat() {
  const Time now = wall_clock();
  act(tracker.tick(now));
  write(journal.beat(now, !tracker.migrating().empty()));
  if (Peers* const link = peers)
    for (const PeerStatus& peer : link->status().peers)
      act(tracker.clock_offset(peer.host, peer.clock_offset, now));
  views.forget(tracker.migrating());
  pulse.expires_after(std::chrono::seconds(1));
  pulse.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    if (const auto self = weak.lock(); self && !error) self->beat();
  });
}

void Following::State::open_journal() {
  std::error_code ignored;
  std::filesystem::create_directories(options.state, ignored);
  JournalContents contents = journal.load();
  if (contents.error) write(tl::unexpected(*contents.error));
  act(tracker.restore(std::move(contents.records), contents.alive, wall_clock()));
}

void Following::State::look(const std::set<std::string>& guests, Time now) {
  for (const std::string& guest : guests) act(tracker.view(views.view(guest), now));
}

// ---- What is told

Following::Following(asio::io_context& io, FollowingOptions options, Engine& engine, LineSinks* eve)
    : state_(std::make_shared<State>(io, std::move(options), engine, eve)) {
  state_->open_journal();
  state_->beat();
}

Following::~Following() {
  state_->wake.cancel();
  state_->pulse.cancel();
  state_->handover.join();
}

void Following::use(Peers& peers) {
  state_->peers = &peers;
}

void Following::use(Libvirt& libvirt) {
  state_->libvirt = &libvirt;
}

PeersHandlers Following::handlers(PeersHandlers also) {
  PeersHandlers out;
  const std::weak_ptr<State> weak = state_;
  const auto on_main = [weak](auto call) {
    if (const auto self = weak.lock())
      asio::post(self->io, [weak, call] {
        if (const auto state = weak.lock()) call(*state);
      });
  };
  out.on_message = [=](const std::string& host, const std::string& type, PeerBody body) {
    if (type == MigrationMessage::kType) {
      on_main([host, body](State& s) {
        if (const auto message = parse_migration_message(body.bytes))
          s.act(s.tracker.message(host, *message, wall_clock()));
      });
    } else if (type == kHandoverMessage) {
      if (const auto self = weak.lock()) self->on_handover(host, std::move(body));
    } else {
      also.on_message(host, type, std::move(body));
    }
  };
  out.on_up = [=](const std::string& host) {
    on_main([host](State& s) { s.act(s.tracker.peer_up(host, wall_clock())); });
    also.on_up(host);
  };
  out.on_down = [=](const std::string& host, const std::string& reason) {
    on_main([host](State& s) { s.act(s.tracker.peer_down(host, wall_clock())); });
    also.on_down(host, reason);
  };
  return out;
}

void Following::on_change(const RoundChanges& changes) {
  state_->look(state_->views.follow(changes), changes.time);
  for (SeenMove& move : moves_of(changes)) {
    const GuestView view = state_->views.view(move.vm_uuid);
    move.mirrored = view.wanted;
    move.in_place = view.wanted && view.in_place;
    state_->act(state_->tracker.moved(move, changes.time));
  }
}

void Following::on_round(bool readable, const std::optional<Outage>& outage, Time now) {
  State& s = *state_;
  if (outage && outage != std::exchange(s.outage, outage)) {  // A reading may have waited it out.
    s.act(s.tracker.switches(false, outage->from));
    s.act(s.tracker.switches(true, outage->to));
  }
  s.act(s.tracker.switches(readable, now));
  if (!readable || s.ready) return;
  s.ready = true;
  s.act(s.tracker.ready(now));
}

void Following::on_guest_event(const GuestEvent& event) {
  state_->act(state_->tracker.event(event));
}

void Following::on_guests(std::shared_ptr<const Guests> guests, Time now) {
  State& s = *state_;
  s.act(s.tracker.hypervisor(!guests->error, now));
  s.look(s.views.follow(std::move(guests)), now);
}

std::vector<MigrationRecord> Following::records() const {
  return state_->tracker.records();
}

std::vector<std::string> Following::migrating() const {
  return state_->tracker.migrating();
}

FollowingStatus Following::status() const {
  FollowingStatus out = state_->counts;
  out.tracker = state_->tracker.counters();
  out.handovers_waiting = state_->waiting;
  out.handovers_refused = state_->refused_handovers;
  return out;
}

}  // namespace vmirror
