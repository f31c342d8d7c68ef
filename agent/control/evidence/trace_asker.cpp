#include "agent/control/evidence/trace_asker.hpp"

#include <algorithm>

namespace vmirror {

std::optional<TraceQuestion> TraceAsker::question_of(const SessionStatus& s,
                                                     const Observed& observed) {
  const Switch& sw = switch_of(observed, s.switch_name);
  const Port* port = sw.ports.get(s.port);
  const auto mirror = sw.mirrors.find(s.mirror);
  if (port == nullptr || mirror == sw.mirrors.end() || !s.mac) return std::nullopt;
  TraceQuestion q{.session = s.name,
                  .switch_name = s.switch_name,
                  .port = s.port,
                  .mac = *s.mac,
                  .vlan = port->vlan,
                  .direction = s.direction,
                  .output = mirror->second.output_port(),
                  .output_vlan = {},
                  .remote = {},
                  .since = s.in_place_since,
                  .configured = observed.progress.done};
  if (const auto& output = mirror->second.output)
    if (const auto* vlan = std::get_if<VlanOutput>(&*output)) q.output_vlan = vlan->vlan;
  if (q.output.empty() && !q.output_vlan) return std::nullopt;
  if (const Port* output = sw.ports.get(q.output); output && output->tunnel)
    q.remote = output->tunnel->remote;
  return q;
}

void TraceAsker::set_due(const std::string& session, Asked& asked, std::optional<Time> due) {
  if (asked.due) due_.erase({*asked.due, session});
  if (due) due_.insert({*due, session});
  asked.due = due;
}

/// A session that the answer itself made fail stays asked about.
void TraceAsker::follow(const std::string& session, const SessionStatus* is, Time now) {
  const TraceAnswer* answer = answers_.get(session);
  const bool refuted = answer != nullptr && answer->kind == TraceAnswer::Kind::not_copied;
  const bool silent =
      is != nullptr && is->in_place && !is->selective && is->mac &&
      (is->state == SessionState::ready || (is->state == SessionState::failed && refuted));
  const auto known = asked_.find(session);
  if (known != asked_.end() && silent && known->second.since == is->in_place_since) return;
  if (known != asked_.end()) {
    set_due(session, known->second, std::nullopt);
    asked_.erase(known);
    answers_.erase(session);
  }
  if (!silent) return;
  Asked& asked = asked_[session];
  asked.since = is->in_place_since;
  set_due(session, asked, now);
}

void TraceAsker::take_answers(Time now) {
  for (auto& [question, answer] : tracer_->take_answers()) {
    const auto known = asked_.find(question.session);
    if (known == asked_.end() || known->second.since != question.since) continue;
    Asked& asked = known->second;
    asked.waits = false;
    asked.configured = question.configured;
    asked.at = now;
    const TraceAnswer* before = answers_.get(question.session);
    const bool refutes = answer.kind == TraceAnswer::Kind::not_copied;
    const bool believed = !refutes || asked.doubted ||
                          (before != nullptr && before->kind == TraceAnswer::Kind::not_copied);
    asked.doubted = !believed;
    set_due(question.session, asked, now + (believed ? kAgain : kConfirm));
    // Of a reason that stays the same nobody wants to know when it was last given.
    const bool again = before != nullptr && answer.kind == TraceAnswer::Kind::not_told &&
                       before->kind == answer.kind && before->why == answer.why &&
                       before->since == answer.since;
    if (believed && !again) answers_.set(question.session, std::move(answer));
  }
}

void TraceAsker::ask_due(const ControlSnapshot& control, Time now) {
  if (!control.observed || control.observe_error || control.observed->progress.behind) return;
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string session = due_.begin()->second;
    Asked& asked = asked_.at(session);
    const TraceAnswer* answer = answers_.get(session);
    const bool holds = !asked.doubted && answer != nullptr &&
                       answer->kind == TraceAnswer::Kind::copied &&
                       asked.configured == control.observed->progress.done &&
                       now - asked.at < kHolds && now >= asked.at;
    const SessionStatus* is = control.sessions.get(session);
    auto question = is && !holds ? question_of(*is, *control.observed) : std::nullopt;
    // Too many wait: the next look asks.
    if (question && !asked.waits && !tracer_->ask(std::move(*question))) return;
    asked.waits = asked.waits || question;
    set_due(session, asked, now + kAgain);
  }
}

void TraceAsker::look(const ControlSnapshot& control, Time now) {
  if (!tracer_) return;
  diff(sessions_, control.sessions,
       [&](const std::string& session, const SessionStatus*, const SessionStatus* is) {
         follow(session, is, now);
       });
  sessions_ = control.sessions;
  take_answers(now);
  ask_due(control, now);
}

}  // namespace vmirror
