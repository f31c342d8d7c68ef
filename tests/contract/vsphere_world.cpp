#include "tests/contract/vsphere_world.hpp"

#include <sys/stat.h>

#include <fstream>
#include <stdexcept>

#include "plugin/vsphere/driver.hpp"

namespace vmirror::test {
namespace {

constexpr const char* kPorts[] = {"vnet0", "vnet1", "vnet2"};
constexpr const char* kMachine = "DC0_C0_RP0_VM0";

std::vector<std::string> vcsim_options(std::vector<std::string> options) {
  for (const char* more :
       {"--vms", "1", "--bare", "1", "--hosts", "2", "--switch", "br0", "--task-delay", "2ms"})
    options.emplace_back(more);
  return options;
}

}  // namespace

VsphereWorld::VsphereWorld(std::vector<std::string> options)
    : vcsim_(vcsim_options(std::move(options))) {
  net::HttpOptions plain;
  plain.url = vcsim_.control();
  plain.plain_http = true;
  auto client = net::HttpClient::make(plain);
  if (!client) throw std::runtime_error(client.error().text());
  control_ = std::move(*client);
  const std::string credentials = directory_.path() + "/credentials";
  std::ofstream(credentials) << "username=vmirror\npassword=vmirror\n";
  chmod(credentials.c_str(), 0600);
  reset();
}

std::unique_ptr<Driver> VsphereWorld::connect(const std::string& owner) {
  VsphereOptions options;
  options.url = vcsim_.url();
  options.thumbprint = vcsim_.thumbprint();
  options.credentials_file = directory_.path() + "/credentials";
  options.owner = owner;
  options.receiver = "198.51.100.200";
  auto driver = make_vsphere_driver(options);
  if (!driver) throw std::runtime_error(driver.error().text());
  return std::move(*driver);
}

void VsphereWorld::add_mirror(const std::string& name, const std::string& output) {
  put_session(name,
              R"("sourcePortTransmitted":{"PortKey":["vnet0"]},"destinationPort":{"PortKey":[")" +
                  output + R"("]})");
}

void VsphereWorld::remove_mirror(const std::string& name) {
  order(R"({"do":"remove_session","name":")" + name + R"("})");
}

void VsphereWorld::spoil_mirror(const std::string& name) {
  put_session(name, R"("description":"made by vmirror, owner vmirror","mirroredPacketLength":100)");
}

void VsphereWorld::reset() {
  order(R"({"do":"clear_rules"})");
  for (const char* port : {"vnet0", "vnet1", "vnet2", "vnet9"}) plug("unplug", port);
  for (const char* port : kPorts) plug("plug", port);
  order(R"({"do":"remove_session","name":"*"})");
}

void VsphereWorld::set_reachable(bool reachable) {
  order(std::string(R"({"do":"down","on":)") + (reachable ? "false}" : "true}"));
}

void VsphereWorld::set_working(bool working) {
  order(std::string(R"({"do":"hold_tasks","on":)") + (working ? "false}" : "true}"));
}

void VsphereWorld::rule(const std::string& method, const std::string& how, std::size_t n,
                        const std::string& more) {
  call("/rules", R"([{"method":")" + method + R"(","how":")" + how + R"(","nth":)" +
                     std::to_string(n) + more + "}]");
}

bool VsphereWorld::disarm() {
  const bool happened = call("/fired") != "0\n";
  order(R"({"do":"clear_rules"})");
  return happened;
}

void VsphereWorld::plug(const std::string& what, const std::string& port) {
  order(R"({"do":")" + what + R"(","key":")" + port + R"(","vm":")" + kMachine + R"("})");
}

void VsphereWorld::put_session(const std::string& name, const std::string& fields) {
  order(R"({"do":"put_session","session":{"sessionType":"dvPortMirror","enabled":true,)"
        R"("normalTrafficAllowed":true,"name":")" +
        name + R"(",)" + fields + "}}");
}

std::string VsphereWorld::call(const std::string& path, const std::optional<std::string>& json) {
  net::HttpRequest request{.path = path};
  if (json) request.body = *json;
  const auto answer = control_->send(request);
  if (!answer) throw std::runtime_error(answer.error().text());
  if (answer->status != 200) throw std::runtime_error(path + ": " + std::string(answer->body));
  return std::string(answer->body);
}

Subject vsphere_subject() {
  return {"vsphere", Vcsim::unavailable, [] { return std::make_unique<VsphereWorld>(); }};
}

}  // namespace vmirror::test
