// The reference: as many bare clients of OVSDB (RFC 7047), each with one connection and one monitor
// of the same rows, which answer a policy with the same rows at once. They keep no replica, know no
// policies and drive no switch: what the servers need is what is left.
#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <iostream>
#include <map>

#include "tests/sim/parts.hpp"

namespace vmirror::sim {

namespace asio = boost::asio;
namespace json = boost::json;
using asio::ip::tcp;

namespace {

/// "tcp:127.0.0.1:6651"
tcp::endpoint endpoint_of(const std::string& server) {
  const std::size_t begin = server.find(':') + 1, end = server.rfind(':');
  return {asio::ip::make_address(server.substr(begin, end - begin)),
          static_cast<std::uint16_t>(std::stoul(server.substr(end + 1)))};
}

json::array columns(std::initializer_list<const char*> names) {
  return json::array(names.begin(), names.end());
}

/// One connection: whole JSON values in both directions.
class Connection {
 public:
  using Take = std::function<void(const json::object&)>;
  Connection(asio::io_context& io, const std::string& server, Take take)
      : socket_(io), take_(std::move(take)) {
    socket_.connect(endpoint_of(server));
    socket_.set_option(tcp::no_delay(true));
    read();
  }
  void send(const json::object& message) {
    out_.push_back(json::serialize(message));
    if (out_.size() == 1) write();
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(buffer_), [this](auto error, std::size_t size) {
      if (error) throw std::runtime_error("the server closed a connection");
      const char* at = buffer_.data();
      while (size > 0) {
        if (parser_done_) parser_.reset();
        parser_done_ = false;
        const std::size_t used = parser_.write_some(at, size);
        at += used, size -= used;
        if (!parser_.done()) continue;
        parser_done_ = true;
        take_(parser_.release().as_object());
      }
      read();
    });
  }
  void write() {
    asio::async_write(socket_, asio::buffer(out_.front()), [this](auto error, std::size_t) {
      if (error) throw std::runtime_error("the server closed a connection");
      out_.pop_front();
      if (!out_.empty()) write();
    });
  }

  tcp::socket socket_;
  Take take_;
  std::array<char, 16384> buffer_{};
  json::stream_parser parser_;
  bool parser_done_ = false;
  std::deque<std::string> out_;
};

json::array where_is(const char* column, json::value value) {
  json::array out;
  out.push_back(json::array{column, "==", std::move(value)});
  return out;
}

/// What a policy of the simulation says, without a reader of policies.
struct BarePolicy {
  std::string name, target;
  std::int64_t generation = 0;
};

class Client {
 public:
  Client(asio::io_context& io, const PartOptions& options, std::size_t number)
      : number_(number), name_(host_name(number)), nics_(options.nics) {
    const auto& readers = options.relays.empty() ? options.servers : options.relays;
    connection_ =
        std::make_unique<Connection>(io, options.servers[number % options.servers.size()],
                                     [this](const json::object& message) { take(message); });
    if (!options.relays.empty())
      reader_ = std::make_unique<Connection>(io, readers[number % readers.size()],
                                             [this](const json::object& m) { take_read(m); });
    const auto table = [](json::array names, json::array where = {}) {
      json::object one{{"columns", std::move(names)}};
      if (!where.empty()) one["where"] = std::move(where);
      json::array out;
      out.push_back(std::move(one));
      return out;
    };
    const json::object policies{
        {"Cluster", table(columns({"generation", "policies"}))},
        {"Policy", table(columns({"name", "yaml", "generation", "set_by", "set_at"}))}};
    json::object own{
        {"Host", table(columns({"name", "kind", "switch_version", "version", "capabilities",
                                "generation", "refused", "fault", "instance"}),
                       where_is("name", json::value_from(name_)))},
        {"Session", table(columns({"name", "host", "policies", "vm", "mac", "switch", "port",
                                   "target", "state", "proof", "in_place", "reason", "since"}),
                          where_is("host", json::value_from(name_)))}};
    if (reader_)
      monitor(*reader_, policies);
    else
      own.insert(policies.begin(), policies.end());
    monitor(*connection_, own);
  }

  bool is_idle() const { return !running_; }
  std::size_t transactions() const { return transactions_; }

  void plug(std::size_t guest_of, std::size_t nic, bool in) {
    const std::string port = nic_name(nic);
    if (in) {
      transact(json::array(1, session(guest_of, nic)), {port});
    } else {
      transact(json::array(1, deletion(port)));
      uuids_.erase(port);
    }
  }

 private:
  void monitor(Connection& connection, const json::object& tables) {
    connection.send(
        {{"id", "monitor"},
         {"method", "monitor_cond_since"},
         {"params", json::array{"vmirror", "m", tables, "00000000-0000-0000-0000-000000000000"}}});
  }

  bool echo(Connection& connection, const json::object& message) {
    const auto* method = message.if_contains("method");
    if (method == nullptr || *method != "echo") return false;
    connection.send(
        {{"id", message.at("id")}, {"result", message.at("params")}, {"error", nullptr}});
    return true;
  }

  void take_read(const json::object& message) {
    if (echo(*reader_, message)) return;
    if (const auto* result = message.if_contains("result"); result && result->is_array())
      take_updates(result->as_array().at(2).as_object());
    else if (const auto* method = message.if_contains("method"); method && *method == "update3")
      take_updates(message.at("params").as_array().at(2).as_object());
  }

  void take(const json::object& message) {
    if (echo(*connection_, message)) return;
    const auto* method = message.if_contains("method");
    if (method != nullptr && *method == "update3") {
      take_updates(message.at("params").as_array().at(2).as_object());
    } else if (message.at("id") == "monitor") {
      if (!message.at("error").is_null()) throw std::runtime_error(json::serialize(message));
      begin(message.at("result").as_array().at(2).as_object());
    } else {
      take_answer(message);
    }
  }

  /// With the rows that are there: none, or those of the client before this one.
  void begin(const json::object& tables) {
    const std::string instance = std::to_string(monotonic()) + "-" + name_;
    json::object operation{{"op", "insert"},
                           {"table", "Host"},
                           {"row",
                            {{"name", name_},
                             {"kind", "fake"},
                             {"switch_version", "a fake switch"},
                             {"version", "sim"},
                             {"generation", 0},
                             {"instance", instance}}}};
    if (const auto* hosts = tables.if_contains("Host"))
      for (const auto& [id, change] : hosts->as_object()) {
        told_ = change.at("initial").at("generation").as_int64();
        operation = {{"op", "update"},
                     {"table", "Host"},
                     {"where", where_is("name", json::value_from(name_))},
                     {"row", {{"instance", instance}}}};
      }
    if (const auto* sessions = tables.if_contains("Session"))
      for (const auto& [id, change] : sessions->as_object())
        uuids_[std::string(change.at("initial").at("port").as_string())] = id;
    known_ = true;
    transact(json::array(1, operation));
    take_updates(tables);
  }

  void take_updates(const json::object& tables) {
    const auto* policies = tables.if_contains("Policy");
    if (policies == nullptr) return;
    for (const auto& [id, change] : policies->as_object()) {
      for (const char* kind : {"insert", "initial"})
        if (const auto* row = change.as_object().if_contains(kind)) {
          const std::string yaml(row->at("yaml").as_string());
          policies_[id] = {std::string(row->at("name").as_string()),
                           yaml.find("192.0.2.9") == yaml.npos ? "local" : "erspan-192.0.2.9",
                           row->at("generation").as_int64()};
        }
      if (change.as_object().contains("delete")) policies_.erase(id);
    }
    dirty_ = true;
    follow();
  }

  /// Brings the rows to the policies, as an agent does: one transaction.
  void follow() {
    if (!known_ || running_ || !std::exchange(dirty_, false)) return;
    json::array operations;
    std::int64_t generation = policies_.empty() ? told_ + 1 : 0;
    for (const auto& [id, policy] : policies_) generation = std::max(generation, policy.generation);
    if (generation == told_) return;
    told_ = generation;
    operations.push_back(json::object{{"op", "update"},
                                      {"table", "Host"},
                                      {"where", where_is("name", json::value_from(name_))},
                                      {"row", {{"generation", generation}}}});
    for (const auto& [port, uuid] : uuids_) operations.push_back(deletion(port));
    uuids_.clear();
    std::vector<std::string> ports;
    if (!policies_.empty())
      for (std::size_t nic = 0; nic < nics_; ++nic) {
        operations.push_back(session(number_, nic));
        ports.push_back(nic_name(nic));
      }
    transact(std::move(operations), std::move(ports));
  }

  json::object deletion(const std::string& port) {
    return {{"op", "delete"},
            {"table", "Session"},
            {"where", where_is("_uuid", json::array{"uuid", uuids_[port]})}};
  }

  json::object session(std::size_t guest_of, std::size_t nic) {
    const BarePolicy& policy = policies_.begin()->second;
    const std::string port = nic_name(nic);
    return {{"op", "insert"},
            {"table", "Session"},
            {"uuid-name", "row" + port},
            {"row",
             {{"name", port + "@" + policy.target},
              {"host", name_},
              {"policies", policy.name},
              {"vm", "guest-" + std::to_string(guest_of) + "-" + std::to_string(nic)},
              {"mac", "52:54:00:00:00:00"},
              {"switch", "br0"},
              {"port", port},
              {"target", policy.target},
              {"state", "pending"},
              {"in_place", true},
              {"reason", "the mirror is in place; waits for the first copies to be counted"},
              {"since", "2026-01-01T00:00:00.000Z"}}}};
  }

  /// `ports`: of the sessions that it inserts, which are its last operations.
  void transact(json::array operations, std::vector<std::string> ports = {}) {
    if (running_) {
      waiting_.emplace_back(std::move(operations), std::move(ports));
      return;
    }
    running_ = true;
    inserting_ = std::move(ports);
    ++transactions_;
    json::array params{"vmirror"};
    params.insert(params.end(), operations.begin(), operations.end());
    connection_->send(
        {{"id", transactions_}, {"method", "transact"}, {"params", std::move(params)}});
  }

  void take_answer(const json::object& message) {
    const auto* results = message.at("result").if_array();
    if (results == nullptr) throw std::runtime_error(json::serialize(message));
    for (const json::value& one : *results)
      if (const auto* object = one.if_object(); object && object->contains("error"))
        throw std::runtime_error(json::serialize(message));
    const std::size_t others = results->size() - inserting_.size();
    for (std::size_t i = 0; i < inserting_.size(); ++i)
      uuids_[inserting_[i]] = (*results)[others + i].at("uuid").at(1).as_string();
    running_ = false;
    if (!waiting_.empty()) {
      auto [operations, ports] = std::move(waiting_.front());
      waiting_.pop_front();
      transact(std::move(operations), std::move(ports));
    }
    follow();
  }

  const std::size_t number_;
  const std::string name_;
  const std::size_t nics_;
  std::unique_ptr<Connection> connection_, reader_;  ///< No reader: the connection reads, too.
  std::map<std::string, BarePolicy> policies_;       ///< By the row's identity.
  std::map<std::string, std::string> uuids_;         ///< Of the sessions' rows, by port.
  bool known_ = false, running_ = false, dirty_ = false;
  std::int64_t told_ = 0;  ///< The generation in the host's row.
  std::vector<std::string> inserting_;
  std::deque<std::pair<json::array, std::vector<std::string>>> waiting_;
  std::size_t transactions_ = 0;
};

}  // namespace

int run_bare(const PartOptions& options) {
  try {
    serve_hosts<Client>(options, [](const auto& clients) -> json::object {
      std::size_t idle = 0, transactions = 0;
      for (const auto& client : clients) {
        idle += client->is_idle() ? 1 : 0;
        transactions += client->transactions();
      }
      return {{"connected", idle}, {"reports", transactions}};
    });
  } catch (const std::exception& error) {
    std::cerr << "bare: " << error.what() << "\n";
    return 1;
  }
  return 0;
}

}  // namespace vmirror::sim
