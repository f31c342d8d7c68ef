// What the vSphere driver takes, against tests/vsphere's vCenter over TLS: how long until the first
// observation, its memory, how long until a move of a VM is observed, and what CPU time it takes.
//
// With 500 VMs on 20 hosts, and with 5,000: what one move costs must not grow with the number of
// VMs. The moves are ordered at 20 a second; the simulator shares the machine.
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <thread>

#include "plugin/net/http.hpp"
#include "plugin/vsphere/driver.hpp"
#include "tests/bench/benches.hpp"
#include "tests/support/child.hpp"
#include "tests/support/vcsim.hpp"

namespace vmirror::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMoves = 100;
constexpr auto kBetweenMoves = std::chrono::milliseconds(50);
constexpr auto kPatience = std::chrono::seconds(10);
constexpr const char* kHosts = "20";

double seconds_since(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}
double process_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Measured {
  double first = 0, bytes = 0;     ///< Seconds until the first observation; resident memory.
  double median = 0, longest = 0;  ///< Seconds until a move is observed.
  double cpu = 0;                  ///< Seconds of CPU a move, of which the orders take some.
  int lost = 0;                    ///< Moves that were not observed within kPatience.
};

class Subject {
 public:
  explicit Subject(int vms) : vcsim_({"--hosts", kHosts, "--vms", std::to_string(vms)}) {
    net::HttpOptions plain;
    plain.url = vcsim_.control();
    plain.plain_http = true;
    control_ = std::move(*net::HttpClient::make(plain));
    const std::string credentials = folder_.path() + "/credentials";
    std::ofstream(credentials) << "username=vmirror\npassword=vmirror\n";
    chmod(credentials.c_str(), 0600);
  }

  Result<Measured> measure() {
    Measured out;
    VsphereOptions options;
    options.url = vcsim_.url();
    options.thumbprint = vcsim_.thumbprint();
    options.credentials_file = folder_.path() + "/credentials";
    options.timeout = std::chrono::seconds(60);
    const std::uint64_t before = resident().anonymous;
    const auto began = Clock::now();
    const auto driver = std::move(*make_vsphere_driver(options));
    const auto first = driver->observe();
    if (!first) return tl::unexpected(first.error());
    world_ = *first;
    out.first = seconds_since(began);
    std::vector<double> seconds;
    const double cpu = process_cpu_seconds();
    const auto& ports = world_->switches.at("DVS0").ports;
    for (const auto& [key, port] : PersistentMap(ports)) {
      if (port.uplink || seconds.size() + static_cast<std::size_t>(out.lost) == kMoves) continue;
      const auto at = Clock::now();
      const std::string to = next_host(port.labels.at("vm-host"));
      order(R"({"do":"migrate","vm":")" + port.labels.at("vm-name") + R"(","host":")" + to +
            R"("})");
      if (wait_for(*driver, key, to, at))
        seconds.push_back(seconds_since(at));
      else
        ++out.lost;
      std::this_thread::sleep_until(at + kBetweenMoves);
    }
    out.cpu = (process_cpu_seconds() - cpu) / kMoves;
    out.bytes = static_cast<double>(resident().anonymous - std::min(before, resident().anonymous));
    out.median = median(seconds);
    out.longest = seconds.empty() ? 0 : std::ranges::max(seconds);
    return out;
  }

 private:
  static std::string next_host(const std::string& host) {
    const std::size_t at = host.rfind('H') + 1;
    return host.substr(0, at) +
           std::to_string((std::stoi(host.substr(at)) + 1) % std::stoi(kHosts));
  }
  void order(const std::string& json) {
    net::HttpRequest request{.path = "/orders"};
    request.body = json;
    (void)control_->send(request);
  }
  bool wait_for(Driver& driver, const std::string& key, const std::string& host,
                Clock::time_point since) {
    while (Clock::now() - since < kPatience) {
      if (const auto now = driver.observe()) world_ = *now;
      if (world_->switches.at("DVS0").ports.at(key).labels.at("vm-host") == host) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  test::TemporaryDirectory folder_;
  test::Vcsim vcsim_;
  std::unique_ptr<net::HttpClient> control_;
  std::shared_ptr<const Observed> world_;
};

}  // namespace

void bench_vsphere(Report& report) {
  if (const std::string why = test::Vcsim::unavailable(); !why.empty())
    return report.note("vsphere: left out, " + why);
  const auto measured = Subject(500).measure();
  if (!measured) return report.note("vsphere: 500 VMs: " + measured.error().text());
  const Measured& few = *measured;
  report.add({"vsphere.first_observation_500", few.first, "s", {}, value_at_most(3)});
  report.add({"vsphere.memory_500", few.bytes, "bytes", {}, value_at_most(40e6)});
  report.add({"vsphere.move_500", few.median, "s", {}, value_at_most(1)});
  report.add({"vsphere.move_longest_500", few.longest, "s", {}, value_at_most(1)});
  const auto of_many = Subject(5000).measure();
  if (!of_many) return report.note("vsphere: 5,000 VMs: " + of_many.error().text());
  const Measured& many = *of_many;
  report.add({"vsphere.first_observation_5000", many.first, "s"});
  report.add({"vsphere.memory_5000", many.bytes, "bytes"});
  report.add({"vsphere.move_longest_5000", many.longest, "s", {}, value_at_most(1)});
  report.add({"vsphere.move_cpu_5000", many.cpu, "s", few.cpu, ratio_at_most(1.5)});
  report.add({"vsphere.moves_lost",
              static_cast<double>(few.lost + many.lost),
              "moves",
              {},
              value_at_most(0)});
}

}  // namespace vmirror::bench
