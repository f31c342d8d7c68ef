// OVSDB's values (RFC 7047, 3.1 and 5.1) as C++ values: atoms, columns, rows, a database's contents
// at one moment, and a transaction. Tables and columns are named by their place in the Schema, so
// that a client writes one enum for each table and no strings.
#pragma once

#include <algorithm>
#include <array>
#include <climits>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "plugin/base/clock.hpp"
#include "plugin/base/persistent_map.hpp"

namespace vmirror::ovsdb {

/// A row's identity. In a transaction also the name of a row that it inserts.
struct Uuid {
  std::array<std::uint32_t, 4> parts{};
  auto operator<=>(const Uuid&) const = default;
  /// "550e8400-e29b-41d4-a716-446655440000"
  std::string text() const;
};

/// The server's identities are random in all parts.
struct UuidHash {
  std::size_t operator()(const Uuid& id) const noexcept {
    return (std::size_t{id.parts[2]} << 32 | id.parts[0]) ^ id.parts[3];
  }
};

using Atom = std::variant<std::int64_t, double, bool, std::string, Uuid>;

/// A set of references, sorted, in one piece: a bridge's has thousands, and is read and compared as
/// a whole whenever one comes or goes.
class UuidSet {
 public:
  UuidSet() = default;
  explicit UuidSet(std::vector<Uuid> sorted) : ids_(std::move(sorted)) {}

  const Uuid* begin() const { return ids_.data(); }
  const Uuid* end() const { return ids_.data() + ids_.size(); }
  std::size_t size() const { return ids_.size(); }
  bool empty() const { return ids_.empty(); }
  bool contains(const Uuid& id) const { return std::binary_search(begin(), end(), id); }
  bool operator==(const UuidSet& o) const {
    return size() == o.size() && (empty() || same(begin(), o.begin(), size()));
  }

  /// Calls visit(id, is new) for each reference that only one of the two has, in order.
  template <typename Visit>
  friend void diff(const UuidSet& before, const UuidSet& after, Visit visit) {
    constexpr std::ptrdiff_t kBlock = 64;
    const Uuid *was = before.begin(), *is = after.begin();
    while (was != before.end() || is != after.end()) {
      if (before.end() - was >= kBlock && after.end() - is >= kBlock && same(was, is, kBlock)) {
        was += kBlock, is += kBlock;
        continue;
      }
      // Up to the next block, or the end, one by one.
      for (std::ptrdiff_t i = 0; i < kBlock && (was != before.end() || is != after.end()); i++) {
        if (was != before.end() && is != after.end() && *was == *is)
          ++was, ++is;
        else if (is == after.end() || (was != before.end() && *was < *is))
          visit(*was++, false);
        else
          visit(*is++, true);
      }
    }
  }

 private:
  static_assert(std::has_unique_object_representations_v<Uuid>);
  static bool same(const Uuid* a, const Uuid* b, std::size_t count) {
    return std::memcmp(a, b, count * sizeof(Uuid)) == 0;
  }
  std::vector<Uuid> ids_;
};

/// A column's value in one row: one atom, none or one, a set, or (with `values`) a map.
struct Datum {
  std::vector<Atom> keys;    ///< But references. Sorted as the database sorts them.
  std::vector<Atom> values;  ///< Of the map; empty, or as many as `keys`.
  UuidSet ids;               ///< One reference or a set of them; then there are no `keys`.
  bool operator==(const Datum&) const = default;

  Datum() = default;
  Datum(Atom one) {
    if (const Uuid* id = std::get_if<Uuid>(&one))
      ids = UuidSet(std::vector<Uuid>{*id});
    else
      keys.push_back(std::move(one));
  }
  Datum(const char* one) : keys{std::string(one)} {}
  Datum(const std::set<Uuid>& set) : ids(std::vector<Uuid>(set.begin(), set.end())) {}
  Datum(const std::set<std::uint16_t>& set) {
    for (const std::uint16_t v : set) keys.emplace_back(std::int64_t{v});
  }
  Datum(const std::map<std::string, std::string>& map) {
    for (const auto& [key, value] : map) {
      keys.emplace_back(key);
      values.emplace_back(value);
    }
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return keys.size() + ids.size(); }
  /// The first atom, or nothing where the column is empty or holds another type.
  template <typename T>
  std::optional<T> get() const {
    if constexpr (std::is_same_v<T, Uuid>)
      return ids.empty() ? std::nullopt : std::optional(*ids.begin());
    const T* one = keys.empty() ? nullptr : std::get_if<T>(&keys.front());
    return one ? std::optional<T>(*one) : std::nullopt;
  }
  std::string text() const { return get<std::string>().value_or(std::string()); }
  /// A map's value under a key; null when there is none, or of another type.
  template <typename T = std::string>
  const T* find(std::string_view key) const {
    for (std::size_t i = 0; i < values.size(); i++)
      if (const std::string* name = std::get_if<std::string>(&keys[i]); name && *name == key)
        return std::get_if<T>(&values[i]);
    return nullptr;
  }
  /// The atoms of that type as a set.
  template <typename T>
  std::set<T> set() const {
    if constexpr (std::is_same_v<T, Uuid>) return {ids.begin(), ids.end()};
    std::set<T> out;
    for (const Atom& key : keys)
      if (const T* one = std::get_if<T>(&key)) out.insert(*one);
    return out;
  }
  /// A map of strings to T.
  template <typename T = std::string>
  std::map<std::string, T> map() const {
    std::map<std::string, T> out;
    for (std::size_t i = 0; i < values.size(); i++)
      if (const std::string* key = std::get_if<std::string>(&keys[i]))
        if (const T* value = std::get_if<T>(&values[i])) out.emplace_hint(out.end(), *key, *value);
    return out;
  }
};

// ---- Schema

enum class Type { integer, real, boolean, string, uuid };

struct Column {
  std::string name;
  Type key = Type::string;
  std::optional<Type> value;  ///< Set for a map.
  unsigned min = 1, max = 1;
  /// A change of such a column alone is no change worth a hint: statistics.
  bool quiet = false;

  static Column one(std::string name, Type type) { return {std::move(name), type, {}, 1, 1}; }
  static Column optional(std::string name, Type type) { return {std::move(name), type, {}, 0, 1}; }
  static Column set(std::string name, Type type) {
    return {std::move(name), type, {}, 0, UINT_MAX};
  }
  static Column map(std::string name, Type value = Type::string) {
    return {std::move(name), Type::string, value, 0, UINT_MAX};
  }
  Column quietly() && {
    quiet = true;
    return std::move(*this);
  }
};

/// A table and the columns to replicate; a column that the server's schema lacks is always empty.
struct TableSchema {
  std::string name;
  bool is_root = false;
  std::vector<Column> columns;
  /// The server allows no two rows of one value in the first column, a string: Table::named().
  bool unique_names = false;
};

struct Schema {
  std::string database;
  std::vector<TableSchema> tables;
};

// ---- Contents

struct Row {
  Uuid id;
  std::vector<Datum> columns;  ///< As many as the schema's.
  const Datum& operator[](std::size_t column) const { return columns[column]; }
};

struct Table {
  PersistentMap<Uuid, std::shared_ptr<const Row>> rows;
  std::vector<bool> has_column;  ///< By the server's schema.
  bool unique_names = false;     ///< See TableSchema. Set before the first row.

  const Row* find(const Uuid& id) const {
    const auto* row = rows.get(id);
    return row ? row->get() : nullptr;
  }
  /// Of a table with unique names; null: there is none.
  const Row* named(const std::string& name) const {
    const Uuid* id = by_name_.get(name);
    return id ? find(*id) : nullptr;
  }
  void put(std::shared_ptr<const Row> row) {
    if (unique_names) {
      erase(row->id);
      by_name_.set((*row)[0].text(), row->id);
    }
    const Uuid id = row->id;
    rows.set(id, std::move(row));
  }
  void erase(const Uuid& id) {
    // A row that goes may be followed, or have been preceded, by another of its name.
    if (const Row* row = find(id); row && unique_names)
      if (const Uuid* of_name = by_name_.get((*row)[0].text()); of_name && *of_name == id)
        by_name_.erase((*row)[0].text());
    rows.erase(id);
  }
  void clear() {
    rows.clear();
    by_name_.clear();
  }

 private:
  PersistentMap<std::string, Uuid> by_name_;
};

/// A database at one moment. Immutable; unchanged tables and rows are shared between snapshots.
struct Snapshot {
  std::uint64_t revision = 0;  ///< Grows by one with each snapshot.
  std::vector<std::shared_ptr<const Table>> tables;
  /// Wall clock: when the connection was lost last, and when it was there again. 0: never; not yet.
  Time lost_at = 0, found_at = 0;
  /// Wall clock: when a writing of counters (of quiet maps) came last that changed what a row had;
  /// 0: none came since the connection.
  Time counted_at = 0;
  const Table& operator[](std::size_t table) const { return *tables[table]; }
};

// ---- Transactions

using ColumnValues = std::vector<std::pair<std::size_t, Datum>>;

/// Makes a row. `as` names it within the transaction; the server gives it another identity.
struct Insert {
  std::size_t table;
  Uuid as;
  ColumnValues columns;
};
/// Replaces columns of a row.
struct Write {
  std::size_t table;
  Uuid row;
  ColumnValues columns;
};
/// Adds elements to a set or a map, whatever others add meanwhile. A map's key is replaced.
struct Add {
  std::size_t table;
  Uuid row;
  std::size_t column;
  Datum elements;
};
/// Takes elements (a map's: by key) away, whatever else changes meanwhile.
struct Remove {
  std::size_t table;
  Uuid row;
  std::size_t column;
  Datum keys;
};
/// Of a root table; elsewhere a row goes when nothing refers to it.
struct Delete {
  std::size_t table;
  Uuid row;
};
/// Adds 1 to an integer, whatever others add meanwhile, if the transaction changes anything else;
/// an Add counts as a change also where all is there already. Once in a transaction.
struct Increment {
  std::size_t table;
  Uuid row;
  std::size_t column;
  bool always = false;  ///< Also if the transaction changes nothing else.
};
/// The transaction happens only if the column has this value at that moment.
struct Verify {
  std::size_t table;
  Uuid row;
  std::size_t column;
  Datum expected;
};
using Operation = std::variant<Insert, Write, Add, Remove, Delete, Increment, Verify>;
/// All or nothing. An operation on a row that is gone makes it nothing.
using Transaction = std::vector<Operation>;

}  // namespace vmirror::ovsdb
