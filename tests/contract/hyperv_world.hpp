// A Hyper-V host of tests/wsman under the contract suite, and for tests of what only Hyper-V has.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "plugin/hyperv/driver.hpp"
#include "plugin/net/http.hpp"
#include "tests/contract/world.hpp"
#include "tests/support/wsman.hpp"

namespace vmirror::test {

/// Over TLS. The ports that the suite wants are VMs whose one adapter has no name; the test's own
/// hand is the server's control endpoint.
class HypervWorld final : public World {
 public:
  explicit HypervWorld(std::vector<std::string> options = {});

  /// What connect() uses, for another owner or other options.
  HypervOptions options() const;
  std::unique_ptr<Driver> connect(const HypervOptions& options) const;

  std::unique_ptr<Driver> connect(const std::string& owner) override;
  void add_port(const std::string& name) override;
  void remove_port(const std::string& name) override;
  /// A source of somebody else's: `output` names the adapter, as no mirror here has a name.
  void add_mirror(const std::string& name, const std::string& output) override;
  void remove_mirror(const std::string& name) override;
  void spoil_mirror(const std::string& name) override;
  void spoil_port(const std::string&) override {}  // The driver makes none.
  void reset() override;
  void set_reachable(bool reachable) override;
  void set_working(bool working) override;
  void fail_task() override { order(R"({"do":"fail_job","host":"HV1"})"); }
  /// The nth call of a method.
  void arm(std::size_t n, Fault fault) override;
  bool disarm() override;

  /// A rule of tests/wsman/control.py; `more` are further fields: ,"status":503
  void rule(const std::string& call, const std::string& how, std::size_t n,
            const std::string& more = {});
  void order(const std::string& json) { call("/orders", json); }
  /// Of an adapter of that VM: adds or changes a setting, or takes it away (`values` empty).
  void set_mode(const std::string& vm, const std::string& adapter, const std::string& values);
  std::string call(const std::string& path, const std::optional<std::string>& json = {}) const;
  const Wsman& server() const { return server_; }

 private:
  Wsman server_;
  std::unique_ptr<net::HttpClient> control_;
};

}  // namespace vmirror::test
