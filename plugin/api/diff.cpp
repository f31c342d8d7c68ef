#include "plugin/api/diff.hpp"

#include <algorithm>
#include <utility>

namespace vmirror {
namespace {

/// The steps in an order in which each can be done. `needs_of` says what an object needs. Needs
/// that would lead in a circle are a driver's fault: they are passed over.
template <typename NeedsOf>
class Order {
 public:
  Order(const std::vector<const Step*>& steps, NeedsOf needs_of) : needs_of_(needs_of) {
    for (const Step* step : steps) waiting_.emplace(step->key, step);
    for (const Step* step : steps) visit(*step);
  }
  std::vector<const Step*> take() { return std::move(out_); }

 private:
  void visit(const Step& step) {
    if (waiting_.erase(step.key) == 0) return;
    for (const ObjectKey& need : needs_of_(step.key))
      if (const auto it = waiting_.find(need); it != waiting_.end()) visit(*it->second);
    out_.push_back(&step);
  }

  NeedsOf needs_of_;
  std::map<ObjectKey, const Step*> waiting_;
  std::vector<const Step*> out_;
};

}  // namespace

void Differ::look_at(const ObjectKey& key) {
  const Object* wanted = wanted_.get(key);
  const ObservedObject* is = observed_.get(key);
  steps_.erase(key);
  const auto seen = is ? is->object.value : nullptr;
  if (!wanted) {
    if (is && is->owned)
      steps_[key] = {Step::Verb::remove, key, nullptr, seen, {}, "no session needs it"};
    return;
  }
  if (!is) {
    steps_[key] = {Step::Verb::create, key, wanted->value, nullptr, {}, "no such " + key.kind};
    return;
  }
  std::string why = wanted->value->difference(*is->object.value);
  if (why.empty()) return;
  if (!is->owned) why = "the " + key.kind + " of that name isn't ours";
  steps_[key] = {Step::Verb::change, key, wanted->value, seen, {}, std::move(why)};
}

std::vector<Step> Differ::update(const Objects& wanted, const Observed& observed) {
  std::vector<ObjectKey> touched;
  const auto touch = [&](const ObjectKey& key, const auto*, const auto*) {
    touched.push_back(key);
  };
  diff(wanted_, wanted, touch);
  diff(observed_, observed.objects, touch);
  wanted_ = wanted;
  observed_ = observed.objects;
  for (const ObjectKey& key : touched) look_at(key);

  std::vector<const Step*> removals, others;
  for (const auto& [key, step] : steps_)
    if (observed.switches.contains(key.switch_name))
      (step.verb == Step::Verb::remove ? removals : others).push_back(&step);
  static const std::vector<ObjectKey> none;
  const auto needs_there = [&](const ObjectKey& key) -> const std::vector<ObjectKey>& {
    const ObservedObject* is = observed_.get(key);
    return is ? is->object.needs : none;
  };
  const auto needs = [&](const ObjectKey& key) -> const std::vector<ObjectKey>& {
    const Object* object = wanted_.get(key);
    return object ? object->needs : none;
  };
  std::vector<const Step*> order = Order(removals, needs_there).take();
  std::ranges::reverse(order);
  std::ranges::copy(Order(others, needs).take(), std::back_inserter(order));
  std::vector<Step> out;
  for (const Step* step : order) {
    out.push_back(*step);
    out.back().revision = observed.switches.at(step->key.switch_name).revision;
  }
  return out;
}

std::vector<Step> diff(const Objects& wanted, const Observed& observed) {
  return Differ().update(wanted, observed);
}

}  // namespace vmirror
