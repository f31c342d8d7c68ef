// vmirror_sim PART --servers tcp:IP:PORT,... [--relays ...] [--first N] [--count N] [--nics N]
// [--state FOLDER]
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <time.h>

#include <boost/asio/post.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "tests/sim/parts.hpp"

namespace vmirror::sim {

std::string host_name(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "kvm" + std::string(digits.size() < 4 ? 4 - digits.size() : 0, '0') + digits;
}

std::string nic_name(std::size_t number) {
  return "vnet" + std::to_string(number);
}

std::int64_t monotonic() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

void serve_commands(boost::asio::io_context& io, CommandHandler handler) {
  std::thread([&io, handler = std::move(handler)] {
    for (std::string line; std::getline(std::cin, line);) {
      const auto command = boost::json::parse(line).as_object();
      if (command.at("do") == "quit") break;
      boost::asio::post(io, [command, &handler] {
        std::cout << boost::json::serialize(handler(command)) << std::endl;
      });
    }
    io.stop();
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));  // `handler` may be in use.
  }).detach();
}

namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ',');)
    if (!word.empty()) out.push_back(word);
  return out;
}

int run(const std::vector<std::string>& words) {
  PartOptions o;
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (words[i] == "--servers") o.servers = split(value);
    if (words[i] == "--relays") o.relays = split(value);
    if (words[i] == "--first") o.first = std::stoul(value);
    if (words[i] == "--count") o.count = std::stoul(value);
    if (words[i] == "--nics") o.nics = std::stoul(value);
    if (words[i] == "--state") o.state = value;
  }
  spdlog::set_level(spdlog::level::off);  // Its lines would be among the answers.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const std::map<std::string, int (*)(const PartOptions&)> parts{
      {"agents", run_agents}, {"bare", run_bare}, {"watch", run_watch}};
  const auto part = words.empty() ? parts.end() : parts.find(words.front());
  if (part == parts.end() || o.servers.empty()) {
    std::cerr << "vmirror_sim: a part (agents, bare, watch) and --servers are needed; sim.py "
                 "starts it\n";
    return 64;
  }
  return part->second(o);
}

}  // namespace
}  // namespace vmirror::sim

int main(int argc, char** argv) {
  const int exit = vmirror::sim::run({argv + 1, argv + argc});
  std::fflush(nullptr);
  std::_Exit(exit);  // The thread that reads commands is not waited for.
}
