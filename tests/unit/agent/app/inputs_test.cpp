// Which ports the engine reads where copies for it come out.
#include "agent/app/inputs.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

using Names = std::vector<std::string>;

TEST(Inputs, LocalOutputsArePortsOfASwitch) {
  ControlSnapshot control;
  control.local_outputs.insert("vmr-br0");
  control.local_outputs.insert("erspan-192.0.2.9");  // Sent to an address: no interface here.
  EXPECT_EQ(local_outputs(control), Names{}) << "no switch was read";

  auto world = std::make_shared<Observed>();
  world->switches["br0"].ports["vmr-br0"].name = "vmr-br0";
  control.observed = world;
  EXPECT_EQ(local_outputs(control), Names{"vmr-br0"});
}

TEST(Inputs, APortWithoutCopiesIsNoFault) {
  Config config;
  LocalPorts ports;
  const InputOptions input = make_local_input(config, ports, "vmr-none0", 0);
  const auto waits = input.open(0);
  ASSERT_TRUE(waits) << waits.error().text();
  EXPECT_EQ(*waits, nullptr);

  ports.set({"vmr-none0"});
  const auto opened = input.open(0);
  ASSERT_FALSE(opened) << "there is no such interface, and copies are to come out of it";
  EXPECT_NE(opened.error().text().find("vmr-none0"), std::string::npos) << opened.error().text();
}

}  // namespace
}  // namespace vmirror
