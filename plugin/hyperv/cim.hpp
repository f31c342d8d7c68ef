// CIM instances as values: read from the XML of WS-Management, written as CIM-XML for the
// parameters of methods.
//
//   <p:Msvm_X xmlns:p="..." xsi:type="...">           an instance as WS-Management shows it:
//     <p:Name>text</p:Name>                             a property
//     <p:Notes>a</p:Notes><p:Notes>b</p:Notes>          an array: repeated
//     <p:PoolID xsi:nil="true"/>                        NULL
//     <p:Created><cim:Datetime>...</cim:Datetime>       a time
//     <p:Job><a:Address/><a:ReferenceParameters>...     a reference
//
//   <INSTANCE CLASSNAME="Msvm_X">                     an embedded instance, a text in a parameter:
//     <PROPERTY NAME="MonitorMode" TYPE="uint8"><VALUE>2</VALUE></PROPERTY>
//     <PROPERTY.ARRAY NAME="Notes" TYPE="string"><VALUE.ARRAY><VALUE>a</VALUE></VALUE.ARRAY></...>
//
// Sources: DMTF DSP0226 and DSP0230 (WS-CIM), DSP0201 (CIM-XML 2.0).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace vmirror::hyperv {

/// Namespaces of a Hyper-V host.
constexpr const char* kVirtualization = "root/virtualization/v2";
constexpr const char* kCluster = "root/MSCluster";

/// Names an instance: a class and its keys.
struct Reference {
  std::string cls;
  std::map<std::string, std::string> keys;
  auto operator<=>(const Reference&) const = default;
};

/// An instance of a class. A property that is NULL is not among the values.
struct Instance {
  std::string cls;                                         ///< "Msvm_ComputerSystem"
  std::map<std::string, std::vector<std::string>> values;  ///< As texts; one, or those of an array.
  std::map<std::string, Reference> references;             ///< Properties that name an instance.

  /// The first value; empty: NULL.
  const std::string& text(const std::string& name) const;
  /// The first value as a number; 0: NULL, or no number.
  std::uint64_t number(const std::string& name) const;
  /// All values; empty: NULL.
  const std::vector<std::string>& all(const std::string& name) const;
  bool operator==(const Instance&) const = default;
};

/// Reads an element of WS-Management. Never fails: what is no property is left out.
Instance read_instance(pugi::xml_node element);
/// The keys of an endpoint reference (its SelectorSet); nothing: it is none, or xsi:nil.
std::optional<Reference> read_reference(pugi::xml_node element);

/// A property of an embedded instance.
struct Property {
  std::string name, type;  ///< "uint8", "boolean", "string"
  std::vector<std::string> values;
  bool array = false;
};
/// The embedded instance as CIM-XML.
std::string encode_embedded(const std::string& cls, const std::vector<Property>& properties);

}  // namespace vmirror::hyperv
