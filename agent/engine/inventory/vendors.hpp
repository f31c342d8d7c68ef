// Vendors of MAC addresses, from the IEEE's registry as Debian packages it (ieee-data):
//
//   28-6F-B9   (hex)\t\tNokia Shanghai Bell Co., Ltd.        a prefix of 24 bits (oui.txt)
//   8C-51-09   (hex)\t\tMIRA Industrial Co.                  a block within 8C-51-09:
//   800000-8FFFFF     (base 16)\t\tMIRA Industrial Co.        of 28 bits (mam.txt), 36 (oui36.txt)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Immutable after loading; any number of threads may read it.
class Vendors {
 public:
  Vendors() = default;
  /// Reads oui.txt, mam.txt and oui36.txt of a folder. Error::Kind::missing: there is no oui.txt
  /// (the remedy names the package). The others may be missing.
  static Result<Vendors> load(const std::string& folder = "/usr/share/ieee-data");
  /// Adds one file's text. Lines that aren't entries are passed over.
  void add(std::string_view text);
  /// Call after the last `add`.
  void finish();

  /// The vendor of the longest prefix, or empty: not registered, or locally administered.
  std::string_view find(const Mac& mac) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t prefix;  ///< Of 48 bits, the rest zero, shifted left by 8, plus its length.
    std::uint32_t name;    ///< Offset into names_.
    std::uint32_t size;
  };
  std::string_view find(std::uint64_t mac, unsigned bits) const;

  std::vector<Entry> entries_;  ///< By prefix.
  std::string names_;
};

}  // namespace vmirror
