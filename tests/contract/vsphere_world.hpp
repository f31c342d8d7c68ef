// A vCenter of tests/vsphere under the contract suite, and for tests of what only vSphere has.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "plugin/net/http.hpp"
#include "tests/contract/world.hpp"
#include "tests/support/child.hpp"
#include "tests/support/vcsim.hpp"

namespace vmirror::test {

/// Over TLS, with the role of least privileges. Its distributed switch has the ports that the suite
/// wants, all of one machine; the test's own hand is its control endpoint.
class VsphereWorld final : public World {
 public:
  explicit VsphereWorld(std::vector<std::string> options = {});

  std::unique_ptr<Driver> connect(const std::string& owner) override;
  void add_port(const std::string& name) override { plug("plug", name); }
  void remove_port(const std::string& name) override { plug("unplug", name); }
  void add_mirror(const std::string& name, const std::string& output) override;
  void remove_mirror(const std::string& name) override;
  void spoil_mirror(const std::string& name) override;
  void spoil_port(const std::string&) override {}  // The driver makes none.
  void touch_switch() override { order(R"({"do":"foreign_session"})"); }
  void reset() override;
  void set_reachable(bool reachable) override;
  void set_working(bool working) override;
  void fail_task() override { order(R"({"do":"fail_task"})"); }
  void arm(std::size_t n, Fault) override { rule("*", "cut_after", n); }
  bool disarm() override;

  /// The nth call of that method from now on has a fault (tests/vsphere/front.go, Rule); `more` are
  /// further fields: ,"status":503
  void rule(const std::string& method, const std::string& how, std::size_t n,
            const std::string& more = {});
  void order(const std::string& json) { call("/orders", json); }
  std::string call(const std::string& path, const std::optional<std::string>& json = {});

 private:
  void plug(const std::string& what, const std::string& port);
  void put_session(const std::string& name, const std::string& fields);

  TemporaryDirectory directory_;
  Vcsim vcsim_;
  std::unique_ptr<net::HttpClient> control_;
};

}  // namespace vmirror::test
