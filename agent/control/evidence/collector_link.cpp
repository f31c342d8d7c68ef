#include "agent/control/evidence/collector_link.hpp"

#include <spdlog/spdlog.h>

#include "agent/engine/health/copies_json.hpp"
#include "plugin/base/own_addresses.hpp"

namespace vmirror {

CollectorLink::CollectorLink(CollectorLinkOptions options, Peers* peers)
    : options_(std::move(options)), peers_(peers) {
  if (peers_ == nullptr) return;
  for (const Peer& peer : options_.peers) known_[peer.host].host = peer.host;
}

void CollectorLink::on_peer_up(const std::string& host, Time now) {
  Collector& c = known_[host];
  c = {.host = host, .linked = true, .since = now, .told_at = 0, .report = {}};
  told_.erase(host);
}

void CollectorLink::on_peer_down(const std::string& host, Time now) {
  Collector& c = known_[host];
  c.host = host;
  c.linked = false;
  c.since = now;
  told_.erase(host);
}

void CollectorLink::on_message(const std::string& host, const std::string& body, Time now) {
  auto report = parse_copies(body);
  Collector& c = known_[host];
  if (!report) {
    std::string& why = refused_[host];
    if (why != report.error().text())
      spdlog::warn("what {} tells of copies is not understood: {}", host, report.error().text());
    why = report.error().text();
    return;
  }
  refused_.erase(host);
  if (*report)
    c.report = std::move(**report);
  else if (c.told_at == 0)
    return;  // As before: before what?
  c.told_at = now;
}

void CollectorLink::tell(std::map<CopiesKey, Copies> sessions) {
  CopiesReport report;
  report.addresses = own_addresses();
  report.sessions = std::move(sessions);
  for (const auto& [host, c] : known_) {
    if (!c.linked) continue;
    const auto before = told_.find(host);
    const bool same = before != told_.end() && before->second == report;
    const auto sent = peers_->send(host, kCopiesMessage,
                                   encode_copies(same ? std::nullopt : std::optional(report)));
    if (sent) told_[host] = report;
  }
}

Collectors CollectorLink::collectors() const {
  Collectors out;
  std::map<std::string, std::shared_ptr<const Collector>> values;
  for (const auto& [host, c] : known_) values[host] = std::make_shared<const Collector>(c);
  for (const Peer& peer : options_.peers)
    if (const auto it = values.find(peer.host); it != values.end())
      out.emplace(peer.endpoint.address, it->second);
  for (const auto& [host, c] : values)
    for (const IpAddress& address : c->report.addresses) out.emplace(address, c);
  return out;
}

}  // namespace vmirror
