#include <stdexcept>

#include "plugin/ovs/driver.hpp"
#include "tests/contract/world.hpp"
#include "tests/support/ovs_sandbox.hpp"
#include "tests/support/socket_proxy.hpp"

namespace vmirror::test {
namespace {

/// Drivers connect through a proxy, which cuts the connection after the nth message; the test's own
/// hand goes past it.
class OvsSubject final : public World {
 public:
  OvsSubject() : proxy_(sandbox_.directory() + "/proxy.sock", sandbox_.socket()) { reset(); }

  std::unique_ptr<Driver> connect(const std::string& owner) override {
    OvsOptions options;
    options.remote = "unix:" + sandbox_.directory() + "/proxy.sock";
    options.owner = owner;
    options.timeout = std::chrono::milliseconds(1000);
    auto driver = make_ovs_driver(options);
    if (!driver) throw std::runtime_error(driver.error().text());
    return std::move(*driver);
  }
  void add_port(const std::string& name) override {
    sandbox_.vsctl("add-port br0 " + name + " -- set interface " + name + " type=internal");
  }
  void remove_port(const std::string& name) override { sandbox_.vsctl("del-port br0 " + name); }
  void add_mirror(const std::string& name, const std::string& output) override {
    sandbox_.vsctl("-- --id=@s get port vnet0 -- --id=@o get port " + output +
                   " -- --id=@m create mirror name=" + name +
                   " select_src_port=@s output_port=@o -- add bridge br0 mirrors @m");
  }
  void remove_mirror(const std::string& name) override {
    sandbox_.vsctl("-- --id=@m get mirror " + name + " -- remove bridge br0 mirrors @m");
  }
  void spoil_mirror(const std::string& name) override {
    sandbox_.vsctl("set mirror " + name + " select_src_port=[] select_dst_port=[] snaplen=100");
  }
  void spoil_port(const std::string& name) override {
    sandbox_.vsctl("set interface " + name + " options:remote_ip=192.0.2.99");
  }
  void unlearn_vlan(int vlan) override {
    sandbox_.vsctl("add bridge br0 flood_vlans " + std::to_string(vlan));
  }
  void reset() override {
    sandbox_.vsctl(
        "--if-exists del-br br0 -- add-br br0 -- set bridge br0 datapath_type=netdev "
        "-- add-port br0 vnet0 -- set interface vnet0 type=internal "
        "-- add-port br0 vnet1 -- set interface vnet1 type=internal "
        "-- add-port br0 vnet2 -- set interface vnet2 type=internal");
  }
  void set_reachable(bool reachable) override {
    if (reachable)
      sandbox_.start_server();
    else
      sandbox_.kill_server();
  }
  void set_working(bool working) override { sandbox_.freeze_vswitchd(!working); }
  void arm(std::size_t n, Fault) override { proxy_.cut_after(n); }
  bool disarm() override {
    const bool cut = proxy_.has_cut();
    proxy_.cut_after(0);
    return cut;
  }

 private:
  OvsSandbox sandbox_;
  SocketProxy proxy_;
};

}  // namespace

Subject ovs_subject() {
  return {"ovs", OvsSandbox::unavailable, [] { return std::make_unique<OvsSubject>(); }};
}

}  // namespace vmirror::test
