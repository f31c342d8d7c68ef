// A session with a vCenter or an ESXi host over the vim25 API (SOAP 1.1).
//
//   VimClient:       versions -> RetrieveServiceContent -> Login -> calls ... -> Logout
//                                        ^--------- NotAuthenticated --'
//   Collector:       CreatePropertyCollector -> CreateFilter -> WaitForUpdatesEx ...
//   InventoryWatch:  a ContainerView over all, one filter, folded into an Inventory
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin/net/soap.hpp"
#include "plugin/vsphere/read.hpp"
#include "plugin/vsphere/values.hpp"

namespace vmirror::vsphere {

struct VimOptions {
  net::HttpOptions http;              ///< Its `auth` stays none: vim25 logs in by a call.
  net::CredentialSource credentials;  ///< Read at each login.
};

/// What a session is made of, as the server told it.
struct Session {
  std::uint64_t number = 0;  ///< 1, 2, ...: another number, other views and collectors.
  std::string version;       ///< "8.0.3.0": of the API, as agreed on.
  std::string product;       ///< "VMware vCenter Server 8.0.3 build-24022515"
  std::string server_uuid;   ///< about.instanceUuid; empty on ESXi.
  bool is_vcenter = false;   ///< Else an ESXi host.
  Ref root_folder, property_collector, view_manager, session_manager;
};

struct Method {
  Ref self;
  const char* name;
  /// Adds the arguments in the order of the schema. May be empty.
  std::function<void(pugi::xml_node)> arguments{};
  bool repeatable = false;  ///< As net::HttpRequest's: it changes nothing.
  std::chrono::milliseconds timeout{60'000};
  /// The session that `self` is of (a view, a collector); 0: any. Where that session has ended, the
  /// call is Error::Kind::missing, or the fault NotAuthenticated if the server is first to know.
  std::uint64_t session = 0;
};

/// What a method returned: a result, or a fault of the server.
struct VimAnswer {
  net::SoapAnswer message;
  pugi::xml_node result;  ///< The element of the response; <returnval>s are its children.
  std::string fault;      ///< The fault's type ("ConcurrentAccess"); empty: none.
  Error error{};          ///< The fault in words.
};

/// Functions may be called from any thread.
class VimClient {
 public:
  /// Connects to nothing yet. Errors are net::HttpClient::make's.
  static Result<std::unique_ptr<VimClient>> make(VimOptions options);
  /// Logs out, within two seconds. No call may be running.
  ~VimClient();
  VimClient(const VimClient&) = delete;
  VimClient& operator=(const VimClient&) = delete;

  /// The session, after logging in where there is none. Error::Kind::refused: user and password are
  /// refused; they are not tried again until the credentials are others.
  Result<std::shared_ptr<const Session>> session(std::stop_token stop = {});

  /// Calls a method, within a session. A session that has ended is begun anew once, unless the
  /// method is of a session. A fault is an answer, not an error.
  Result<VimAnswer> call(const Method& method, std::stop_token stop = {});
  /// The same, where a fault is an error.
  Result<VimAnswer> must(const Method& method, std::stop_token stop = {});

  /// Calls CurrentTime if nothing else was called for kKeepAlive: a server ends a session that is
  /// idle for 30 minutes, or as few as 15 where it is hardened. A wait for updates counts as
  /// nothing.
  Result<void> keep_alive(std::stop_token stop = {});

  const std::string& url() const { return http_->url(); }
  net::HttpCounters counters() const { return http_->counters(); }

 private:
  VimClient(VimOptions options, std::unique_ptr<net::HttpClient> http);
  Result<std::shared_ptr<const Session>> log_in(const std::stop_token& stop);
  Result<std::string> read_version(const std::stop_token& stop);
  Result<VimAnswer> send(const Method& method, const std::string& version,
                         const std::stop_token& stop,
                         const std::function<void(net::SoapRequest&, pugi::xml_node)>& finish = {});
  std::shared_ptr<const Session> current();
  void forget(std::uint64_t session);

  const net::CredentialSource credentials_;
  const std::unique_ptr<net::HttpClient> http_;
  std::mutex login_;          ///< One login at a time.
  net::Credentials refused_;  ///< Guarded by login_: what the server refused.
  std::mutex mutex_;          ///< Guards what follows.
  std::shared_ptr<const Session> session_;
  std::uint64_t sessions_ = 0;
  std::chrono::steady_clock::time_point last_call_;
};

constexpr std::chrono::minutes kKeepAlive{5};
/// The longest wait for updates that a server is asked for.
constexpr std::chrono::seconds kMaxWait{600};

/// A collector of properties with one filter, for one session. Of one thread at a time.
class Collector {
 public:
  /// `fill` adds the fields of a PropertyFilterSpec: propSet, objectSet.
  static Result<Collector> make(VimClient& client, const Session& session,
                                const std::function<void(pugi::xml_node)>& fill,
                                std::stop_token stop = {});
  /// Ends the collector at the server, with a wait that may still run there.
  ~Collector();
  Collector(Collector&& other) noexcept;
  Collector(const Collector&) = delete;
  Collector& operator=(Collector&&) = delete;

  /// WaitForUpdatesEx: `answer` gets each UpdateSet, and answers the version to go on with, or an
  /// error. Waits at most `wait` (1 s to kMaxWait) for the first one. False: nothing changed.
  Result<bool> wait(std::chrono::seconds wait,
                    const std::function<Result<Folded>(pugi::xml_node)>& answer,
                    std::stop_token stop = {});

 private:
  Collector(VimClient& client, std::uint64_t session, Ref self);
  VimClient* client_;
  std::uint64_t session_;
  Ref self_;  ///< Empty: moved from.
  std::string version_;
};

/// Keeps an Inventory by one filter over all machines, hosts, distributed switches and port groups.
/// Of one thread at a time.
class InventoryWatch {
 public:
  /// `client` must outlive it. `clusters`: they are watched, too.
  explicit InventoryWatch(VimClient& client, bool clusters = false)
      : client_(client), clusters_(clusters) {}
  ~InventoryWatch() { end(); }
  InventoryWatch(const InventoryWatch&) = delete;
  InventoryWatch& operator=(const InventoryWatch&) = delete;

  /// Reads all the first time, after an error and in a new session; else waits for a change, at
  /// most `wait`. True: the inventory is another than before. After an error it is as it was.
  Result<bool> poll(std::chrono::seconds wait, std::stop_token stop = {});
  /// Ends what it has at the server: the next poll reads all anew.
  void end();
  const Inventory& inventory() const { return inventory_; }
  /// Properties that the user may not read, in the last whole reading, and the first one's reason.
  std::size_t missing() const { return missing_; }
  const Error& first_missing() const { return first_missing_; }

 private:
  Result<void> start(const Session& session, std::stop_token stop);

  VimClient& client_;
  const bool clusters_;
  std::optional<Collector> collector_;
  Ref view_;  ///< What the collector's filter is over; empty: none.
  std::uint64_t session_ = 0;
  Inventory inventory_;
  std::size_t missing_ = 0;
  Error first_missing_{};
};

}  // namespace vmirror::vsphere
