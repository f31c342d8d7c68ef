#include "agent/app/inputs.hpp"

#include <unistd.h>

#include <algorithm>

#include "agent/engine/capture/interface.hpp"
#include "agent/engine/capture/pair.hpp"

namespace vmirror {
namespace {

using Source = Result<std::unique_ptr<FrameSource>>;

/// Several workers of one input share its frames by a fanout group: a number that is unique in the
/// network namespace.
std::optional<std::uint16_t> fanout_group(const InputConfig& input, std::uint16_t place) {
  if (input.workers <= 1) return std::nullopt;
  return static_cast<std::uint16_t>(::getpid() * 31 + place);
}

Source open_pair(const RingOptions& ring, const std::string& second) {
  RingOptions other = ring;
  other.interface = second;
  auto opened = open_ring(ring);
  if (!opened) return opened;
  auto opposite = open_ring(other);
  if (!opposite) return opposite;
  PairOptions options;
  options.names = {ring.interface, second};
  return make_pair_source(std::move(*opened), std::move(*opposite), std::move(options));
}

/// `interface` tells which one to read; empty: none for now.
InputOptions make_input(const Config& config, const InputConfig& input, std::uint16_t place,
                        std::function<Result<std::string>()> interface) {
  InputOptions out;
  out.name = input.name;
  out.workers = input.workers;
  out.decap = input.decap;
  out.identity = input.identity;
  RingOptions ring = input.ring;
  ring.input = place;
  ring.fanout_group = fanout_group(input, place);
  out.open = [ring, interface = std::move(interface),
              second = input.second](int) mutable -> Source {
    const auto name = interface();
    if (!name) return tl::unexpected(name.error());
    if (name->empty()) return nullptr;
    ring.interface = *name;
    return second.empty() ? open_ring(ring) : open_pair(ring, second);
  };
  if (input.reinject.empty()) return out;
  std::vector<std::string> taken;
  for (const InputConfig& other : config.inputs)
    for (std::string& interface : other.interfaces()) taken.push_back(std::move(interface));
  out.open_reinjector = [to = input.reinject, taken]() -> Result<Reinjector> {
    ReinjectOptions options;
    options.interface = to;
    options.inputs = taken;
    return Reinjector::open(options);
  };
  return out;
}

}  // namespace

std::vector<std::string> local_outputs(const ControlSnapshot& control) {
  std::vector<std::string> out;
  if (!control.observed) return out;
  for (const std::string& output : control.local_outputs)
    if (std::ranges::any_of(control.observed->switches, [&](const auto& entry) {
          return entry.second.ports.get(output) != nullptr;
        }))
      out.push_back(output);
  return out;
}

std::vector<std::string> LocalPorts::set(std::vector<std::string> ports) {
  const std::lock_guard lock(mutex_);
  now_ = std::move(ports);
  std::vector<std::string> fresh;
  for (const std::string& port : now_)
    if (ever_.insert(port).second) fresh.push_back(port);
  return fresh;
}

bool LocalPorts::has(const std::string& port) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(now_, port) != now_.end();
}

std::vector<InputOptions> make_inputs(const Config& config) {
  std::vector<InputOptions> out;
  std::uint16_t place = 0;
  if (config.driver && config.monitor_nic) {
    InputConfig local = config.local;
    local.decap.own_tunnels = true;
    out.push_back(make_input(config, local, place++,
                             [nic = *config.monitor_nic] { return find_interface(nic); }));
  }
  for (const InputConfig& input : config.inputs)
    out.push_back(
        make_input(config, input, place++,
                   [name = input.ring.interface]() -> Result<std::string> { return name; }));
  return out;
}

std::vector<std::string> interfaces_of(const Config& config, const std::string& input) {
  for (const InputConfig& each : config.inputs)
    if (each.name == input) return each.interfaces();
  if (!config.monitor_nic) return {input};
  const auto interface = find_interface(*config.monitor_nic);
  return interface ? std::vector{*interface} : std::vector<std::string>{};
}

InputOptions make_local_input(const Config& config, const LocalPorts& ports,
                              const std::string& port, std::size_t place) {
  InputConfig input = config.local;
  input.name = port;
  input.decap.own_tunnels = true;
  return make_input(config, input, static_cast<std::uint16_t>(config.inputs.size() + place),
                    [&ports, port]() -> Result<std::string> {
                      if (!ports.has(port)) return "";  // No session's copies go here now.
                      // Ours: nobody else brings it up.
                      if (const auto done = make_silent_receiver(port); !done)
                        return tl::unexpected(done.error());
                      return port;
                    });
}

}  // namespace vmirror
