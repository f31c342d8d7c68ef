// Fuzzes the reading of policies and of the daemon's configuration: any text ends in a value within
// its bounds, or in an error that is no longer than a line of the log may be.
#include <cstdlib>

#include "agent/app/config.hpp"
#include "agent/control/policy/policy_file.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

static void check_error(const Error& error) {
  constexpr std::size_t kMost = 4096;
  if (error.what.empty() || error.text().size() > kMost) std::abort();
}

VMIRROR_FUZZ(bytes) {
  const std::string_view text = as_text(bytes);
  const auto policy = parse_policy(text, "f");
  if (!policy) check_error(policy.error());
  if (policy && (policy->select.empty() || policy->select.size() > kMostSelectors)) std::abort();
  const auto config = parse_config(text, "f");
  if (!config) check_error(config.error());
}

VMIRROR_SEEDS() {
  using vmirror::test::text;
  return {
      text("policy: a\nselect:\n  - vm: \"dc-*\"\n    labels: {role: dc}\n  - port: p1\n"
           "filter: [{protocol: tcp, port: [88, 3268-3269]}, {not: {cidr: 10.9.0.0/16}}]\n"
           "targets: [local, {erspan: {address: 192.0.2.9, version: 3, session: 17}}]\n"
           "expires: 2026-12-31T00:00:00+01:00\nrequire: true\n"),
      text("policy: a\nselect: &s\n  - &p {port: \"a\\x1b\\n\"}\n  - *p\ntargets: [local]\n---\n"
           "b: *s\n"),
      text("%TAG ! tag:x,2000:\n--- !m\n? a\n: |\n  text\n...\n"),
      text("switch: {remote: \"unix:/s\"}\nlibvirt: {}\nlocal: {workers: 2, identity: [vlan]}\n"
           "peers: {listen: \"127.0.0.1:9\", hosts: [{host: b, address: 127.0.0.1}]}\n"
           "inputs: [{interface: e, accept: any, sessions: [1], udp: {vxlan: [4789]}}]\n"
           "export: {eve: [{file: /e, keep: 2}], prometheus: {port: 1}}\n")};
}
