// Which NICs a name of `vmirror capture` means, and what vmirror-extcap answers without a daemon.
#include "agent/cli/capture.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace vmirror {
namespace {

boost::json::array captured_sessions() {
  return boost::json::parse(R"([
    {"name": "w/vnet0", "vm": "dc1", "mac": "52:54:00:00:00:01", "switch": "br0", "port": "vnet0",
     "target": "local", "output": "vmr-br0"},
    {"name": "x/vnet0", "vm": "dc1", "mac": "52:54:00:00:00:01", "switch": "br0", "port": "vnet0",
     "target": "local", "output": "vmr-br0"},
    {"name": "w/vnet1", "vm": "dc1", "mac": "52:54:00:00:00:02", "switch": "br1", "port": "vnet1",
     "target": "local", "output": "vmr-br1"},
    {"name": "w/vnet2", "vm": "plc", "mac": "52:54:00:00:00:03", "switch": "br0", "port": "vnet2",
     "target": "erspan-192.0.2.9", "output": "vmr-1"},
    {"name": "w/vnet3", "vm": "ids", "mac": "52:54:00:00:00:04", "switch": "br0", "port": "vnet3",
     "target": "local", "output": "vnet9"},
    {"name": "w/vnet4", "vm": "old", "mac": null, "switch": "br0", "port": "vnet4",
     "reason": "the port is gone", "target": "local", "output": ""}])")
      .as_array();
}

TEST(CaptureNics, ANameMeansTheNicsWhoseCopiesComeHere) {
  using Ports = std::vector<std::string>;
  const struct {
    const char* name;
    Ports ports;
    std::optional<Error::Kind> error;
    const char* says;
  } table[] = {
      {"dc1", {"vnet0", "vnet1"}, {}, ""},
      {"vnet1", {"vnet1"}, {}, ""},
      {"52:54:00:00:00:01", {"vnet0"}, {}, ""},
      {"x/vnet0", {"vnet0"}, {}, ""},
      {"plc", {}, Error::Kind::unsupported, "erspan-192.0.2.9"},
      {"ids",
       {},
       Error::Kind::unsupported,
       "receiver's NIC `vnet9`, which is no output port of this daemon (on the machine that "
       "receives them: `vmirror capture 52:54:00:00:00:04 --interface DEVICE`"},
      {"old", {}, Error::Kind::missing, "no mirror serves it: the port is gone (`vmirror explain"},
      {"nobody", {}, Error::Kind::missing, "no session mirrors it here"},
  };
  for (const auto& row : table) {
    SCOPED_TRACE(row.name);
    const auto nics = capture_nics(captured_sessions(), row.name);
    ASSERT_EQ(nics.has_value(), !row.error.has_value());
    if (!nics) {
      EXPECT_EQ(nics.error().kind, *row.error);
      EXPECT_NE(nics.error().text().find(row.says), std::string::npos) << nics.error().text();
      EXPECT_FALSE(nics.error().remedy.empty());
      continue;
    }
    Ports ports;
    for (const CaptureNic& nic : *nics) ports.push_back(nic.port);
    EXPECT_EQ(ports, row.ports);
  }
  EXPECT_EQ(capture_nics(captured_sessions()).size(), 2U) << "once a NIC";
}

TEST(Extcap, AnswersWithoutADaemon) {
  const struct {
    std::vector<std::string> words;
    int exit;
    const char* out;
    const char* err;
  } table[] = {
      {{"--extcap-interfaces", "--extcap-version=4.0"}, kOk, "extcap {version=", "no answer"},
      {{"--extcap-interface", "vmirror-vnet0", "--extcap-dlts"},
       kOk,
       "dlt {number=1}{name=EN10MB}{display=Ethernet}\n",
       ""},
      {{"--extcap-interface", "vmirror-vnet0", "--extcap-config"}, kOk, "{call=--snaplen}", ""},
      {{"--capture", "--extcap-interface", "vmirror-vnet0"}, kUsage, "", "needs --fifo"},
      {{"--capture", "--extcap-interface", "eth0", "--fifo", "/f"}, kUsage, "", "vmirror-PORT"},
      {{"--extcap-interface", "vmirror-vnet0"}, kUsage, "", "is needed"},
      {{"--capture", "--extcap-interface", "vmirror-vnet0", "--fifo", "/f"},
       kFailed,
       "",
       "no answer"},
      {{"--unknown"}, kUsage, "", "--unknown"},
      {{"--help"}, kOk, "Example: vmirror-extcap", ""},
  };
  for (const auto& row : table) {
    std::ostringstream out, err;
    CommandContext context{.socket = "/nowhere/vmirror.sock", .out = out, .err = err};
    EXPECT_EQ(run_extcap(row.words, context), row.exit) << row.words.front();
    EXPECT_NE(out.str().find(row.out), std::string::npos) << out.str();
    EXPECT_NE(err.str().find(row.err), std::string::npos) << err.str();
  }
}

}  // namespace
}  // namespace vmirror
