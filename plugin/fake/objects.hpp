// What the fake's drivers own besides mirrors: ports of ours, VLANs without learning (transaction),
// a NIC's mode (mode).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "plugin/api/model.hpp"
#include "plugin/fake/driver.hpp"

namespace vmirror::fake {

constexpr const char* kPortKind = "port";
constexpr const char* kUnlearnedKind = "unlearned VLAN";
constexpr const char* kModeKind = "NIC mode";

class PortValue final : public ObjectValue {
 public:
  PortValue(std::string t, std::optional<TunnelEnd> e) : type(std::move(t)), tunnel(std::move(e)) {}
  std::string text() const override { return tunnel ? type + " to " + tunnel->remote : type; }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<PortValue>(&other);
    if (is == nullptr || is->type != type) return "type differs";
    return is->tunnel == tunnel ? "" : "tunnel differs";
  }
  const std::string type;
  const std::optional<TunnelEnd> tunnel;
};

/// It is there: the key says all.
class VlanValue final : public ObjectValue {
 public:
  std::string text() const override { return ""; }
  std::string difference(const ObjectValue& other) const override {
    return value_as<VlanValue>(&other) ? "" : "kind differs";
  }
};

class ModeValue final : public ObjectValue {
 public:
  explicit ModeValue(NicMode m) : mode(m) {}
  std::string text() const override { return mode == NicMode::source ? "source" : "destination"; }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<ModeValue>(&other);
    return is && is->mode == mode ? "" : "mode differs";
  }
  const NicMode mode;
};

}  // namespace vmirror::fake
