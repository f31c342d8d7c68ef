#include "agent/libvirt/domain_xml.hpp"

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>
#include <string>

#include "agent/model/uuid.hpp"

namespace vmirror {
namespace {

std::string_view value_of(const pugi::xml_node& node, const char* attribute) {
  return node.attribute(attribute).value();
}

/// The namespace that a prefix ("" for none) stands for at this node: the nearest xmlns above it.
std::string_view namespace_of(pugi::xml_node node, std::string_view prefix) {
  const std::string attribute = prefix.empty() ? "xmlns" : "xmlns:" + std::string(prefix);
  for (; node; node = node.parent())
    if (const pugi::xml_attribute found = node.attribute(attribute.c_str())) return found.value();
  return {};
}

/// Whether the element is this one of ours, whatever prefix libvirt or a person gave it.
bool is_ours(const pugi::xml_node& node, std::string_view name) {
  const std::string_view full = node.name();
  const std::size_t colon = full.find(':');
  const std::string_view prefix = colon == full.npos ? "" : full.substr(0, colon);
  const std::string_view local = colon == full.npos ? full : full.substr(colon + 1);
  return local == name && namespace_of(node, prefix) == kGuestMetadataUri;
}

Error past(const char* what, std::size_t bound) {
  return {
      Error::Kind::exhausted, "more than " + std::to_string(bound) + " " + what, "domain XML", {}};
}

Result<void> read_labels(const pugi::xml_node& metadata, Guest& guest) {
  for (const pugi::xml_node element : metadata.children()) {
    if (!is_ours(element, "guest")) continue;
    for (const pugi::xml_node label : element.children()) {
      if (!is_ours(label, "label")) continue;
      const std::string_view key = value_of(label, "key"), value = value_of(label, "value");
      if (key.empty()) continue;
      if (std::max(key.size(), value.size()) > kMaxGuestTextLength)
        return tl::unexpected(past("bytes in a label", kMaxGuestTextLength));
      if (guest.labels.size() == kMaxGuestLabels && !guest.labels.contains(std::string(key)))
        return tl::unexpected(past("labels", kMaxGuestLabels));
      guest.labels.emplace(key, value);
    }
  }
  return {};
}

GuestNic read_nic(const pugi::xml_node& interface) {
  GuestNic nic;
  if (const auto mac = Mac::parse(value_of(interface.child("mac"), "address"))) nic.mac = *mac;
  nic.device = value_of(interface.child("target"), "dev");
  nic.alias = value_of(interface.child("alias"), "name");
  nic.interface_id = value_of(interface.child("virtualport").child("parameters"), "interfaceid");
  nic.bridge = value_of(interface.child("source"), "bridge");
  nic.network = value_of(interface.child("source"), "network");
  return nic;
}

bool has_port(std::string_view type) {
  return type == "bridge" || type == "network" || type == "ethernet" || type == "direct";
}

}  // namespace

Result<Guest> parse_domain(std::string_view xml) {
  if (xml.size() > kMaxDomainXml) return tl::unexpected(past("bytes", kMaxDomainXml));
  pugi::xml_document document;
  const auto parsed =
      document.load_buffer(xml.data(), xml.size(), pugi::parse_default, pugi::encoding_utf8);
  if (!parsed)
    return fail(Error::Kind::invalid, parsed.description(),
                "domain XML, byte " + std::to_string(parsed.offset));
  const pugi::xml_node domain = document.child("domain");
  if (!domain) return fail(Error::Kind::invalid, "no element <domain>", "domain XML");

  Guest guest;
  guest.uuid = domain.child_value("uuid");
  if (!is_uuid(guest.uuid)) return fail(Error::Kind::invalid, "no UUID", "domain XML");
  guest.uuid = lower(std::move(guest.uuid));
  guest.name = domain.child_value("name");
  guest.title = domain.child_value("title");
  if (guest.name.empty()) return fail(Error::Kind::invalid, "no name", "domain XML");
  if (std::max(guest.name.size(), guest.title.size()) > kMaxGuestTextLength)
    return tl::unexpected(past("bytes in the name or title", kMaxGuestTextLength));
  if (const auto read = read_labels(domain.child("metadata"), guest); !read)
    return tl::unexpected(read.error());
  for (const pugi::xml_node interface : domain.child("devices").children("interface")) {
    if (!has_port(value_of(interface, "type"))) continue;
    if (guest.nics.size() == kMaxGuestNics) return tl::unexpected(past("NICs", kMaxGuestNics));
    guest.nics.push_back(read_nic(interface));
  }
  return guest;
}

}  // namespace vmirror
