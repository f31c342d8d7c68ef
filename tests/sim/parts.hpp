// The parts of a simulated cluster, each a process (sim.py starts them). A part reads commands from
// its standard input, one JSON object a line, and answers each with one line.
//
//   agents  many agents: the product's link to the store, its control thread, and a fake switch
//   bare    as many clients that do the same transactions and nothing else: the reference
//   watch   an operator: sets policies, and tells when which host's rows say that they hold
#pragma once

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

int run_agents(const PartOptions& options);
int run_bare(const PartOptions& options);
int run_watch(const PartOptions& options);

}  // namespace vmirror::sim
