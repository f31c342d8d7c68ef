// One worker's EVE lines: collects them and hands them to the sink many at a time.
#pragma once

#include <string>
#include <string_view>

#include "agent/engine/export/community_id.hpp"
#include "agent/engine/export/eve.hpp"
#include "agent/engine/export/sink.hpp"

namespace vmirror {

/// What is to be written as EVE, and where. The sinks are shared by all workers.
struct EveOptions {
  LineSinks* sinks = nullptr;  ///< Null: nothing is written. Must outlive the pipeline.
  /// EVE's `host`: the agent's own name. Empty, as of a file's analysis, which must not depend on
  /// the machine: left out.
  std::string host = {};
  bool records = true, flows = true, assets = true, findings = true;
};

class EveWriter {
 public:
  EveWriter(EveOptions options, std::string in_iface);

  bool records() const { return options_.sinks != nullptr && options_.records; }
  bool findings() const { return options_.sinks != nullptr && options_.findings; }
  /// Somebody needs to know of what frame a message is.
  bool heads() const { return records() || findings(); }
  bool flows() const { return options_.sinks != nullptr && options_.flows; }
  bool assets() const { return options_.sinks != nullptr && options_.assets; }

  // `host` and `in_iface` of the heads are filled in.
  /// All records of `facts`.
  void write_records(EventHead head, const Facts& facts);
  void write_finding(EventHead head, const Finding& finding);
  /// `head`: event_head(flow), with the guest.
  void write_flow(EventHead head, const Flow& flow);
  /// `head`: the guest.
  void write_asset(EventHead head, const Asset& asset);
  /// Hands over what was collected, when it is much, or when it waits since before `now` - 0.1 s in
  /// the frames' time.
  void settle(Time now) {
    if (!buffer_.empty()) submit_due(now);
  }
  /// Hands over everything.
  void flush();

 private:
  EventHead& from_here(EventHead& head);

  static constexpr std::size_t kMany = 64 << 10;
  void submit_due(Time now);

  EveOptions options_;
  std::string in_iface_;
  CommunityIds ids_;
  std::string buffer_;
  Time since_ = 0;  ///< When the first line came into the buffer; 0: not known yet.
};

}  // namespace vmirror
