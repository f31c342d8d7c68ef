#include "plugin/api/object.hpp"

namespace vmirror {
namespace {

bool alike(const std::shared_ptr<const ObjectValue>& a,
           const std::shared_ptr<const ObjectValue>& b) {
  return a == b || (a && b && a->difference(*b).empty());
}

const char* to_text(Step::Verb verb) {
  switch (verb) {
    case Step::Verb::create:
      return "create ";
    case Step::Verb::change:
      return "change ";
    case Step::Verb::remove:
      break;
  }
  return "remove ";
}

}  // namespace

std::string to_text(const ObjectKey& key) {
  return key.kind + " " + key.switch_name + "/" + key.name;
}

bool Object::operator==(const Object& other) const {
  return alike(value, other.value) && needs == other.needs;
}

std::string Step::text() const {
  std::string out = to_text(verb) + to_text(key);
  if (verb == Verb::remove || !value) return out;
  const std::string what = value->text();
  return what.empty() ? out : out + ": " + what;
}

bool Step::only_takes_away() const {
  return verb == Verb::remove || (value && seen && value->is_part_of(*seen));
}

bool Step::operator==(const Step& other) const {
  return verb == other.verb && key == other.key && alike(value, other.value);
}

}  // namespace vmirror
