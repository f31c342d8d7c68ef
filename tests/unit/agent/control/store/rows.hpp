// Contents of the store, built row by row.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/control/store/schema.hpp"

namespace vmirror::test {

/// The store's tables, with all columns of this version but those that are taken away.
class StoreRows {
 public:
  StoreRows() {
    for (const ovsdb::TableSchema& table : store::schema().tables) {
      ovsdb::Table out;
      out.has_column.assign(table.columns.size(), true);
      out.unique_names = table.unique_names;
      tables_.push_back(out);
    }
  }
  ovsdb::Uuid add(std::size_t table, const std::map<std::size_t, ovsdb::Datum>& columns) {
    auto row = std::make_shared<ovsdb::Row>();
    row->id = ovsdb::Uuid{{0, 0, 1, ++rows_}};
    row->columns.resize(tables_[table].has_column.size());
    for (const auto& [column, value] : columns) row->columns[column] = value;
    tables_[table].put(row);
    return row->id;
  }
  void policy(const std::string& name, const std::string& yaml, std::int64_t generation) {
    add(store::kPolicy,
        {{store::policy::kName, ovsdb::Atom(name)},
         {store::policy::kYaml, ovsdb::Atom(yaml)},
         {store::policy::kGeneration, ovsdb::Atom(generation)},
         {store::policy::kSetBy, ovsdb::Atom(std::string("root@a"))},
         {store::policy::kSetAt, ovsdb::Atom(std::string("2026-01-01T00:00:00Z"))}});
  }
  void without(std::size_t table, std::size_t column) { tables_[table].has_column[column] = false; }
  ovsdb::Snapshot snapshot() const {
    ovsdb::Snapshot out;
    for (const ovsdb::Table& table : tables_)
      out.tables.push_back(std::make_shared<const ovsdb::Table>(table));
    return out;
  }
  /// As a transaction of inserts, writes and deletes leaves them.
  void carry_out(const ovsdb::Transaction& transaction) {
    for (const ovsdb::Operation& operation : transaction) {
      if (const auto* o = std::get_if<ovsdb::Insert>(&operation))
        add(o->table, {o->columns.begin(), o->columns.end()});
      if (const auto* o = std::get_if<ovsdb::Delete>(&operation)) tables_[o->table].erase(o->row);
      if (const auto* o = std::get_if<ovsdb::Write>(&operation)) {
        auto row = std::make_shared<ovsdb::Row>(*tables_[o->table].find(o->row));
        for (const auto& [column, value] : o->columns) row->columns[column] = value;
        tables_[o->table].put(row);
      }
    }
  }

 private:
  std::vector<ovsdb::Table> tables_;
  std::uint32_t rows_ = 0;
};

}  // namespace vmirror::test
