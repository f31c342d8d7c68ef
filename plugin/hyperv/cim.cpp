#include "plugin/hyperv/cim.hpp"

#include <charconv>

#include "plugin/net/soap.hpp"

namespace vmirror::hyperv {
namespace {

using net::child;
using net::local_name;

const std::vector<std::string>& none() {
  static const std::vector<std::string> out;
  return out;
}

bool is_nil(pugi::xml_node element) {
  for (const pugi::xml_attribute& each : element.attributes()) {
    const std::string_view name = each.name();
    if (name == "nil" || name.ends_with(":nil")) return each.as_bool();
  }
  return false;
}

pugi::xml_node first_element(pugi::xml_node parent) {
  return parent.find_child([](pugi::xml_node node) { return node.type() == pugi::node_element; });
}

}  // namespace

const std::string& Instance::text(const std::string& name) const {
  static const std::string empty;
  const auto& found = all(name);
  return found.empty() ? empty : found.front();
}

std::uint64_t Instance::number(const std::string& name) const {
  const std::string& digits = text(name);
  std::uint64_t out = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

const std::vector<std::string>& Instance::all(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? none() : found->second;
}

Instance read_instance(pugi::xml_node element) {
  Instance out;
  out.cls = local_name(element);
  for (const pugi::xml_node property : element.children()) {
    if (property.type() != pugi::node_element || is_nil(property)) continue;
    const pugi::xml_node inner = first_element(property);
    if (auto reference = read_reference(property)) {
      out.references.insert_or_assign(std::string(local_name(property)), std::move(*reference));
      continue;
    }
    // A time's text is in an element of its own.
    const char* text = inner ? inner.child_value() : property.child_value();
    out.values[std::string(local_name(property))].emplace_back(text);
  }
  return out;
}

std::optional<Reference> read_reference(pugi::xml_node element) {
  const pugi::xml_node parameters = child(element, "ReferenceParameters");
  if (!parameters) return {};
  Reference out;
  const std::string_view uri = net::text_of(parameters, "ResourceURI");
  out.cls = uri.substr(uri.rfind('/') + 1);
  for (const pugi::xml_node selector : child(parameters, "SelectorSet").children())
    if (local_name(selector) == "Selector")
      out.keys[selector.attribute("Name").value()] = selector.child_value();
  if (out.keys.empty()) return {};
  return out;
}

std::string encode_embedded(const std::string& cls, const std::vector<Property>& properties) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("INSTANCE");
  root.append_attribute("CLASSNAME") = cls.c_str();
  for (const Property& each : properties) {
    pugi::xml_node at = root.append_child(each.array ? "PROPERTY.ARRAY" : "PROPERTY");
    at.append_attribute("NAME") = each.name.c_str();
    at.append_attribute("TYPE") = each.type.c_str();
    if (each.array) at = at.append_child("VALUE.ARRAY");
    for (const std::string& value : each.values)
      at.append_child("VALUE").append_child(pugi::node_pcdata).set_value(value.c_str());
  }
  struct Writer : pugi::xml_writer {
    void write(const void* data, std::size_t size) override {
      out.append(static_cast<const char*>(data), size);
    }
    std::string out;
  } writer;
  document.save(writer, "", pugi::format_raw | pugi::format_no_declaration, pugi::encoding_utf8);
  return std::move(writer.out);
}

}  // namespace vmirror::hyperv
