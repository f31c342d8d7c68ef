#include "agent/control/peers/peers.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "agent/control/peers/inbox.hpp"
#include "agent/control/peers/link.hpp"
#include "agent/control/peers/tls.hpp"
#include "plugin/base/slots.hpp"
#include "plugin/base/trusted_file.hpp"

namespace vmirror {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

namespace {

constexpr std::chrono::seconds kLookAtTls{1};

Tcp::endpoint to_asio(const PeerEndpoint& endpoint) {
  if (endpoint.address.version == 4) {
    asio::ip::address_v4::bytes_type bytes;
    std::copy_n(endpoint.address.octets.begin(), bytes.size(), bytes.begin());
    return {asio::ip::address_v4(bytes), endpoint.port};
  }
  return {asio::ip::address_v6(endpoint.address.octets), endpoint.port};
}

/// Whose share of the slots an address has: of IPv6 its /64, which one host has whole.
IpAddress origin_of(const asio::ip::address& from) {
  IpAddress out;
  if (from.is_v4()) {
    const auto bytes = from.to_v4().to_bytes();
    out.version = 4;
    std::ranges::copy(bytes, out.octets.begin());
  } else {
    const auto bytes = from.to_v6().to_bytes();
    out.version = 6;
    std::copy_n(bytes.begin(), bytes.size() / 2, out.octets.begin());
  }
  return out;
}

std::uint64_t random_instance() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;  // 0 is "not seen yet".
}

}  // namespace

const char* to_text(PeerStatus::State state) {
  switch (state) {
    case PeerStatus::State::up:
      return "up";
    case PeerStatus::State::down:
      return "down";
    default:
      return "refused";
  }
}

/// The table of peers and what decides which connection is theirs. All but what `mutex` guards
/// belongs to the thread.
struct Peers::State final : LinkOwner {
  struct Entry {
    explicit Entry(asio::io_context& io) : redial(io) {}

    PeerEndpoint endpoint;
    PeerStatus status;  ///< By the mutex.
    std::deque<PeerMessage>
        queue;                   ///< By the mutex. If not empty, a write or a wake is on its way.
    bool writing = false;        ///< By the mutex: one more message, which the link has.
    std::shared_ptr<Link> link;  ///< The one that counts: up, or being dialed.
    std::shared_ptr<PeerInbox> inbox;
    std::uint64_t connection =
        0;  ///< The last one's number: of ours when we dial, else the peer's.
    std::chrono::milliseconds delay{0};
    std::chrono::steady_clock::time_point dialed;
    asio::steady_timer redial;
  };

  State(PeersOptions o, PeersHandlers h) : options(std::move(o)), handlers(std::move(h)) {}

  Result<void> open();
  void run();
  void accept();
  void admit(Tcp::socket socket);
  void refused(const std::string& who, const std::string& why);
  void dial(Entry& entry);
  void redial_later(Entry& entry);
  LinkOptions link_options(const Entry* dialed) const;
  Entry* entry_of(const Link& link);
  void go_up(Entry& entry, const PeerHello& hello);
  void go_down(Entry& entry, const Error& error);
  void lost(Entry& entry, const Error& error);
  std::vector<FileState> tls_files_now() const;
  void watch_tls();
  void use_tls();

  Result<void> wanted(const Link& link, const PeerHello& hello) override;
  void up(Link& link, const PeerHello& hello) override;
  void message(Link& link, PeerFrame frame) override;
  std::size_t most_bytes(std::string_view type) const override;
  bool has_room(const Link& link) const override;
  std::optional<PeerMessage> next(Link& link) override;
  void sent(Link& link, const PeerMessage& message) override;
  void clock(Link& link, const ClockSample& sample) override;
  void ended(Link& link, const Error& error) override;

  const PeersOptions options;
  const PeersHandlers handlers;
  const std::uint64_t instance = random_instance();
  std::unique_ptr<asio::ssl::context> tls;
  std::vector<FileState> tls_files;  ///< As `tls` was made of them.
  asio::io_context io{1};
  asio::steady_timer look_at_tls{io};
  std::optional<Tcp::acceptor> acceptor;
  asio::steady_timer accept_again{io};
  /// Accepted, oldest first; who has said who it is, is taken off.
  struct Stranger {
    std::weak_ptr<Link> link;
    IpAddress origin;
    bool is_peers = false;  ///< The address is one of a peer's.
  };
  std::vector<Stranger> strangers;

  mutable std::mutex mutex;
  std::map<std::string, Entry, std::less<>> entries;  ///< Its keys never change.
  PeersStatus shared;                                 ///< All but `peers`.
  std::thread thread;
};

// ---- Beginning ---------------------------------------------------------------------------------

Result<void> Peers::State::open() {
  if (options.tls) {
    tls_files = tls_files_now();
    auto context = make_tls(*options.tls);
    if (!context) return tl::unexpected(context.error());
    tls = std::move(*context);
  }
  shared.encrypted = tls != nullptr;
  for (const Peer& peer : options.peers) {
    if (peer.host == options.host) continue;
    Entry& entry = entries.try_emplace(peer.host, io).first->second;
    entry.endpoint = peer.endpoint;
    entry.status.host = peer.host;
    entry.status.endpoint = peer.endpoint;
    entry.status.since = wall_clock();
    entry.status.dials = options.host < peer.host;
    entry.status.encrypted = shared.encrypted;
    entry.inbox = std::make_shared<PeerInbox>(options.limits.waiting_messages,
                                              options.limits.waiting_bytes, [this, &entry] {
                                                asio::post(io, [&entry] {
                                                  if (entry.link) entry.link->resume();
                                                });
                                              });
    entry.status.reason = entry.status.dials ? "not reached yet" : "it has not dialed yet";
  }
  if (!options.listen) return {};
  const Tcp::endpoint endpoint = to_asio(*options.listen);
  acceptor.emplace(io);
  error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(Error::Kind::refused, "can't listen: " + error.message(), options.listen->text(),
                "set peers.listen to an address of this host and a free port");
  shared.listen = options.listen;
  shared.listen->port = acceptor->local_endpoint(error).port();
  return {};
}

void Peers::State::run() {
  if (acceptor) accept();
  if (tls) watch_tls();
  for (auto& [host, entry] : entries)
    if (entry.status.dials) dial(entry);
  thread = std::thread([this] {
    const auto stay = asio::make_work_guard(io);
    io.run();
  });
}

std::vector<FileState> Peers::State::tls_files_now() const {
  std::vector<FileState> out;
  for (const std::string& path : {options.tls->certificate, options.tls->private_key,
                                  options.tls->ca_certificate, options.tls->revoked})
    if (!path.empty()) out.push_back(FileState::of(path));
  return out;
}

/// A renewed certificate and a new list of revoked ones count from the next second on. Files that
/// can't be used change nothing, and are told.
void Peers::State::watch_tls() {
  look_at_tls.expires_after(kLookAtTls);
  look_at_tls.async_wait([this](const error_code& error) {
    if (error) return;
    if (auto now = tls_files_now(); now != tls_files) {
      tls_files = std::move(now);
      use_tls();
    }
    watch_tls();
  });
}

/// All links begin anew: each proves itself by the files that count now.
void Peers::State::use_tls() {
  auto context = make_tls(*options.tls);
  {
    const std::lock_guard lock(mutex);
    shared.tls_error = context ? "" : context.error().text();
  }
  if (!context) return;
  tls = std::move(*context);
  for (const Stranger& stranger : std::exchange(strangers, {}))
    if (const auto link = stranger.link.lock()) link->close();
  for (auto& [host, entry] : entries) {
    const auto link = entry.link;
    if (!link) continue;
    link->close();
    lost(entry, {Error::Kind::unreachable, "the files of TLS changed here", {}, {}});
  }
}

LinkOptions Peers::State::link_options(const Entry* dialed) const {
  LinkOptions out;
  out.own.host = options.host;
  out.own.instance = instance;
  if (dialed != nullptr) {
    out.own.connection = dialed->connection;
    out.expected = dialed->status.host;
  }
  out.tls = tls.get();
  out.limits = options.limits;
  return out;
}

void Peers::State::accept() {
  acceptor->async_accept([this](const error_code& error, Tcp::socket socket) {
    if (error) {  // No file descriptors left, for one: nothing that trying at once would help.
      accept_again.expires_after(std::chrono::milliseconds(100));
      return accept_again.async_wait([this](const error_code&) { accept(); });
    }
    admit(std::move(socket));
    accept();
  });
}

/// Peers' addresses have slots of their own, so that no stranger keeps them out.
void Peers::State::admit(Tcp::socket socket) {
  error_code gone;
  const asio::ip::address from = socket.remote_endpoint(gone).address();
  if (gone) return;
  const IpAddress origin = origin_of(from);
  const bool is_peers = std::ranges::any_of(
      entries, [&](const auto& entry) { return to_asio(entry.second.endpoint).address() == from; });
  std::erase_if(strangers, [](const Stranger& s) { return s.link.expired(); });
  std::vector<std::size_t> places;
  std::vector<IpAddress> taken;
  for (std::size_t i = 0; i < strangers.size(); ++i)
    if (strangers[i].is_peers == is_peers) {
      places.push_back(i);
      taken.push_back(strangers[i].origin);
    }
  const PeerLimits& limits = options.limits;
  const SlotLimits slots =
      is_peers ? SlotLimits{limits.handshakes_peer * entries.size(), limits.handshakes_peer}
               : SlotLimits{limits.handshakes, limits.handshakes_each};
  if (const auto place = gives_way(taken, origin, slots)) {
    const auto at = strangers.begin() + static_cast<std::ptrdiff_t>(places[*place]);
    if (const auto link = at->link.lock()) {
      refused("a stranger at " + link->remote(),
              "too many connections at once that don't say who they are; a port scan?");
      link->close();
    }
    strangers.erase(at);
  }
  auto link = std::make_shared<Link>(std::move(socket), *this, link_options(nullptr));
  strangers.push_back({link, origin, is_peers});
  link->accepted();
}

void Peers::State::refused(const std::string& who, const std::string& why) {
  const std::lock_guard lock(mutex);
  ++shared.refused_connections;
  shared.last_refusal = who + ": " + why;
}

void Peers::State::dial(Entry& entry) {
  ++entry.connection;
  entry.dialed = std::chrono::steady_clock::now();
  entry.link = std::make_shared<Link>(Tcp::socket(io), *this, link_options(&entry));
  entry.link->dial(to_asio(entry.endpoint));
}

/// The delay counts from the last dial's begin: one that took as long is followed at once.
void Peers::State::redial_later(Entry& entry) {
  const PeerLimits& limits = options.limits;
  entry.delay = std::clamp(entry.delay * 2, limits.dial_first, limits.dial_most);
  entry.redial.expires_at(entry.dialed + entry.delay);
  entry.redial.async_wait([this, &entry](const error_code& error) {
    if (!error) dial(entry);
  });
}

// ---- What the links tell -----------------------------------------------------------------------

/// Whose connection this is. Links that were replaced are nobody's.
Peers::State::Entry* Peers::State::entry_of(const Link& link) {
  const auto it = entries.find(link.host());
  return it != entries.end() && it->second.link.get() == &link ? &it->second : nullptr;
}

Result<void> Peers::State::wanted(const Link& link, const PeerHello& hello) {
  if (link.is_dialer()) return {};
  const std::string name = "`" + printable(hello.host) + "`";
  const auto it = entries.find(link.host());
  if (it == entries.end())
    return fail(Error::Kind::refused, name + " is not among the peers of `" + options.host + "`",
                {}, "add it to peers.hosts there");
  const Entry& entry = it->second;
  if (entry.status.dials)
    return fail(Error::Kind::refused, "`" + options.host + "` dials " + name, {},
                "of two hosts the one whose name sorts first dials");
  // An older connection whose hello was under way for longer than a newer one's.
  if (hello.instance == entry.status.instance && hello.connection <= entry.connection)
    return fail(Error::Kind::refused, name + " has a newer connection", {}, {});
  return {};
}

void Peers::State::up(Link& link, const PeerHello& hello) {
  Entry& entry = entries.find(link.host())->second;
  if (link.is_dialer()) return go_up(entry, hello);
  if (const auto old = std::exchange(entry.link, link.shared_from_this())) {
    old->close();
    go_down(entry, {Error::Kind::unreachable, "it made a new connection", {}, {}});
  }
  std::erase_if(strangers, [&](const Stranger& s) { return s.link.lock().get() == &link; });
  entry.connection = hello.connection;
  go_up(entry, hello);
}

void Peers::State::go_up(Entry& entry, const PeerHello& hello) {
  entry.delay = {};
  {
    const std::lock_guard lock(mutex);
    PeerStatus& status = entry.status;
    status.state = PeerStatus::State::up;
    status.since = wall_clock();
    status.reason.clear();
    status.instance = hello.instance;
    ++status.connections;
  }
  if (handlers.on_up) handlers.on_up(entry.status.host);
}

/// The entry's link is no more, or never was; what waited for it is lost.
void Peers::State::go_down(Entry& entry, const Error& error) {
  const std::string reason = error.text();
  bool was_up = false;
  {
    const std::lock_guard lock(mutex);
    PeerStatus& status = entry.status;
    was_up = status.state == PeerStatus::State::up;
    const auto state =
        error.kind == Error::Kind::refused ? PeerStatus::State::refused : PeerStatus::State::down;
    if (status.state != state) status.since = wall_clock();
    status.state = state;
    status.reason = reason;
    status.clock_offset.reset();
    status.rtt.reset();
    status.lost_messages += entry.queue.size() + (entry.writing ? 1 : 0);
    status.queued_bytes = 0;
    entry.queue.clear();
    entry.writing = false;
  }
  if (was_up && handlers.on_down) handlers.on_down(entry.status.host, reason);
}

void Peers::State::message(Link& link, PeerFrame frame) {
  Entry* const entry = entry_of(link);
  if (entry == nullptr) return;
  {
    const std::lock_guard lock(mutex);
    ++entry->status.received_messages;
    entry->status.received_bytes += frame.body.size();
  }
  const std::size_t cost = PeerMessage::kOverhead + frame.body.size();
  if (handlers.on_message)
    handlers.on_message(entry->status.host, frame.type,
                        {std::move(frame.body), entry->inbox->admit(cost)});
}

std::size_t Peers::State::most_bytes(std::string_view type) const {
  if (options.most_bytes.empty()) return options.limits.message_bytes;
  const auto known = options.most_bytes.find(type);
  return known == options.most_bytes.end() ? PeersOptions::kMaxUnknownMessage : known->second;
}

bool Peers::State::has_room(const Link& link) const {
  const auto it = entries.find(link.host());
  return it == entries.end() || it->second.inbox->has_room();
}

std::optional<PeerMessage> Peers::State::next(Link& link) {
  Entry* const entry = entry_of(link);
  if (entry == nullptr) return std::nullopt;
  const std::lock_guard lock(mutex);
  if (entry->queue.empty()) return std::nullopt;
  PeerMessage message = std::move(entry->queue.front());
  entry->queue.pop_front();
  entry->writing = true;
  return message;
}

void Peers::State::sent(Link& link, const PeerMessage& message) {
  Entry* const entry = entry_of(link);
  if (entry == nullptr) return;
  const std::lock_guard lock(mutex);
  entry->writing = false;
  entry->status.queued_bytes -= message.cost();
  ++entry->status.sent_messages;
  entry->status.sent_bytes += message.body.size();
}

void Peers::State::clock(Link& link, const ClockSample& sample) {
  Entry* const entry = entry_of(link);
  if (entry == nullptr) return;
  const std::lock_guard lock(mutex);
  entry->status.clock_offset = sample.offset;
  entry->status.rtt = sample.delay;
}

void Peers::State::lost(Entry& entry, const Error& error) {
  const auto keep = std::exchange(entry.link, nullptr);
  go_down(entry, error);
  if (entry.status.dials) redial_later(entry);
}

void Peers::State::ended(Link& link, const Error& error) {
  Entry* entry = entry_of(link);
  if (entry != nullptr) {
    return lost(*entry, error);
  }
  // A stranger. Where it called itself a peer that isn't up, that peer's state says why.
  const auto claimed = entries.find(link.host());
  const std::string who = claimed != entries.end() ? "`" + claimed->first + "`" : "a stranger";
  refused(who + " at " + link.remote(), error.text());
  if (claimed != entries.end() && claimed->second.link == nullptr) go_down(claimed->second, error);
}

// ---- What callers see --------------------------------------------------------------------------

Result<std::unique_ptr<Peers>> Peers::start(PeersOptions options, PeersHandlers handlers) {
  if (const auto ok = check(options); !ok) return tl::unexpected(ok.error());
  auto state = std::make_unique<State>(std::move(options), std::move(handlers));
  if (const auto ok = state->open(); !ok) return tl::unexpected(ok.error());
  state->run();
  return std::unique_ptr<Peers>(new Peers(std::move(state)));
}

Peers::Peers(std::unique_ptr<State> state) : state_(std::move(state)) {}

Peers::~Peers() {
  for (auto& [host, entry] : state_->entries) entry.inbox->close();
  state_->io.stop();
  state_->thread.join();
}

Result<void> Peers::send(const std::string& host, std::string_view type, std::string body) {
  State& state = *state_;
  const auto it = state.entries.find(host);
  if (it == state.entries.end())
    return fail(Error::Kind::missing, "no peer `" + host + "`", {}, "add it to peers.hosts");
  State::Entry& entry = it->second;
  const PeerLimits& limits = state.options.limits;
  const std::lock_guard lock(state.mutex);
  PeerStatus& status = entry.status;
  const auto refused = [&](Error::Kind kind, std::string what, std::string remedy) {
    ++status.refused_messages;
    return fail(kind, std::move(what), "peer " + host, std::move(remedy));
  };
  if (type.empty() || type.size() > kMaxPeerType)
    return refused(Error::Kind::invalid, "a message's type has 1 to 32 bytes", "");
  if (body.size() > limits.message_bytes)
    return refused(Error::Kind::invalid,
                   "a message of " + std::to_string(body.size()) + " bytes, " +
                       std::to_string(limits.message_bytes) + " are allowed",
                   "send it in parts, or less of it");
  if (status.state != PeerStatus::State::up)
    return refused(Error::Kind::unreachable, status.reason, "");
  PeerMessage message{std::string(type), std::move(body)};
  if (status.queued_bytes + message.cost() > limits.queue_bytes)
    return refused(Error::Kind::exhausted,
                   std::to_string(status.queued_bytes) + " bytes wait to be sent, " +
                       std::to_string(limits.queue_bytes) + " may",
                   "try again later");
  status.queued_bytes += message.cost();
  entry.queue.push_back(std::move(message));
  if (entry.queue.size() == 1)
    asio::post(state.io, [&entry] {
      if (entry.link) entry.link->wake();
    });
  return {};
}

PeersStatus Peers::status() const {
  const std::lock_guard lock(state_->mutex);
  PeersStatus out = state_->shared;
  for (const auto& [host, entry] : state_->entries) out.peers.push_back(entry.status);
  return out;
}

}  // namespace vmirror
