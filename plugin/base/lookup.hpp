// One way to look into a map.
#pragma once

namespace vmirror {

/// The value under a key, which stays the map's; null: there is none.
template <typename Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& key) {
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

}  // namespace vmirror
