#include "agent/engine/decap/error.hpp"

namespace vmirror {
namespace {

struct Entry {
  const char* name;
  Drop drop;
};
constexpr Entry kTable[] = {
    {"none", Drop::count_},
    {"gre_truncated", Drop::decap_truncated},
    {"gre_version", Drop::decap_unsupported},
    {"gre_routing", Drop::decap_unsupported},
    {"gre_checksum", Drop::decap_malformed},
    {"gre_protocol", Drop::decap_unsupported},
    {"erspan_truncated", Drop::decap_truncated},
    {"erspan_version", Drop::decap_unsupported},
    {"erspan_frame_type", Drop::decap_unsupported},
    {"vxlan_truncated", Drop::decap_truncated},
    {"vxlan_flags", Drop::decap_malformed},
    {"geneve_truncated", Drop::decap_truncated},
    {"geneve_version", Drop::decap_unsupported},
    {"geneve_protocol", Drop::decap_unsupported},
    {"fragment_malformed", Drop::decap_malformed},
    {"fragment_overlap", Drop::decap_malformed},
    {"datagram_truncated", Drop::decap_truncated},
    {"datagram_header", Drop::decap_malformed},
    {"datagram_unsupported", Drop::decap_unsupported},
};
static_assert(sizeof kTable / sizeof *kTable == kDecapErrors);

}  // namespace

const char* to_text(DecapError error) {
  return kTable[static_cast<std::size_t>(error)].name;
}
Drop drop_of(DecapError error) {
  return kTable[static_cast<std::size_t>(error)].drop;
}

}  // namespace vmirror
