/* See idl.h. A struct vm_row is libopenvswitch's struct ovsdb_idl_row, under a name of ours. */
#include "plugin/ovsdb/idl.h"

#include <config.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fatal-signal.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-data.h"
#include "ovsdb-idl-provider.h"
#include "ovsdb-idl.h"
#include "stream-ssl.h"
#include "util.h"
#include "uuid.h"

struct vm_idl {
  struct ovsdb_idl* idl;
  struct ovsdb_idl_class class;
  struct ovsdb_idl_table_class* tables;
  char* remote; /* NULL before vm_idl_connect(). */
};

struct vm_txn {
  struct vm_idl* owner;
  struct ovsdb_idl_txn* txn;
};

/* fatal-signal.c takes over those of these signals that have their default action, and ends the
 * process from whatever thread polls next. They are the daemon's: give them back. One that arrives
 * in between still ends the process, as its default action would have. */
static const int taken_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGSEGV};

void vm_idl_startup(void) {
  struct sigaction before[ARRAY_SIZE(taken_signals)];
  vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
  for (size_t i = 0; i < ARRAY_SIZE(taken_signals); i++)
    sigaction(taken_signals[i], NULL, &before[i]);
  fatal_signal_init();
  for (size_t i = 0; i < ARRAY_SIZE(taken_signals); i++)
    sigaction(taken_signals[i], &before[i], NULL);
}

static enum vm_tls check_tls(SSL_CTX* context, const char* private_key, const char* certificate,
                             const char* ca_certificate) {
  if (SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1)
    return VM_TLS_NO_CERTIFICATE;
  if (SSL_CTX_use_PrivateKey_file(context, private_key, SSL_FILETYPE_PEM) != 1) {
    const bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                       ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
    return other ? VM_TLS_NOT_ITS_KEY : VM_TLS_NO_KEY;
  }
  if (SSL_CTX_load_verify_locations(context, ca_certificate, NULL) != 1) return VM_TLS_NO_CA;
  return VM_TLS_GOOD;
}

enum vm_tls vm_idl_check_tls(const char* private_key, const char* certificate,
                             const char* ca_certificate) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  const enum vm_tls out = check_tls(context, private_key, certificate, ca_certificate);
  SSL_CTX_free(context);
  ERR_clear_error();
  return out;
}

void vm_idl_set_tls(const char* private_key, const char* certificate, const char* ca_certificate) {
  /* Not stream_ssl_set_key_and_cert(): where only one of two files has changed, it notes the change
   * and reads neither. */
  stream_ssl_set_certificate_file(certificate);
  stream_ssl_set_private_key_file(private_key);
  stream_ssl_set_ca_cert_file(ca_certificate, false);
}

/* The replica's rows are read by vm_row_read(): nothing is parsed ahead into structs. */
static void parse_nothing(struct ovsdb_idl_row* row OVS_UNUSED,
                          const struct ovsdb_datum* datum OVS_UNUSED) {}
static void unparse_nothing(struct ovsdb_idl_row* row OVS_UNUSED) {}
static void init_nothing(struct ovsdb_idl_row* row OVS_UNUSED) {}

static enum ovsdb_atomic_type atomic_type(enum vm_type type) {
  switch (type) {
    case VM_INTEGER:
      return OVSDB_TYPE_INTEGER;
    case VM_REAL:
      return OVSDB_TYPE_REAL;
    case VM_BOOLEAN:
      return OVSDB_TYPE_BOOLEAN;
    case VM_STRING:
      return OVSDB_TYPE_STRING;
    case VM_UUID:
      return OVSDB_TYPE_UUID;
    case VM_NONE:
      break;
  }
  return OVSDB_TYPE_VOID;
}

static void make_table(struct ovsdb_idl_table_class* to, const struct vm_table* from) {
  struct ovsdb_idl_column* columns = xcalloc(from->n_columns, sizeof *columns);
  for (size_t i = 0; i < from->n_columns; i++) {
    const struct vm_column* c = &from->columns[i];
    columns[i].name = xstrdup(c->name);
    ovsdb_base_type_init(&columns[i].type.key, atomic_type(c->key));
    ovsdb_base_type_init(&columns[i].type.value, atomic_type(c->value));
    columns[i].type.n_min = c->min;
    columns[i].type.n_max = c->max;
    columns[i].is_mutable = true;
    columns[i].parse = parse_nothing;
    columns[i].unparse = unparse_nothing;
  }
  to->name = xstrdup(from->name);
  to->is_root = from->is_root;
  to->columns = columns;
  to->n_columns = from->n_columns;
  to->allocation_size = sizeof(struct ovsdb_idl_row);
  to->row_init = init_nothing;
}

struct vm_idl* vm_idl_create(const char* database, const struct vm_table* tables, size_t n_tables) {
  struct vm_idl* db = xzalloc(sizeof *db);
  db->tables = xcalloc(n_tables, sizeof *db->tables);
  for (size_t i = 0; i < n_tables; i++) make_table(&db->tables[i], &tables[i]);
  db->class.database = xstrdup(database);
  db->class.tables = db->tables;
  db->class.n_tables = n_tables;
  db->idl = ovsdb_idl_create_unconnected(&db->class, true);
  ovsdb_idl_track_add_all(db->idl);
  ovsdb_idl_set_probe_interval(db->idl, 5000); /* Unix sockets have none of their own. */
  return db;
}

void vm_idl_connect(struct vm_idl* db, const char* remote, bool leader_only) {
  db->remote = xstrdup(remote);
  ovsdb_idl_set_leader_only(db->idl, leader_only);
  ovsdb_idl_set_remote(db->idl, remote, true);
}

void vm_idl_destroy(struct vm_idl* db) {
  ovsdb_idl_destroy(db->idl);
  for (size_t i = 0; i < db->class.n_tables; i++) {
    for (size_t j = 0; j < db->tables[i].n_columns; j++) free(db->tables[i].columns[j].name);
    free(CONST_CAST(struct ovsdb_idl_column*, db->tables[i].columns));
    free(db->tables[i].name);
  }
  free(db->tables);
  free(CONST_CAST(char*, db->class.database));
  free(db->remote);
  free(db);
}

void vm_idl_run(struct vm_idl* db) {
  ovsdb_idl_run(db->idl);
}

void vm_idl_block(struct vm_idl* db, int wake_fd, int milliseconds) {
  ovsdb_idl_wait(db->idl);
  poll_fd_wait(wake_fd, POLLIN);
  poll_timer_wait(milliseconds);
  poll_block();
}

bool vm_idl_is_connected(const struct vm_idl* db) {
  return ovsdb_idl_is_connected(db->idl);
}

bool vm_idl_is_synced(struct vm_idl* db) {
  /* An empty transaction is "unchanged" when it could have been sent, "try again" when not. */
  struct ovsdb_idl_txn* txn = ovsdb_idl_txn_create(db->idl);
  const enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(txn);
  ovsdb_idl_txn_destroy(txn);
  return status == TXN_UNCHANGED && ovsdb_idl_is_connected(db->idl);
}

void vm_idl_reconnect(struct vm_idl* db) {
  ovsdb_idl_set_remote(db->idl, NULL, true);
  ovsdb_idl_set_remote(db->idl, db->remote, true);
}

const char* vm_idl_error(const struct vm_idl* db) {
  const int error = ovsdb_idl_get_last_error(db->idl);
  return error ? ovs_retval_to_string(error) : NULL;
}

bool vm_idl_has_column(const struct vm_idl* db, size_t table, size_t column) {
  return ovsdb_idl_server_has_column(db->idl, &db->tables[table].columns[column]);
}

unsigned vm_idl_seqno(const struct vm_idl* db) {
  return ovsdb_idl_get_seqno(db->idl);
}

static const struct vm_row* ours(const struct ovsdb_idl_row* row) {
  return (const struct vm_row*)row;
}
static const struct ovsdb_idl_row* theirs(const struct vm_row* row) {
  return (const struct ovsdb_idl_row*)row;
}

const struct vm_row* vm_idl_first_change(const struct vm_idl* db, size_t table) {
  return ours(ovsdb_idl_track_get_first(db->idl, &db->tables[table]));
}
const struct vm_row* vm_idl_next_change(const struct vm_row* row) {
  return ours(ovsdb_idl_track_get_next(theirs(row)));
}
void vm_idl_clear_changes(struct vm_idl* db) {
  ovsdb_idl_track_clear(db->idl);
}

const struct vm_row* vm_idl_first_row(const struct vm_idl* db, size_t table) {
  return ours(ovsdb_idl_first_row(db->idl, &db->tables[table]));
}
const struct vm_row* vm_idl_next_row(const struct vm_row* row) {
  return ours(ovsdb_idl_next_row(theirs(row)));
}

size_t vm_idl_count_rows(const struct vm_idl* db, size_t table) {
  const struct ovsdb_idl_row* first = ovsdb_idl_first_row(db->idl, &db->tables[table]);
  return first ? hmap_count(&first->table->rows) : 0;
}

static struct vm_uuid our_uuid(const struct uuid* uuid) {
  return (struct vm_uuid){{uuid->parts[0], uuid->parts[1], uuid->parts[2], uuid->parts[3]}};
}
static struct uuid their_uuid(const struct vm_uuid* uuid) {
  return (struct uuid){.parts = {uuid->parts[0], uuid->parts[1], uuid->parts[2], uuid->parts[3]}};
}

struct vm_uuid vm_row_uuid(const struct vm_row* row) {
  return our_uuid(&theirs(row)->uuid);
}

bool vm_row_is_deleted(const struct vm_row* row) {
  return theirs(row)->new_datum == NULL;
}

bool vm_row_is_updated(const struct vm_idl* db, const struct vm_row* row, size_t table,
                       size_t column) {
  return ovsdb_idl_track_is_updated(theirs(row), &db->tables[table].columns[column]);
}

static struct vm_atom our_atom(const union ovsdb_atom* atom, enum ovsdb_atomic_type type) {
  struct vm_atom out = {.type = VM_NONE};
  switch (type) {
    case OVSDB_TYPE_INTEGER:
      out.type = VM_INTEGER;
      out.integer = atom->integer;
      break;
    case OVSDB_TYPE_REAL:
      out.type = VM_REAL;
      out.real = atom->real;
      break;
    case OVSDB_TYPE_BOOLEAN:
      out.type = VM_BOOLEAN;
      out.integer = atom->boolean;
      break;
    case OVSDB_TYPE_STRING:
      out.type = VM_STRING;
      out.string = json_string(atom->s);
      break;
    case OVSDB_TYPE_UUID:
      out.type = VM_UUID;
      out.uuid = our_uuid(&atom->uuid);
      break;
    default:
      break;
  }
  return out;
}

static union ovsdb_atom their_atom(const struct vm_atom* atom) {
  union ovsdb_atom out = {.integer = 0};
  switch (atom->type) {
    case VM_INTEGER:
      out.integer = atom->integer;
      break;
    case VM_REAL:
      out.real = atom->real;
      break;
    case VM_BOOLEAN:
      out.boolean = atom->integer != 0;
      break;
    case VM_STRING:
      out.s = ovsdb_atom_string_create(atom->string);
      break;
    case VM_UUID:
      out.uuid = their_uuid(&atom->uuid);
      break;
    case VM_NONE:
      break;
  }
  return out;
}

size_t vm_row_size(const struct vm_idl* db, const struct vm_row* row, size_t table, size_t column) {
  return ovsdb_idl_read(theirs(row), &db->tables[table].columns[column])->n;
}

/* A set of UUIDs is an array of them already. */
BUILD_ASSERT_DECL(sizeof(union ovsdb_atom) == sizeof(struct vm_uuid));

void vm_row_read_uuids(const struct vm_idl* db, const struct vm_row* row, size_t table,
                       size_t column, struct vm_uuid* out) {
  const struct ovsdb_datum* datum = ovsdb_idl_read(theirs(row), &db->tables[table].columns[column]);
  if (datum->n) memcpy(out, datum->keys, datum->n * sizeof *out);
}

void vm_row_read(const struct vm_idl* db, const struct vm_row* row, size_t table, size_t column,
                 void (*each)(void* aux, const struct vm_atom* key, const struct vm_atom* value),
                 void* aux) {
  const struct ovsdb_idl_column* c = &db->tables[table].columns[column];
  const struct ovsdb_datum* datum = ovsdb_idl_read(theirs(row), c);
  for (unsigned i = 0; i < datum->n; i++) {
    const struct vm_atom key = our_atom(&datum->keys[i], c->type.key.type);
    if (c->type.value.type == OVSDB_TYPE_VOID) {
      each(aux, &key, NULL);
    } else {
      const struct vm_atom value = our_atom(&datum->values[i], c->type.value.type);
      each(aux, &key, &value);
    }
  }
}

struct vm_txn* vm_txn_create(struct vm_idl* db) {
  struct vm_txn* txn = xmalloc(sizeof *txn);
  txn->owner = db;
  txn->txn = ovsdb_idl_txn_create(db->idl);
  return txn;
}

void vm_txn_destroy(struct vm_txn* txn) {
  ovsdb_idl_txn_abort(txn->txn);
  ovsdb_idl_txn_destroy(txn->txn);
  free(txn);
}

static const struct ovsdb_idl_row* find(const struct vm_txn* txn, size_t table,
                                        const struct vm_uuid* row) {
  const struct uuid uuid = their_uuid(row);
  const struct ovsdb_idl_row* found =
      ovsdb_idl_get_row_for_uuid(txn->owner->idl, &txn->owner->tables[table], &uuid);
  return found && found->new_datum ? found : NULL;
}

static struct ovsdb_datum* make_datum(const struct vm_atom* keys, const struct vm_atom* values,
                                      size_t n) {
  struct ovsdb_datum* datum = xmalloc(sizeof *datum);
  ovsdb_datum_init_empty(datum);
  if (n == 0) return datum;
  datum->n = n;
  datum->keys = xcalloc(n, sizeof *datum->keys);
  if (values) datum->values = xcalloc(n, sizeof *datum->values);
  for (size_t i = 0; i < n; i++) {
    datum->keys[i] = their_atom(&keys[i]);
    if (values) datum->values[i] = their_atom(&values[i]);
  }
  return datum;
}

void vm_idl_set_condition(struct vm_idl* db, size_t table, const size_t* columns,
                          const struct vm_atom* const* keys, const struct vm_atom* const* values,
                          const size_t* sizes, size_t n) {
  struct ovsdb_idl_condition condition = OVSDB_IDL_CONDITION_INIT(&condition);
  for (size_t i = 0; i < n; i++) {
    const struct ovsdb_idl_column* column = &db->tables[table].columns[columns[i]];
    struct ovsdb_datum* datum = make_datum(keys[i], values[i], sizes[i]);
    /* Of a scalar: equals. */
    ovsdb_idl_condition_add_clause(&condition, OVSDB_F_INCLUDES, column, datum);
    ovsdb_datum_destroy(datum, &column->type);
    free(datum);
  }
  ovsdb_idl_set_condition(db->idl, &db->tables[table], &condition);
  ovsdb_idl_condition_destroy(&condition);
}

void vm_txn_insert(struct vm_txn* txn, size_t table, struct vm_uuid as) {
  const struct uuid uuid = their_uuid(&as);
  ovsdb_idl_txn_insert(txn->txn, &txn->owner->tables[table], &uuid);
}

bool vm_txn_delete(struct vm_txn* txn, size_t table, struct vm_uuid row) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (found) ovsdb_idl_txn_delete(found);
  return found != NULL;
}

bool vm_txn_write(struct vm_txn* txn, size_t table, struct vm_uuid row, size_t column,
                  const struct vm_atom* keys, const struct vm_atom* values, size_t n) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (!found) return false;
  struct ovsdb_datum* datum = make_datum(keys, values, n);
  ovsdb_idl_txn_write(found, &txn->owner->tables[table].columns[column], datum);
  free(datum);
  return true;
}

bool vm_txn_add(struct vm_txn* txn, size_t table, struct vm_uuid row, size_t column,
                const struct vm_atom* key, const struct vm_atom* value) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (!found) return false;
  const struct ovsdb_idl_column* c = &txn->owner->tables[table].columns[column];
  struct ovsdb_datum* datum = make_datum(key, value, 1);
  if (value)
    ovsdb_idl_txn_write_partial_map(found, c, datum);
  else
    ovsdb_idl_txn_write_partial_set(found, c, datum);
  return true;
}

bool vm_txn_remove(struct vm_txn* txn, size_t table, struct vm_uuid row, size_t column,
                   const struct vm_atom* key) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (!found) return false;
  const struct ovsdb_idl_column* c = &txn->owner->tables[table].columns[column];
  struct ovsdb_datum* datum = make_datum(key, NULL, 1);
  if (c->type.value.type != OVSDB_TYPE_VOID)
    ovsdb_idl_txn_delete_partial_map(found, c, datum);
  else
    ovsdb_idl_txn_delete_partial_set(found, c, datum);
  return true;
}

bool vm_txn_increment(struct vm_txn* txn, size_t table, struct vm_uuid row, size_t column,
                      bool always) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (found)
    ovsdb_idl_txn_increment(txn->txn, found, &txn->owner->tables[table].columns[column], always);
  return found != NULL;
}

bool vm_txn_verify(struct vm_txn* txn, size_t table, struct vm_uuid row, size_t column) {
  const struct ovsdb_idl_row* found = find(txn, table, &row);
  if (found) ovsdb_idl_txn_verify(found, &txn->owner->tables[table].columns[column]);
  return found != NULL;
}

enum vm_txn_status vm_txn_commit(struct vm_txn* txn) {
  switch (ovsdb_idl_txn_commit(txn->txn)) {
    case TXN_UNCHANGED:
    case TXN_SUCCESS:
      return VM_TXN_DONE;
    case TXN_UNCOMMITTED:
    case TXN_INCOMPLETE:
      return VM_TXN_WAITING;
    case TXN_ABORTED:
    case TXN_TRY_AGAIN:
      return VM_TXN_AGAIN;
    case TXN_NOT_LOCKED:
    case TXN_ERROR:
      break;
  }
  return VM_TXN_ERROR;
}

void vm_txn_wait(const struct vm_txn* txn) {
  ovsdb_idl_txn_wait(txn->txn);
}

const char* vm_txn_error(const struct vm_txn* txn) {
  return ovsdb_idl_txn_get_error(txn->txn);
}
