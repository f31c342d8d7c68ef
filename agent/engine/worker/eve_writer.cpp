#include "agent/engine/worker/eve_writer.hpp"

#include <utility>

namespace vmirror {

EveWriter::EveWriter(EveOptions options, std::string in_iface)
    : options_(std::move(options)), in_iface_(std::move(in_iface)) {
  if (options_.sinks != nullptr) buffer_.reserve(2 * kMany);
}

EventHead& EveWriter::from_here(EventHead& head) {
  head.host = options_.host;
  head.in_iface = in_iface_;
  head.ids = &ids_;
  return head;
}

void EveWriter::write_records(EventHead head, const Facts& facts) {
  from_here(head);
  std::span<const Act> acts = facts.acts();  // In the order of their records.
  for (std::uint32_t i = 0; i < facts.records().size(); ++i) {
    std::size_t own = 0;
    while (own < acts.size() && acts[own].record == i) ++own;
    head.acts = acts.first(own);
    acts = acts.subspan(own);
    append_record_event(buffer_, head, facts.records()[i], facts.fields(facts.records()[i]));
  }
}

void EveWriter::write_finding(EventHead head, const Finding& finding) {
  append_finding_event(buffer_, from_here(head), finding);
}

void EveWriter::write_flow(EventHead head, const Flow& flow) {
  append_flow_event(buffer_, from_here(head), flow);
}

void EveWriter::write_asset(EventHead head, const Asset& asset) {
  append_asset_event(buffer_, from_here(head), asset);
}

void EveWriter::submit_due(Time now) {
  if (since_ == 0) since_ = now;
  const Time waited = now - since_;
  if (buffer_.size() >= kMany || waited >= kSecond / 10 || waited < 0) flush();
}

void EveWriter::flush() {
  if (!buffer_.empty()) options_.sinks->submit(buffer_);
  buffer_.clear();
  since_ = 0;
}

}  // namespace vmirror
