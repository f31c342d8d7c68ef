// Objects: what a driver owns on its switches, and the steps that change them. Only the driver
// understands an object's value; everybody else compares and prints it.
//
//   wanted   { key -> value, the keys needed first }  --.
//                                                        +--> diff (diff.hpp) --> steps
//   observed { key -> value, whose it is }            --'
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugin/base/persistent_map.hpp"

namespace vmirror {

/// Names an object of a driver's.
struct ObjectKey {
  std::string switch_name;
  std::string kind;  ///< The driver's word, for people, too: "mirror", "port".
  std::string name;  ///< Unique among the kind's on its switch.
  auto operator<=>(const ObjectKey&) const = default;
};
/// "mirror br0/vmirror-local"
std::string to_text(const ObjectKey& key);

/// What an object is to be, or is. Immutable; any thread.
class ObjectValue {
 public:
  virtual ~ObjectValue() = default;
  /// What it asks the switch for, in words; empty where the key says it all.
  virtual std::string text() const = 0;
  /// The first difference that a person would look for between this, which is wanted, and `is`:
  /// "snaplen differs". Empty: none, whatever was counted.
  virtual std::string difference(const ObjectValue& is) const = 0;
  /// True where `is` asks for all that this does: to change it into this only takes away.
  virtual bool is_part_of(const ObjectValue& is) const { return difference(is).empty(); }
};

/// The same as a T; null: it is none.
template <typename T>
const T* value_as(const ObjectValue* value) {
  return dynamic_cast<const T*>(value);
}

struct Object {
  std::shared_ptr<const ObjectValue> value;  ///< Never null.
  std::vector<ObjectKey> needs = {};         ///< Those that must be there first.
  bool operator==(const Object& other) const;
};
using Objects = PersistentMap<ObjectKey, Object>;

struct ObservedObject {
  Object object;
  bool owned = false;  ///< It carries our mark. What does not is never changed.
  bool operator==(const ObservedObject&) const = default;
};

/// One change to one object, with the reason in words.
struct Step {
  enum class Verb : std::uint8_t { create, change, remove };
  Verb verb = Verb::create;
  ObjectKey key;
  std::shared_ptr<const ObjectValue> value = {};  ///< What it is to be; null: it goes.
  /// As it was observed. A value may be large: what changed since then needs no look at the rest of
  /// it; what else was changed meanwhile is for the next observation to tell. Null: it was not
  /// there.
  std::shared_ptr<const ObjectValue> seen = {};
  std::string revision = {};  ///< The switch's (Switch::revision), as it was observed.
  std::string why = {};       ///< "no such mirror", "snaplen differs"

  /// "create mirror br0/vmirror-local: in {vnet0} out {vnet0} -> port vmr-br0"; of many ports a
  /// few.
  std::string text() const;
  /// It adds nothing.
  bool only_takes_away() const;
  bool operator==(const Step& other) const;
};

}  // namespace vmirror
