/* The narrow C face of libopenvswitch's OVSDB client (lib/ovsdb-idl.h), which C++ can't include:
 * its headers use `new` and `class` as names. Works for any database: tables and columns are given
 * as data.
 *
 * Every function but vm_idl_startup() belongs to the one thread that created the vm_idl. Strings
 * and atoms that a function hands out are borrowed until the next vm_idl_run(). */
#ifndef VMIRROR_PLUGIN_OVSDB_IDL_H
#define VMIRROR_PLUGIN_OVSDB_IDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum vm_type { VM_NONE, VM_INTEGER, VM_REAL, VM_BOOLEAN, VM_STRING, VM_UUID };

struct vm_uuid {
  uint32_t parts[4];
};

/* One value of an atomic type (RFC 7047, 3.1). */
struct vm_atom {
  enum vm_type type;
  int64_t integer; /* VM_INTEGER, VM_BOOLEAN (0 or 1) */
  double real;
  const char* string; /* Ends with 0; UTF-8. */
  struct vm_uuid uuid;
};

/* A column as the caller uses it: a scalar is min 1, max 1; a set or a map has another min or max.
 */
struct vm_column {
  const char* name;
  enum vm_type key, value; /* value: VM_NONE unless it is a map */
  unsigned min, max;       /* UINT_MAX: unlimited */
};

struct vm_table {
  const char* name;
  bool is_root; /* Rows live without being referred to: isRoot in the schema. */
  const struct vm_column* columns;
  size_t n_columns;
};

struct vm_idl;
struct vm_row;
struct vm_txn;

/* Once per process and before any thread of it uses this library: silences its log and keeps it
 * from catching the process's signals. */
void vm_idl_startup(void);

enum vm_tls {
  VM_TLS_GOOD,
  VM_TLS_NO_KEY,
  VM_TLS_NO_CERTIFICATE,
  VM_TLS_NOT_ITS_KEY, /* The key is another certificate's. */
  VM_TLS_NO_CA
};
/* What libopenvswitch will make of these files; it writes a fault into its log alone. */
enum vm_tls vm_idl_check_tls(const char* private_key, const char* certificate,
                             const char* ca_certificate);
/* Reads the TLS files for `ssl:` remotes, for the whole process, in place of those before. */
void vm_idl_set_tls(const char* private_key, const char* certificate, const char* ca_certificate);

/* To replicate `tables`; unconnected. Copies what it is given. */
struct vm_idl* vm_idl_create(const char* database, const struct vm_table* tables, size_t n_tables);
/* Of a table only rows in which one of the `n` columns is, or has all of, its value. At most once
 * for a table, before vm_idl_connect(). `keys[i]` has `sizes[i]` atoms, `values[i]` as many or NULL. */
void vm_idl_set_condition(struct vm_idl*, size_t table, const size_t* columns,
                          const struct vm_atom* const* keys, const struct vm_atom* const* values,
                          const size_t* sizes, size_t n);
/* Starts to connect. `leader_only`: to a clustered database's leader and no other of its servers. */
void vm_idl_connect(struct vm_idl*, const char* remote, bool leader_only);
void vm_idl_destroy(struct vm_idl*);

/* Does what is due: connects, reads updates and answers. Never blocks. */
void vm_idl_run(struct vm_idl*);
/* Sleeps until vm_idl_run() has something to do, `wake_fd` is readable, or `milliseconds` are over.
 */
void vm_idl_block(struct vm_idl*, int wake_fd, int milliseconds);

/* True while there is a connection, whether or not the server has answered on it. */
bool vm_idl_is_connected(const struct vm_idl*);
/* True while the replica follows a connected server. */
bool vm_idl_is_synced(struct vm_idl*);
/* Drops what is left of the connection and connects anew, now. */
void vm_idl_reconnect(struct vm_idl*);
/* The last connection error as text; NULL when there was none. */
const char* vm_idl_error(const struct vm_idl*);
/* Has the server's schema this column? Known once synced. */
bool vm_idl_has_column(const struct vm_idl*, size_t table, size_t column);

/* Grows with every change of the replica. */
unsigned vm_idl_seqno(const struct vm_idl*);

/* The changes since the last vm_idl_clear_changes(): rows inserted, changed or deleted. */
const struct vm_row* vm_idl_first_change(const struct vm_idl*, size_t table);
const struct vm_row* vm_idl_next_change(const struct vm_row*);
void vm_idl_clear_changes(struct vm_idl*);
/* All rows. */
const struct vm_row* vm_idl_first_row(const struct vm_idl*, size_t table);
const struct vm_row* vm_idl_next_row(const struct vm_row*);
/* At least as many as there are, at no cost. */
size_t vm_idl_count_rows(const struct vm_idl*, size_t table);

struct vm_uuid vm_row_uuid(const struct vm_row*);
bool vm_row_is_deleted(const struct vm_row*);
/* Did an update change this column since the last vm_idl_clear_changes()? */
bool vm_row_is_updated(const struct vm_idl*, const struct vm_row*, size_t table, size_t column);
/* How many elements vm_row_read() is about to hand out. */
size_t vm_row_size(const struct vm_idl*, const struct vm_row*, size_t table, size_t column);
/* Copies all elements of a set of UUIDs, in their order, to `out`, which has room for them. */
void vm_row_read_uuids(const struct vm_idl*, const struct vm_row*, size_t table, size_t column,
                       struct vm_uuid* out);
/* Calls `each` for each element; `value` is NULL unless the column is a map. */
void vm_row_read(const struct vm_idl*, const struct vm_row*, size_t table, size_t column,
                 void (*each)(void* aux, const struct vm_atom* key, const struct vm_atom* value),
                 void* aux);

enum vm_txn_status {
  VM_TXN_WAITING, /* call vm_txn_commit() again after the next vm_idl_run() */
  VM_TXN_DONE,    /* the replica shows it already */
  VM_TXN_AGAIN,   /* lost a race or the connection: look again, and compose anew */
  VM_TXN_ERROR    /* the server said no */
};

/* One transaction at a time may be composed; it must be committed or destroyed before vm_idl_run().
 */
struct vm_txn* vm_txn_create(struct vm_idl*);
void vm_txn_destroy(struct vm_txn*);
/* The functions that name a row say false when the replica has no such row. */
void vm_txn_insert(struct vm_txn*, size_t table, struct vm_uuid as);
bool vm_txn_delete(struct vm_txn*, size_t table, struct vm_uuid row);
bool vm_txn_write(struct vm_txn*, size_t table, struct vm_uuid row, size_t column,
                  const struct vm_atom* keys, const struct vm_atom* values, size_t n);
/* Adds to a set or map, or takes away from it, whatever else others do to it meanwhile. */
bool vm_txn_add(struct vm_txn*, size_t table, struct vm_uuid row, size_t column,
                const struct vm_atom* key, const struct vm_atom* value);
bool vm_txn_remove(struct vm_txn*, size_t table, struct vm_uuid row, size_t column,
                   const struct vm_atom* key);
/* Adds 1 to an integer, whatever others add meanwhile, if the transaction changes anything else, or
 * `always`; vm_txn_add() counts as a change also where all is there already. Once in a transaction.
 */
bool vm_txn_increment(struct vm_txn*, size_t table, struct vm_uuid row, size_t column, bool always);
/* The commit fails with VM_TXN_AGAIN if the server's value isn't the replica's. */
bool vm_txn_verify(struct vm_txn*, size_t table, struct vm_uuid row, size_t column);
enum vm_txn_status vm_txn_commit(struct vm_txn*);
/* Arranges for vm_idl_block() to return when the status changes. */
void vm_txn_wait(const struct vm_txn*);
/* The server's words after VM_TXN_ERROR. */
const char* vm_txn_error(const struct vm_txn*);

#ifdef __cplusplus
}
#endif

#endif
