// A server of the store on this host: an ovsdb-server of Open vSwitch with the schema of vmirror,
// alone or as a member of a cluster (RAFT, ovsdb(7)); or a relay, which has no database and serves
// what servers have. `vmirror cluster` makes it and asks it.
//
//   FOLDER/store.db     the database              FOLDER/server.json     how it is started
//   FOLDER/store.sock   for clients of this host  FOLDER/server.ctl, .pid, .log
//   FOLDER/remotes.db   where it listens with TLS, and by which role: a database of this server
//                       alone, because ovsdb-server takes the role of a remote from a database
//                       only, and that a remote is for reading only, which all of a relay are
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror {

struct ServerSettings {
  std::string folder = "/var/lib/vmirror-store";  ///< Not part of server.json: it lies there.
  std::string address;                            ///< IP of this member; empty: alone.
  int clients_port = 6651;                        ///< For agents.
  int cluster_port = 6652;                        ///< For the other members.
  std::string private_key, certificate, ca_certificate;  ///< PEM; of both ports.
  bool insecure = false;                                 ///< Without them, over plain TCP.
  bool roles = false;  ///< Clients with TLS have roles (roles.hpp): there is a remotes.db.
  std::string user;    ///< Whom ovsdb-server runs as; empty: as who starts it.
  /// Not empty: it is a relay of these servers of the store, "ssl:192.0.2.7:6651".
  std::vector<std::string> relay_of;

  bool is_relay() const { return !relay_of.empty(); }
  /// It listens by remotes.db.
  bool has_remotes() const { return roles || is_relay(); }
  bool is_alone() const { return address.empty(); }
  std::string file(const char* name) const { return folder + "/" + name; }
  /// "unix:FOLDER/store.sock"
  std::string local_remote() const { return "unix:" + file("store.sock"); }
  /// "ssl:192.0.2.7:6652", as ovsdb-tool takes it.
  std::string member() const;
};

/// What contradicts itself. Error::Kind::invalid; `where` is the option. Pure.
Result<void> check(const ServerSettings& settings);

std::string encode_settings(const ServerSettings& settings);
/// Error::Kind::invalid. `folder` is where the text lies.
Result<ServerSettings> parse_settings(std::string_view text, const std::string& folder);

/// The words after `ovsdb-server`. In the background it restarts itself when it crashes.
std::vector<std::string> server_words(const ServerSettings& settings, bool foreground);

/// Of remotes.db: its schema, and the parameters of ovsdb-tool's `transact` that fill it. Pure.
std::string remotes_schema();
std::string remotes_transaction(const ServerSettings& settings);

/// Rules for `nft -f` by which these IP addresses alone reach the members' port, because it takes
/// every certificate of the CA for a member's: ovsdb-server can't tell them apart. Pure.
std::string firewall_rules(int cluster_port, const std::set<std::string>& addresses);
/// Of "ssl:192.0.2.7:6652" or "tcp:[2001:db8::7]:6652"; empty: it is none. Pure.
std::string address_of_member(const std::string& remote);

/// A member of a cluster, as ovs-appctl's cluster/status tells it.
struct Member {
  std::string id, address;
  bool self = false;
  std::optional<std::int64_t> last_message_ms;  ///< None: nothing came yet, or it is this server.
  bool operator==(const Member&) const = default;
};

struct ServerStatus {
  bool alone = false;
  bool relay = false;
  bool connected = false;  ///< A relay to a server of the store; told some 30 s late (ovsdb(7)).
  std::string cluster_id, server_id, address, status, role, leader;
  std::int64_t term = 0;
  std::vector<Member> members;
  std::string fault;  ///< It serves, and yet: its file is spoilt, its disk is full. See fault_of().
  bool operator==(const ServerStatus&) const = default;
  /// It serves: alone, as a member of a cluster that has a leader, or as a relay of a server; and
  /// nothing is wrong with its file and disk.
  bool is_well() const;
};

/// Of a text of cluster/status; what it lacks is empty. Pure.
ServerStatus parse_cluster_status(const std::string& text);
/// Of a relay, as it answers a question for its row of the database `_Server`. Pure.
ServerStatus parse_relay_status(const boost::json::array& answer);
/// {"alone", "relay", "connected" (null: no relay), "cluster_id", "server_id", "address", "status",
/// "role", "leader", "term", "members": [{"id", "address", "self", "last_message_ms"}], "fault"
/// (null: none), "well"}
boost::json::object to_json(const ServerStatus& status);

}  // namespace vmirror
