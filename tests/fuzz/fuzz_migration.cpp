// Fuzzes the reading of a migration's record and message, which another host's agent sends, and of
// the journal: what is read says the same when it is written and read again. The message is told to
// a tracker that has the guest.
#include <boost/json.hpp>
#include <cstdlib>

#include "agent/control/affinity/journal.hpp"
#include "agent/control/affinity/migration_tracker.hpp"
#include "agent/control/affinity/record_json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

static void fuzz_message(std::string_view text) {
  const auto message = parse_migration_message(text);
  if (!message) return;
  const auto again = parse_migration_message(encode(*message));
  if (!again || *again != *message) std::abort();

  TrackerOptions options;
  options.host = "hosta";
  options.peers = {"hostb"};
  MigrationTracker tracker(options);
  tracker.ready(1);
  tracker.peer_up("hostb", 1);
  GuestView view;
  view.uuid = "u";
  view.interface_ids = {"nic-1"};
  view.ports = view.mirrors = 1;
  tracker.view(view, 1);
  for (int i = 0; i < 2; ++i) tracker.message("hostb", *message, 2);
  for (Time now = 3; now < 40 * kSecond; now += kSecond) tracker.tick(now);
  for (const MigrationRecord& record : tracker.records())
    if (!record_from_json(boost::json::serialize(to_json(record)))) std::abort();
}

VMIRROR_FUZZ(bytes) {
  fuzz_message(as_text(bytes));
  for (const MigrationRecord& record : parse_journal(as_text(bytes)).records)
    if (record.id.empty()) std::abort();
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
  MigrationMessage message{true, false, record, {"nic-1"}};
  MigrationMessage told{false, true, record, {"nic-1"}};
  return {vmirror::test::text(encode(message)), vmirror::test::text(encode(told)),
          vmirror::test::text(encode_journal_line(7, &record, "old")),
          vmirror::test::text("{\"id\":\"u@1\",\"vm_uuid\":\"u\",\"state\":\"running\"}"),
          vmirror::test::text(boost::json::serialize(to_json(record)))};
}
