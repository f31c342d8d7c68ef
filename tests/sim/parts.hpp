// The parts of a simulated cluster, each a process (sim.py starts them). A part reads commands from
// its standard input, one JSON object a line, and answers each with one line.
//
//   agents  many agents: the product's link to the store, its control thread, and a fake switch
//   bare    as many clients that do the same transactions and nothing else: the reference
//   watch   an operator: sets policies, and tells when which host's rows say that they hold
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vmirror::sim {

struct PartOptions {
  std::vector<std::string> servers;  ///< tcp:IP:PORT
  std::vector<std::string> relays;   ///< agents, bare: where policies are read; none: the servers.
  std::size_t first = 0, count = 0;  ///< Of the hosts, whose names are host_name().
  std::size_t nics = 20;             ///< Of each host.
  std::string state;                 ///< A folder; the agents' folders are in it.
};

std::string host_name(std::size_t number);  ///< "kvm0007"
std::string nic_name(std::size_t number);   ///< "vnet7"

/// Nanoseconds of the machine's monotonic clock, the same for all processes.
std::int64_t monotonic();

using CommandHandler = std::function<boost::json::object(const boost::json::object&)>;
/// Reads commands on a thread of its own; each is answered on the thread of `io`. The end of the
/// input, and {"do": "quit"}, stop `io`.
void serve_commands(boost::asio::io_context& io, CommandHandler handler);

/// A part that holds hosts: makes each, until the input ends answers `plug` and `unplug` of a
/// guest's NIC, and `status` by that function.
template <typename Host>
void serve_hosts(
    const PartOptions& options,
    const std::function<boost::json::object(const std::vector<std::unique_ptr<Host>>&)>& status) {
  boost::asio::io_context io{1};
  const auto work = boost::asio::make_work_guard(io);
  std::vector<std::unique_ptr<Host>> hosts;
  for (std::size_t i = 0; i < options.count; ++i)
    hosts.push_back(std::make_unique<Host>(io, options, options.first + i));
  serve_commands(io, [&](const boost::json::object& command) -> boost::json::object {
    const boost::json::value& verb = command.at("do");
    if (verb == "status") return status(hosts);
    if (verb != "plug" && verb != "unplug") return {{"error", "unknown command"}};
    const auto host = command.at("host").to_number<std::size_t>();
    hosts.at(host - options.first)
        ->plug(command.at("guest_of").to_number<std::size_t>(),
               command.at("nic").to_number<std::size_t>(), verb == "plug");
    return {{"at", monotonic()}};
  });
  io.run();
}

int run_agents(const PartOptions& options);
int run_bare(const PartOptions& options);
int run_watch(const PartOptions& options);

}  // namespace vmirror::sim
