#include "agent/control/store/report.hpp"

#include <algorithm>
#include <optional>

#include "agent/control/store/schema.hpp"
#include "plugin/base/plain_text.hpp"

namespace vmirror {

namespace {

using ovsdb::ColumnValues;
using ovsdb::Datum;

std::string cut(const std::string& reason) {
  std::string out = valid_utf8(reason.substr(0, reason.find('\0')));
  if (out.size() <= kMostReasonBytes) return out;
  std::size_t end = kMostReasonBytes;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  return out.substr(0, end) + "...";
}

/// A set of strings, as the database sorts them.
Datum text_set(const std::set<std::string>& texts) {
  Datum out;
  for (const std::string& text : texts) out.keys.emplace_back(text);
  return out;
}

std::set<std::string> names_in(std::string_view joined) {
  std::set<std::string> out;
  while (!joined.empty()) {
    const std::size_t plus = joined.find('+');
    out.emplace(joined.substr(0, plus));
    joined.remove_prefix(plus == joined.npos ? joined.size() : plus + 1);
  }
  return out;
}

std::set<std::string> capabilities_of(const Observed& observed) {
  std::set<std::string> out;
  for (const auto& [name, sw] : observed.switches) {
    const Capabilities& c = sw.capabilities;
    for (const TargetKind kind : c.targets) out.insert(std::string("target ") + to_text(kind));
    if (c.one_direction) out.insert("direction");
    if (c.snaplen) out.insert("snaplen");
    if (c.match) out.insert("filter");
  }
  return out;
}

std::string version_of(const Observed& observed) {
  std::set<std::string> all;
  for (const auto& [name, sw] : observed.switches) all.insert(sw.capabilities.version);
  std::string out;
  for (const std::string& version : all) out += (out.empty() ? "" : "; ") + version;
  return out.empty() ? "-" : out;
}

std::string fault_of(const ReportView& view) {
  if (view.drained) return "drained: nothing is mirrored until `vmirror drain --undo`";
  if (view.control.observe_error)
    return "the switch can't be read: " + view.control.observe_error->what;
  if (!view.control.observed) return "the switch was not read yet";
  return {};
}

SessionRow session_of(const std::string& host, const SessionStatus& s) {
  const char* proof = told_proof(s.state, s.proof);
  return {.name = valid_utf8(s.name),
          .host = host,
          .policies = names_in(s.policy),
          .vm = valid_utf8(s.vm),
          .mac = s.mac ? s.mac->text() : "",
          .switch_name = valid_utf8(s.switch_name),
          .port = valid_utf8(s.port),
          .target = s.target,
          .state = to_text(s.state),
          .proof = proof != nullptr ? proof : "",
          .in_place = s.in_place,
          .reason = cut(s.reason),
          .since = format_time(s.since)};
}

/// A reason without its numbers: what counts changes each second, and is no news.
std::string without_numbers(const std::string& reason) {
  std::string out;
  for (const char c : reason)
    if (c < '0' || c > '9')
      out += c;
    else if (out.empty() || out.back() != '#')
      out += '#';
  return out;
}

/// Do the columns say something that the row doesn't? The column `reason` is compared without its
/// numbers; `since` alone is no news.
bool is_news(const ColumnValues& columns, const ovsdb::Row& row, std::size_t reason,
             std::optional<std::size_t> since) {
  return std::ranges::any_of(columns, [&](const auto& column) {
    const auto& [at, value] = column;
    if (at == since) return false;
    if (at == reason) return without_numbers(value.text()) != without_numbers(row[at].text());
    return value != row[at];
  });
}

ColumnValues columns_of(const HostRow& h) {
  namespace c = store::host;
  return {{c::kName, Datum(h.name)},
          {c::kKind, Datum(h.kind)},
          {c::kSwitchVersion, Datum(h.switch_version)},
          {c::kVersion, Datum(h.version)},
          {c::kCapabilities, text_set(h.capabilities)},
          {c::kGeneration, Datum(h.generation)},
          {c::kRefused, Datum(h.refused)},
          {c::kFault, h.fault.empty() ? Datum() : Datum(h.fault)},
          {c::kInstance, Datum(h.instance)}};
}

ColumnValues columns_of(const SessionRow& s) {
  namespace c = store::session;
  return {{c::kName, Datum(s.name)},
          {c::kHost, Datum(s.host)},
          {c::kPolicies, text_set(s.policies)},
          {c::kVm, Datum(s.vm)},
          {c::kMac, Datum(s.mac)},
          {c::kSwitch, Datum(s.switch_name)},
          {c::kPort, Datum(s.port)},
          {c::kTarget, Datum(s.target)},
          {c::kState, Datum(s.state)},
          {c::kProof, Datum(s.proof)},
          {c::kInPlace, Datum(s.in_place)},
          {c::kReason, Datum(s.reason)},
          {c::kSince, Datum(s.since)}};
}

/// Those that the server's schema has.
ColumnValues known(const ovsdb::Table& table, ColumnValues columns) {
  std::erase_if(columns, [&](const auto& column) { return !table.has_column[column.first]; });
  return columns;
}

/// Those that the row has otherwise: whose a row is may not be written again (roles.hpp).
ColumnValues differing(ColumnValues columns, const ovsdb::Row& row) {
  std::erase_if(columns, [&](const auto& column) { return column.second == row[column.first]; });
  return columns;
}

}  // namespace

HostReport report_of(const ReportView& view) {
  HostReport out;
  const ControlSnapshot& c = view.control;
  out.host = {.name = view.host,
              .kind = view.driver,
              .switch_version = c.observed ? version_of(*c.observed) : "-",
              .version = view.version,
              .capabilities = c.observed ? capabilities_of(*c.observed) : std::set<std::string>{},
              .generation = view.generation,
              .refused = {},
              .fault = cut(fault_of(view))};
  for (const PolicyFile& file : view.policies)
    if (file.error)
      out.host.refused.emplace(file.path.substr(place_in_store("").size()),
                               cut(file.error->text()));
  out.sessions_known = c.observed != nullptr;
  for (const auto& [name, session] : c.sessions)
    if (out.sessions.size() < kMostReportedSessions)
      out.sessions.emplace(valid_utf8(name), session_of(view.host, session));
    else
      ++out.left_out;
  return out;
}

ovsdb::Transaction changes(const HostReport& report, const ovsdb::Snapshot& own) {
  ovsdb::Transaction out;
  std::uint32_t inserted = 0;
  const auto bring = [&](std::size_t table, const ovsdb::Row* row, ColumnValues all,
                         std::size_t reason, std::optional<std::size_t> since) {
    ColumnValues columns = known(own[table], std::move(all));
    if (row == nullptr)
      out.push_back(ovsdb::Insert{table, ovsdb::Uuid{{0, 0, 0, ++inserted}}, std::move(columns)});
    else if (is_news(columns, *row, reason, since))
      out.push_back(ovsdb::Write{table, row->id, differing(std::move(columns), *row)});
  };
  bring(store::kHost, own[store::kHost].named(report.host.name), columns_of(report.host),
        store::host::kFault, {});
  if (!report.sessions_known) return out;
  std::map<std::string, const ovsdb::Row*> there;
  for (const auto& [id, row] : own[store::kSession].rows) {
    if ((*row)[store::session::kHost].text() != report.host.name) continue;
    const std::string name = (*row)[store::session::kName].text();
    if (report.sessions.contains(name))
      there.emplace(name, row.get());
    else
      out.push_back(ovsdb::Delete{store::kSession, id});
  }
  for (const auto& [name, session] : report.sessions) {
    const auto row = there.find(name);
    bring(store::kSession, row == there.end() ? nullptr : row->second, columns_of(session),
          store::session::kReason, store::session::kSince);
  }
  return out;
}

}  // namespace vmirror
