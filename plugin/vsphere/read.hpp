// From the server's XML to values, and back. All functions are pure.
#pragma once

#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.hpp"
#include "plugin/vsphere/values.hpp"

namespace vmirror::vsphere {

constexpr std::size_t kMaxObjects = 200'000;  ///< Objects of an inventory.
constexpr std::size_t kMaxItems = 4'096;      ///< NICs of a machine, sessions of a switch, ...

/// The local part of xsi:type: "VirtualVmxnet3"; empty without one.
std::string_view xsi_type(pugi::xml_node node);
/// A ManagedObjectReference: the attribute `type` and the text.
Ref read_ref(pugi::xml_node node);
/// <name type="TYPE">ID</name> in `parent`.
void put_ref(pugi::xml_node parent, const char* name, const Ref& ref);

// The properties that the inventory is read by, as the API names them.
extern const std::vector<std::pair<std::string, std::vector<std::string>>> kWatchedProperties;

/// What one answer of WaitForUpdatesEx brought.
struct Folded {
  std::string version;     ///< To ask with the next time.
  bool truncated = false;  ///< More is there at once.
  bool changed = false;    ///< The inventory is another than before.
  /// Properties that the server does not let this user read, and why not the first of them.
  std::size_t missing = 0;
  Error first_missing{};
};

/// Folds an UpdateSet (the element <returnval> of WaitForUpdatesEx) into the inventory. Objects and
/// properties that nobody asked for are passed over. Error::Kind::invalid: an update of another
/// form; Error::Kind::exhausted: past kMaxObjects or kMaxItems. After an error the inventory is to
/// be read anew.
///
///   returnval: version, filterSet*, truncated?
///     filterSet: objectSet*: kind (enter, modify, leave), obj, changeSet*
///       changeSet: name ("config.hardware.device"), op (assign, remove, ...), val (xsi:type)
Result<Folded> fold(pugi::xml_node update_set, Inventory& inventory);

/// Writes a session as the children of `node`, in the order of the schema.
void encode(const VspanSession& session, pugi::xml_node node);
VspanSession read_session(pugi::xml_node node);

/// The version of the API to ask for, of /sdk/vimServiceVersions.xml: the newest of urn:vim25 that
/// is not newer than kNewestVersion. Error::Kind::invalid: no such document;
/// Error::Kind::unsupported: the server has none.
///
///   namespaces: namespace*: name, version, priorVersions: version*
Result<std::string> choose_version(pugi::xml_node document);
/// What the encoder and the readers were written for; of it, field names and their order.
constexpr const char* kNewestVersion = "9.0.0.0";

/// A fault as an error: what the server says, what it is about, and the remedy. `type` is the
/// fault's xsi:type ("NotAuthenticated", "VspanDestPortConflict"); `fault` has its fields; `text`
/// is the server's own.
Error error_of_fault(std::string_view type, pugi::xml_node fault, std::string_view text,
                     std::string where);

}  // namespace vmirror::vsphere
