#include "agent/control/libvirt/domain_xml.hpp"

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

/// "0000:03:10.1" of the four attributes, each in hexadecimal.
std::string pci_text(const pugi::xml_node& address) {
  const auto part = [&](const char* name) {
    const std::string text(value_of(address, name));
    return text.starts_with("0x") ? text.substr(2) : text;
  };
  return part("domain") + ":" + part("bus") + ":" + part("slot") + "." + part("function");
}

std::string socket_text(const pugi::xml_node& source) {
  return std::string(value_of(source, "address")) + ":" + std::string(value_of(source, "port"));
}

/// The interfaces of libvirt that are no bridge, no network and no bare device.
std::string text_of_other(std::string_view type, const pugi::xml_node& interface) {
  const pugi::xml_node source = interface.child("source");
  const auto named = [&](const char* what, const char* attribute) {
    return std::string(what) + " " + std::string(value_of(source, attribute));
  };
  if (type == "direct") return named("macvtap over", "dev");
  if (type == "user") {
    const std::string backend(value_of(interface.child("backend"), "type"));
    return "user-mode networking" + (backend.empty() ? "" : " (" + backend + ")");
  }
  if (type == "hostdev") return "PCI device " + pci_text(source.child("address"));
  if (type == "vhostuser") return named("vhost-user socket", "path");
  if (type == "vdpa") return named("vDPA device", "dev");
  if (type == "mcast") return "multicast socket " + socket_text(source);
  if (type == "server" || type == "client") return "TCP socket " + socket_text(source);
  if (type == "udp") return "UDP socket " + socket_text(source);
  if (type == "internal") return named("internal network", "name");
  if (type == "null") return "nothing";
  return type.empty() ? "something that libvirt does not name"
                      : "an interface of type " + std::string(type);
}

/// Open vSwitch's own socket of a port is named as the port; libvirt tells the port, too, once it
/// runs.
std::string vhost_port(const GuestNic& nic, const pugi::xml_node& interface) {
  const std::string path(value_of(interface.child("source"), "path"));
  return nic.device.empty() ? path.substr(path.rfind('/') + 1) : nic.device;
}

/// Where it is plugged in; `nic` has the rest.
void read_plug(const pugi::xml_node& interface, GuestNic& nic) {
  nic.type = value_of(interface, "type");
  const bool ovs = value_of(interface.child("virtualport"), "type") == "openvswitch";
  if (nic.type == "bridge" || nic.type == "network") {
    const std::string network = nic.network.empty() ? "" : "network " + nic.network;
    nic.on = nic.bridge.empty() ? network : (ovs ? "" : "Linux bridge ") + nic.bridge;
    if (!nic.bridge.empty() && !network.empty()) nic.on += " (" + network + ")";
    nic.port = ovs ? NicPort::on_switch : nic.bridge.empty() ? NicPort::open : NicPort::none;
  } else if (nic.type == "ethernet" || nic.type == "vhostuser") {
    if (nic.type == "vhostuser") nic.device = vhost_port(nic, interface);
    nic.on = nic.type == "ethernet" ? "device " + nic.device : text_of_other(nic.type, interface);
    nic.port = NicPort::by_other;
  } else {
    nic.on = text_of_other(nic.type, interface);
    nic.port = NicPort::none;
  }
}

GuestNic read_nic(const pugi::xml_node& interface) {
  GuestNic nic;
  if (const auto mac = Mac::parse(value_of(interface.child("mac"), "address"))) nic.mac = *mac;
  nic.device = value_of(interface.child("target"), "dev");
  nic.alias = value_of(interface.child("alias"), "name");
  nic.interface_id = value_of(interface.child("virtualport").child("parameters"), "interfaceid");
  nic.bridge = value_of(interface.child("source"), "bridge");
  nic.network = value_of(interface.child("source"), "network");
  nic.link_down = value_of(interface.child("link"), "state") == "down";
  read_plug(interface, nic);
  return nic;
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
    if (guest.nics.size() == kMaxGuestNics) return tl::unexpected(past("NICs", kMaxGuestNics));
    guest.nics.push_back(read_nic(interface));
  }
  return guest;
}

}  // namespace vmirror
