// The settings of a virtual switch that the driver owns, as objects.
//
//   kind "mirroring"  a port's mode: name is the port's
//   kind "VLANs"      those of a monitor adapter: name is the port's
//   kind "extension"  NDIS capture of the switch
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "plugin/api/model.hpp"
#include "plugin/hyperv/host.hpp"

namespace vmirror::hyperv {

constexpr const char* kModeKind = "mirroring";
constexpr const char* kVlanKind = "VLANs";
constexpr const char* kExtensionKind = "extension";
constexpr const char* kCaptureName = "NDIS capture";

class ModeValue final : public ObjectValue {
 public:
  ModeValue(MonitorMode m, std::uint8_t s) : mode(m), session(s) {}
  std::string text() const override {
    constexpr const char* kWords[] = {"none", "destination", "source"};
    return kWords[static_cast<std::size_t>(mode)] +
           (session == 0 ? std::string() : " of session " + std::to_string(session));
  }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<ModeValue>(&other);
    if (is == nullptr || is->mode != mode) return "mode differs";
    return is->session == session ? "" : "MonitorSession differs";
  }
  const MonitorMode mode;
  const std::uint8_t session;  ///< MonitorSession
};

class VlanValue final : public ObjectValue {
 public:
  explicit VlanValue(VlanSetting s) : setting(std::move(s)) {}
  std::string text() const override { return setting.text(); }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<VlanValue>(&other);
    return is && is->setting == setting ? "" : "VLANs differ";
  }
  const VlanSetting setting;
};

class CaptureValue final : public ObjectValue {
 public:
  /// None: the switch offers no such extension; then nobody misses it.
  explicit CaptureValue(std::optional<bool> e) : enabled(e) {}
  std::string text() const override {
    return !enabled ? "not offered" : *enabled ? "enabled" : "disabled";
  }
  std::string difference(const ObjectValue& other) const override {
    const auto* is = value_as<CaptureValue>(&other);
    return is && (!is->enabled || is->enabled == enabled) ? "" : "state differs";
  }
  const std::optional<bool> enabled;
};

/// The name of the one mirror that the sources and destinations of a MonitorSession make.
inline std::string mirror_name(std::uint8_t session) {
  return session == 0 ? "port mirroring" : "port mirroring " + std::to_string(session);
}

/// The text of a mode in marks, as the PowerShell module has it; `external`: of an external port.
inline std::string mark_text(const Security& security, bool external) {
  constexpr const char* kNames[] = {"None", "Destination", "Source"};
  if (external)
    return security.id.empty() ? "absent" : std::to_string(static_cast<int>(security.mode));
  return kNames[static_cast<std::size_t>(security.mode)];
}

}  // namespace vmirror::hyperv
