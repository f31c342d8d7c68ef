// A mirror as an object: for drivers whose switches have mirrors that are made and changed one by
// one, under names.
#pragma once

#include <memory>
#include <string>

#include "plugin/api/model.hpp"

namespace vmirror {

class MirrorValue final : public ObjectValue {
 public:
  explicit MirrorValue(Mirror m) : mirror(std::move(m)) {}
  std::string text() const override;
  std::string difference(const ObjectValue& is) const override;
  bool is_part_of(const ObjectValue& is) const override;

  const Mirror mirror;
};

constexpr const char* kMirrorKind = "mirror";

inline ObjectKey mirror_key(const std::string& switch_name, const std::string& name) {
  return {switch_name, kMirrorKind, name};
}

}  // namespace vmirror
