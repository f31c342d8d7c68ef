#include "tests/contract/hyperv_world.hpp"

#include <stdexcept>

namespace vmirror::test {
namespace {

constexpr const char* kSensor = "SENSOR-HV1";
constexpr const char* kMonitor = "Monitor";

std::vector<std::string> hyperv_options(std::vector<std::string> options) {
  for (const char* more : {"--vms", "0", "--switch", "br0", "--job-ms", "5", "--no-negotiate"})
    options.emplace_back(more);
  return options;
}

}  // namespace

HypervWorld::HypervWorld(std::vector<std::string> options)
    : server_(hyperv_options(std::move(options))) {
  net::HttpOptions plain;
  plain.url = server_.control();
  plain.plain_http = true;
  auto client = net::HttpClient::make(plain);
  if (!client) throw std::runtime_error(client.error().text());
  control_ = std::move(*client);
  reset();
}

HypervOptions HypervWorld::options() const {
  HypervOptions out;
  out.url = server_.urls();
  out.thumbprint = server_.thumbprints();
  out.credentials_file = server_.credentials();
  out.monitor = std::string("SENSOR-*/") + kMonitor;
  out.poll = std::chrono::milliseconds(50);
  return out;
}

std::unique_ptr<Driver> HypervWorld::connect(const HypervOptions& options) const {
  auto driver = make_hyperv_driver(options);
  if (!driver) throw std::runtime_error(driver.error().text());
  return std::move(*driver);
}

std::unique_ptr<Driver> HypervWorld::connect(const std::string& owner) {
  HypervOptions with = options();
  with.owner = owner;
  return connect(with);
}

void HypervWorld::add_port(const std::string& name) {
  order(R"({"do":"add","host":"HV1","switch":"br0","adapter":"","vm":")" + name + R"("})");
}

void HypervWorld::remove_port(const std::string& name) {
  order(R"({"do":"remove","vm":")" + name + R"("})");
}

void HypervWorld::set_mode(const std::string& vm, const std::string& adapter,
                           const std::string& values) {
  order(R"({"do":"feature","class":"Msvm_EthernetSwitchPortSecuritySettingData","vm":")" + vm +
        R"(","adapter":")" + adapter + R"(")" + (values.empty() ? "" : R"(,"values":)" + values) +
        "}");
}

void HypervWorld::add_mirror(const std::string&, const std::string& output) {
  set_mode(output, "", R"({"MonitorMode":2})");
}

void HypervWorld::remove_mirror(const std::string&) {
  for (const char* vm : {"vnet0", "vnet1"}) set_mode(vm, "", "");
  set_mode(kSensor, kMonitor, "");
}

void HypervWorld::spoil_mirror(const std::string&) {
  set_mode("vnet0", "", R"({"MonitorMode":1})");
}

void HypervWorld::reset() {
  order(R"({"do":"clear_rules"})");
  const std::string state = call("/state");
  for (const char* name : {"vnet0", "vnet1", "vnet2", "vnet9"})
    if (state.find("\"name\": \"" + std::string(name) + "\"") != state.npos) remove_port(name);
  order(R"({"do":"clear"})");
  for (const char* name : {"vnet0", "vnet1", "vnet2"}) add_port(name);
}

void HypervWorld::set_reachable(bool reachable) {
  order(std::string(R"({"do":"down","on":)") + (reachable ? "false}" : "true}"));
}

void HypervWorld::set_working(bool working) {
  order(std::string(R"({"do":"hold","host":"HV1","on":)") + (working ? "false}" : "true}"));
}

void HypervWorld::rule(const std::string& method, const std::string& how, std::size_t n,
                       const std::string& more) {
  call("/rules", R"([{"call":")" + method + R"(","how":")" + how + R"(","nth":)" +
                     std::to_string(n) + more + "}]");
}

void HypervWorld::arm(std::size_t n, Fault fault) {
  if (fault == Fault::fail)
    rule("Invoke", "return", n, R"(,"code":32768)");
  else
    rule("Invoke", "cut_after", n);
}

bool HypervWorld::disarm() {
  const bool happened = call("/fired") != "0";
  order(R"({"do":"clear_rules"})");
  return happened;
}

std::string HypervWorld::call(const std::string& path,
                              const std::optional<std::string>& json) const {
  net::HttpRequest request{.path = path};
  if (json) request.body = *json;
  const auto answer = control_->send(request);
  if (!answer) throw std::runtime_error(answer.error().text());
  if (answer->status != 200) throw std::runtime_error(path + ": " + std::string(answer->body));
  return std::string(answer->body);
}

Subject hyperv_subject() {
  return {"hyperv", Wsman::unavailable, [] { return std::make_unique<HypervWorld>(); }};
}

}  // namespace vmirror::test
