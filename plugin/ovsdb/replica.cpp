#include "plugin/ovsdb/replica.hpp"

#include <algorithm>

namespace vmirror::ovsdb {
namespace {

vm_type c_type(Type type) {
  switch (type) {
    case Type::integer:
      return VM_INTEGER;
    case Type::real:
      return VM_REAL;
    case Type::boolean:
      return VM_BOOLEAN;
    case Type::string:
      return VM_STRING;
    case Type::uuid:
      return VM_UUID;
  }
  return VM_NONE;
}

vm_uuid c_uuid(const Uuid& id) {
  return {{id.parts[0], id.parts[1], id.parts[2], id.parts[3]}};
}
Uuid from_c(const vm_uuid& id) {
  return {{id.parts[0], id.parts[1], id.parts[2], id.parts[3]}};
}

Atom from_c(const vm_atom& atom) {
  switch (atom.type) {
    case VM_REAL:
      return atom.real;
    case VM_BOOLEAN:
      return atom.integer != 0;
    case VM_STRING:
      return std::string(atom.string);
    case VM_UUID:
      return from_c(atom.uuid);
    default:
      return atom.integer;
  }
}

/// Borrows the atom's string.
vm_atom c_atom(const Atom& atom) {
  vm_atom out{};
  if (const auto* integer = std::get_if<std::int64_t>(&atom)) {
    out.type = VM_INTEGER;
    out.integer = *integer;
  } else if (const auto* real = std::get_if<double>(&atom)) {
    out.type = VM_REAL;
    out.real = *real;
  } else if (const auto* boolean = std::get_if<bool>(&atom)) {
    out.type = VM_BOOLEAN;
    out.integer = *boolean;
  } else if (const auto* string = std::get_if<std::string>(&atom)) {
    out.type = VM_STRING;
    out.string = string->c_str();
  } else {
    out.type = VM_UUID;
    out.uuid = c_uuid(std::get<Uuid>(atom));
  }
  return out;
}

std::vector<vm_atom> c_atoms(const std::vector<Atom>& atoms) {
  std::vector<vm_atom> out;
  out.reserve(atoms.size());
  for (const Atom& atom : atoms) out.push_back(c_atom(atom));
  return out;
}
std::vector<vm_atom> c_keys(const Datum& datum) {
  std::vector<vm_atom> out = c_atoms(datum.keys);
  for (const Uuid& id : datum.ids) out.push_back(c_atom(id));
  return out;
}

void append(void* aux, const vm_atom* key, const vm_atom* value) {
  Datum& datum = *static_cast<Datum*>(aux);
  datum.keys.push_back(from_c(*key));
  if (value) datum.values.push_back(from_c(*value));
}

vm_idl* create(const Schema& schema) {
  std::vector<std::vector<vm_column>> columns;
  std::vector<vm_table> tables;
  for (const TableSchema& table : schema.tables) {
    std::vector<vm_column>& of_table = columns.emplace_back();
    for (const Column& c : table.columns)
      of_table.push_back(
          {c.name.c_str(), c_type(c.key), c.value ? c_type(*c.value) : VM_NONE, c.min, c.max});
    tables.push_back({table.name.c_str(), table.is_root, of_table.data(), of_table.size()});
  }
  return vm_idl_create(schema.database.c_str(), tables.data(), tables.size());
}

void set_conditions(vm_idl* idl, const std::vector<Condition>& only) {
  std::map<std::size_t, std::vector<const Condition*>> by_table;
  for (const Condition& condition : only) by_table[condition.table].push_back(&condition);
  for (const auto& [table, conditions] : by_table) {
    std::vector<std::size_t> columns, sizes;
    std::vector<std::vector<vm_atom>> keys, values;
    std::vector<const vm_atom*> key_arrays, value_arrays;
    for (const Condition* condition : conditions) {
      columns.push_back(condition->column);
      keys.push_back(c_keys(condition->value));
      values.push_back(c_atoms(condition->value.values));
      sizes.push_back(keys.back().size());
    }
    for (std::size_t i = 0; i < keys.size(); i++) {
      key_arrays.push_back(keys[i].data());
      value_arrays.push_back(values[i].empty() ? nullptr : values[i].data());
    }
    vm_idl_set_condition(idl, table, columns.data(), key_arrays.data(), value_arrays.data(),
                         sizes.data(), columns.size());
  }
}

}  // namespace

std::string Uuid::text() const {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t digit = 0; digit < 32; digit++) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) out += '-';
    out += kHex[parts[digit / 8] >> (28 - digit % 8 * 4) & 15];
  }
  return out;
}

Replica::Replica(const ClientOptions& options, const Schema& schema)
    : schema_(schema), idl_(create(schema)), shared_(schema.tables.size()) {
  set_conditions(idl_.get(), options.only);
  vm_idl_connect(idl_.get(), options.remote.c_str(), options.leader_only);
  for (const TableSchema& table : schema.tables) {
    tables_.push_back(std::make_shared<Table>());
    tables_.back()->has_column.resize(table.columns.size());
    tables_.back()->unique_names = table.unique_names;
  }
}

Replica::Changes Replica::run() {
  vm_idl_run(idl_.get());
  Changes changes;
  if (const unsigned seqno = vm_idl_seqno(idl_.get()); seqno != seqno_)
    seqno_ = seqno;
  else
    return changes;
  for (std::size_t table = 0; table < tables_.size(); table++) take_changes(table, changes);
  vm_idl_clear_changes(idl_.get());
  return changes;
}

void Replica::take_changes(std::size_t table, Changes& changes) {
  const vm_row* row = vm_idl_first_change(idl_.get(), table);
  if (row) {
    Table& to = writable(table);
    for (; row; row = vm_idl_next_change(row)) {
      changes.any = true;
      changes.loud = changes.loud || is_loud(row, table);
      changes.counted = changes.counted || is_counted(row, table);
      const Uuid id = from_c(vm_row_uuid(row));
      if (vm_row_is_deleted(row))
        to.erase(id);
      else
        to.put(read(row, table));
    }
  }
  if (!complete(table)) {
    take_all(table);
    changes = {true, true, changes.counted};
  }
}

/// After a reconnection libopenvswitch may forget all rows without naming them as changes, and then
/// names all that are there: ours are a superset then, and the same exactly when they are as many.
bool Replica::complete(std::size_t table) const {
  const std::size_t ours = tables_[table]->rows.size();
  if (vm_idl_count_rows(idl_.get(), table) == ours) return true;
  std::size_t count = 0;  // The library's own number may have rows that are only referred to.
  for (auto* row = vm_idl_first_row(idl_.get(), table); row; row = vm_idl_next_row(row)) count++;
  return count == ours;
}

void Replica::take_all(std::size_t table) {
  Table& to = writable(table);
  to.clear();
  for (auto* row = vm_idl_first_row(idl_.get(), table); row; row = vm_idl_next_row(row))
    to.put(read(row, table));
}

Table& Replica::writable(std::size_t table) {
  if (shared_[table]) {
    tables_[table] = std::make_shared<Table>(*tables_[table]);
    shared_[table] = false;
  }
  return *tables_[table];
}

bool Replica::is_loud(const vm_row* row, std::size_t table) const {
  if (vm_row_is_deleted(row)) return true;
  const std::vector<Column>& columns = schema_.tables[table].columns;
  bool quiet = false;
  for (std::size_t c = 0; c < columns.size(); c++)
    if (vm_row_is_updated(idl_.get(), row, table, c)) {
      if (!columns[c].quiet) return true;
      quiet = true;
    }
  return !quiet;  // No column named: a new row.
}

/// Asked before our row is replaced.
bool Replica::is_counted(const vm_row* row, std::size_t table) const {
  if (vm_row_is_deleted(row)) return false;
  const Row* before = tables_[table]->find(from_c(vm_row_uuid(row)));
  if (before == nullptr) return false;
  const std::vector<Column>& columns = schema_.tables[table].columns;
  for (std::size_t c = 0; c < columns.size(); c++)
    if (columns[c].quiet && columns[c].value && !(*before)[c].empty() &&
        vm_row_is_updated(idl_.get(), row, table, c))
      return true;
  return false;
}

std::shared_ptr<const Row> Replica::read(const vm_row* row, std::size_t table) const {
  auto out = std::make_shared<Row>();
  out->id = from_c(vm_row_uuid(row));
  out->columns.resize(schema_.tables[table].columns.size());
  for (std::size_t c = 0; c < out->columns.size(); c++) {
    const std::size_t size = vm_row_size(idl_.get(), row, table, c);
    if (schema_.tables[table].columns[c].key == Type::uuid) {
      std::vector<Uuid> ids(size);
      static_assert(sizeof(Uuid) == sizeof(vm_uuid));
      vm_row_read_uuids(idl_.get(), row, table, c, reinterpret_cast<vm_uuid*>(ids.data()));
      out->columns[c].ids = UuidSet(std::move(ids));
      continue;
    }
    out->columns[c].keys.reserve(size);
    vm_row_read(idl_.get(), row, table, c, append, &out->columns[c]);
  }
  return out;
}

void Replica::block(int wake_fd, int milliseconds) {
  if (txn_) vm_txn_wait(txn_.get());
  vm_idl_block(idl_.get(), wake_fd, milliseconds);
}

std::string Replica::error() const {
  const char* error = vm_idl_error(idl_.get());
  return error ? error : "";
}

std::shared_ptr<Snapshot> Replica::snapshot() {
  auto out = std::make_shared<Snapshot>();
  out->revision = ++revision_;
  for (std::size_t table = 0; table < tables_.size(); table++) {
    std::vector<bool> has(schema_.tables[table].columns.size());
    for (std::size_t c = 0; c < has.size(); c++) has[c] = vm_idl_has_column(idl_.get(), table, c);
    if (has != tables_[table]->has_column) writable(table).has_column = has;
    out->tables.push_back(tables_[table]);
    shared_[table] = true;
  }
  return out;
}

bool Replica::begin(const Transaction& transaction) {
  txn_.reset(vm_txn_create(idl_.get()));
  // All rows first: another operation may name them before their own does.
  for (const Operation& operation : transaction)
    if (const auto* insert = std::get_if<Insert>(&operation))
      vm_txn_insert(txn_.get(), insert->table, c_uuid(insert->as));
  if (std::ranges::all_of(transaction, [&](const Operation& o) { return compose(o); })) return true;
  end();
  return false;
}

bool Replica::compose(const Operation& operation) {
  vm_txn* txn = txn_.get();
  const auto write = [&](std::size_t table, const Uuid& row, const ColumnValues& columns) {
    return std::ranges::all_of(columns, [&](const auto& column) {
      const std::vector<vm_atom> keys = c_keys(column.second);
      const std::vector<vm_atom> values = c_atoms(column.second.values);
      return vm_txn_write(txn, table, c_uuid(row), column.first, keys.data(),
                          values.empty() ? nullptr : values.data(), keys.size());
    });
  };
  if (const auto* o = std::get_if<Insert>(&operation)) return write(o->table, o->as, o->columns);
  if (const auto* o = std::get_if<Write>(&operation)) return write(o->table, o->row, o->columns);
  if (const auto* o = std::get_if<Add>(&operation)) {
    const std::vector<vm_atom> keys = c_keys(o->elements);
    const std::vector<vm_atom> values = c_atoms(o->elements.values);
    for (std::size_t i = 0; i < keys.size(); i++)
      if (!vm_txn_add(txn, o->table, c_uuid(o->row), o->column, &keys[i],
                      values.empty() ? nullptr : &values[i]))
        return false;
    return true;
  }
  if (const auto* o = std::get_if<Remove>(&operation)) {
    return std::ranges::all_of(c_keys(o->keys), [&](const vm_atom& key) {
      return vm_txn_remove(txn, o->table, c_uuid(o->row), o->column, &key);
    });
  }
  if (const auto* o = std::get_if<Delete>(&operation))
    return vm_txn_delete(txn, o->table, c_uuid(o->row));
  if (const auto* o = std::get_if<Increment>(&operation))
    return vm_txn_increment(txn, o->table, c_uuid(o->row), o->column, o->always);
  const auto& o = std::get<Verify>(operation);
  const Row* row = tables_[o.table]->find(o.row);
  return row && (*row)[o.column] == o.expected &&
         vm_txn_verify(txn, o.table, c_uuid(o.row), o.column);
}

}  // namespace vmirror::ovsdb
