// Fuzzes the reading of a migration's record, which another host's agent sends: what is read says
// the same when it is written and read again.
#include <boost/json.hpp>
#include <cstdlib>

#include "agent/affinity/record_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  const auto record = record_from_json(as_text(bytes));
  if (!record) return;
  const auto again = record_from_json(boost::json::serialize(to_json(*record)));
  if (!again || *again != *record) std::abort();
}

VMIRROR_SEEDS() {
  MigrationRecord record;
  record.id = "u@1";
  record.vm_uuid = "u";
  record.state = MigrationState::done;
  record.source.suspended = record.destination.resumed = 7;
  record.source.notes = {"a note"};
  return {vmirror::test::text("{\"id\":\"u@1\",\"vm_uuid\":\"u\",\"state\":\"running\"}"),
          vmirror::test::text(boost::json::serialize(to_json(record)))};
}
