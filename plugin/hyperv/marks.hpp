// Marks: which settings of a host are ours. Pure.
//
// A mark is one line in the notes of the VM or of the virtual switch that has the setting, so that
// it travels with a VM and everybody can read it. The PowerShell module (hyperv/VMirror) writes and
// reads the same line:
//
//   the notes that were there
//   [vmirror] {"v":1,"marks":[{"kind":"mode","on":"ADAPTER","was":"None","now":"Source",
//                              "for":["vmirror/wmi"]}]}
//
//   kind  mode      port mirroring of the adapter `on`   was, now: None, Destination, Source
//         vlan      VLANs of the adapter `on`            was, now: the texts of vlans.hpp
//         capture   the switch's extension NDIS Capture  was, now: Disabled, Enabled
//         owners    preferred owners of the VM's group   was, now: nodes with commas between
//         external  monitoring of the external port      was, now: absent, 0, 1, 2
//   for   who needs it, each OWNER/NAME; those of this driver are "OWNER/wmi".
//
// The line is written before the setting changes and taken out after it is undone: a change that
// was interrupted leaves a mark whose setting is as it was, which the next round mends.
#pragma once

#include <string>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror::hyperv {

constexpr std::size_t kMaxMarkBytes = 65536;  ///< Of one line; the module has the same bound.

struct Mark {
  std::string kind, on, was, now;
  std::vector<std::string> for_whom;  ///< Sorted.
  bool added =
      false;  ///< The feature that holds the setting was made for it. The module drops this.
  bool is_for(const std::string& whom) const;
  bool operator==(const Mark&) const = default;
};

/// The notes of a VM or of a switch.
struct Notes {
  std::vector<std::string> text;  ///< As the host has them.
  std::vector<Mark> marks;
  std::string error;  ///< Why the line can't be read; empty: it can, or there is none.
  bool operator==(const Notes&) const = default;
};

Notes parse_notes(std::vector<std::string> text);
/// The mark of that setting; null: none.
const Mark* find_mark(const Notes& notes, const std::string& kind, const std::string& on);
/// The notes with `marks` in place of theirs. Error::Kind::exhausted: the line would be longer than
/// kMaxMarkBytes; Error::Kind::refused: the line that is there can't be read.
Result<std::vector<std::string>> encode_notes(const Notes& notes, const std::vector<Mark>& marks);

}  // namespace vmirror::hyperv
