// What others wrote on a port.
#pragma once

#include <string>

#include "plugin/api/model.hpp"

namespace vmirror {

/// The value of a port's label; empty: it has none.
inline std::string label_of(const Port& port, const char* key) {
  const auto it = port.labels.find(key);
  return it == port.labels.end() ? std::string() : it->second;
}

}  // namespace vmirror
