// PersistentMap and PersistentSet against std::map and std::set.
#include "plugin/base/persistent_map.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace vmirror {
namespace {

using Map = PersistentMap<std::string, int>;
using Model = std::map<std::string, int>;
using Change = std::tuple<std::string, int, int>;  // -1: none.

Model model_of(const Map& map) {
  Model out;
  for (const auto& [key, value] : map) out.emplace_hint(out.end(), key, value);
  return out;
}

std::vector<Change> changes(const Map& before, const Map& after) {
  std::vector<Change> out;
  diff(before, after, [&](const std::string& key, const int* was, const int* is) {
    out.emplace_back(key, was ? *was : -1, is ? *is : -1);
  });
  return out;
}

std::vector<Change> changes(const Model& before, const Model& after) {
  std::map<std::string, Change> out;
  for (const auto& [key, value] : before) out[key] = {key, value, -1};
  for (const auto& [key, value] : after) {
    const auto it = before.find(key);
    out[key] = {key, it == before.end() ? -1 : it->second, value};
  }
  std::vector<Change> different;
  for (const auto& [key, change] : out)
    if (std::get<1>(change) != std::get<2>(change)) different.push_back(change);
  return different;
}

TEST(PersistentMap, IsAMap) {
  Map map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.get("a"), nullptr);
  EXPECT_THROW((void)map.at("a"), std::out_of_range);
  EXPECT_TRUE(map.set("b", 2));
  EXPECT_TRUE(map.set("a", 1));
  EXPECT_FALSE(map.set("a", 1)) << "nothing changed";
  EXPECT_TRUE(map.set("a", 3));
  EXPECT_EQ(map.at("a"), 3);
  EXPECT_EQ(map.find("a")->second, 3);
  EXPECT_TRUE(map.find("c") == map.end());
  EXPECT_EQ(map.lower_bound("aa")->first, "b");
  EXPECT_TRUE(map.lower_bound("c") == map.end());
  EXPECT_EQ(map.size(), 2u);
  EXPECT_TRUE(map.erase("a"));
  EXPECT_FALSE(map.erase("a"));
  EXPECT_EQ(model_of(map), (Model{{"b", 2}}));
  EXPECT_EQ(map, (Map{{"b", 2}}));
}

TEST(PersistentMap, ACopyStaysAsItWas) {
  Map map;
  for (int i = 0; i < 100; i++) map.set(std::to_string(i), i);
  const Map copy = map;
  const Model before = model_of(copy);
  for (int i = 0; i < 100; i += 2) map.erase(std::to_string(i));
  for (int i = 1; i < 100; i += 2) map.set(std::to_string(i), -i);
  EXPECT_EQ(model_of(copy), before);
  EXPECT_FALSE(map == copy);
}

/// Any sequence of changes: the map is what std::map is, and so is the difference of any two of the
/// versions on the way, related or not.
TEST(PersistentMap, IsWhatAStdMapIsAfterAnyChanges) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u}) {
    std::mt19937 random(seed);
    const int keys = seed % 2 == 0 ? 20 : 2000;
    std::vector<std::pair<Map, Model>> versions(1);
    for (int i = 0; i < 400; i++) {
      auto [map, model] = versions[random() % versions.size()];
      for (unsigned n = random() % (i % 10 == 0 ? 300 : 4) + 1; n > 0; n--) {
        const std::string key = std::to_string(random() % static_cast<unsigned>(keys));
        if (random() % 3 == 0) {
          ASSERT_EQ(map.erase(key), model.erase(key) == 1);
        } else {
          const int value = static_cast<int>(random() % 3);
          map.set(key, value);
          model[key] = value;
        }
        ASSERT_EQ(map.contains(key), model.contains(key));
      }
      ASSERT_EQ(map.size(), model.size());
      ASSERT_EQ(model_of(map), model);
      const std::string bound = std::to_string(random() % static_cast<unsigned>(keys));
      const auto at = map.lower_bound(bound);
      const auto expected = model.lower_bound(bound);
      ASSERT_EQ(at == map.end(), expected == model.end());
      if (expected != model.end()) {
        ASSERT_EQ(at->first, expected->first);
      }
      const auto& [other, other_model] = versions[random() % versions.size()];
      ASSERT_EQ(changes(other, map), changes(other_model, model));
      ASSERT_EQ(other == map, other_model == model);
      versions.emplace_back(std::move(map), std::move(model));
    }
    for (const auto& [map, model] : versions)
      ASSERT_EQ(model_of(map), model) << "a later version's changes went into an earlier one";
  }
}

/// What is changed in place when nobody shares it must be nobody's: another thread's neither.
TEST(PersistentMap, CopiesAreReadByOtherThreadsWhileItIsChanged) {
  Map map;
  for (int i = 0; i < 1000; i++) map.set(std::to_string(i), 0);
  std::vector<std::thread> readers;
  std::atomic<int> torn = 0;
  for (int round = 1; round <= 200; round++) {
    readers.emplace_back([copy = map, value = round - 1, &torn] {
      for (const auto& [key, is] : copy) torn += is != value;
    });
    for (int i = 0; i < 1000; i++) map.set(std::to_string(i), round);
    map.erase("7");
    map.set("7", round);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

struct Counted {
  int value = 0;
  static inline int compared = 0;
  auto operator<=>(const Counted& o) const {
    ++compared;
    return value <=> o.value;
  }
  bool operator==(const Counted& o) const = default;
};

TEST(PersistentSet, ComparesWhatDiffersAndNotTheRest) {
  PersistentSet<Counted> before;
  for (int i = 0; i < 100'000; i++) before.insert({i * 2});
  for (const int element : {1, 99'999, 199'999, -1}) {
    PersistentSet<Counted> mine = before, yours = before;
    mine.insert({element});
    yours.insert({element});
    Counted::compared = 0;
    EXPECT_TRUE(mine == yours) << "although each was changed for itself";
    int added = 0;
    diff(before, mine, [&](const Counted&, bool is_new) { added += is_new ? 1 : 100; });
    EXPECT_EQ(added, 1);
    EXPECT_LT(Counted::compared, 500) << element;
  }
}

TEST(PersistentSet, IsASet) {
  PersistentSet<std::string> set = {"b", "a", "b"};
  EXPECT_EQ((std::set<std::string>(set.begin(), set.end())), (std::set<std::string>{"a", "b"}));
  EXPECT_FALSE(set.insert("a"));
  EXPECT_TRUE(set.contains("a"));
  EXPECT_EQ(*set.lower_bound("aa"), "b");
  EXPECT_TRUE(set.erase("a"));
  EXPECT_FALSE(set.erase("a"));
  EXPECT_EQ(set, (PersistentSet<std::string>{"b"}));
  set.clear();
  EXPECT_TRUE(set.empty());
}

TEST(PersistentSet, StaysBalanced) {
  PersistentSet<int> rising, falling;
  for (int i = 0; i < 100'000; i++) {
    rising.insert(i);
    falling.insert(-i);
  }
  for (int i = 0; i < 100'000; i += 3) rising.erase(i);
  // An iterator has room for 48 levels; a list instead of a tree would write past it.
  int expected = -99'999;
  for (const int element : falling) ASSERT_EQ(element, expected++);
  int count = 0;
  for (const int element : rising) count += element % 3 != 0 ? 1 : 1'000'000;
  EXPECT_EQ(count, 66'666);
}

}  // namespace
}  // namespace vmirror
