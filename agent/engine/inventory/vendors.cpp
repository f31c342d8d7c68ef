#include "agent/engine/inventory/vendors.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <unordered_map>

namespace vmirror {
namespace {

/// The hexadecimal digits at the front of `text`, '-' passed over; count says how many.
std::uint64_t hex_digits(std::string_view text, unsigned& count) {
  std::uint64_t value = 0;
  count = 0;
  for (const char c : text) {
    if (c == '-') continue;
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<unsigned>(c - 'A') + 10;
    } else {
      break;
    }
    value = value << 4 | digit;
    ++count;
  }
  return value;
}

std::string_view name_of(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t", line.find(')') + 1);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at);
  const std::size_t end = line.find_last_not_of(" \t\r");
  return line.substr(0, end + 1);
}

constexpr std::uint64_t entry_of(std::uint64_t prefix, unsigned bits) {
  return prefix << 8 | bits;
}

}  // namespace

Result<Vendors> Vendors::load(const std::string& folder) {
  Vendors vendors;
  for (const char* name : {"oui.txt", "mam.txt", "oui36.txt", "iab.txt"}) {
    const std::string path = folder + "/" + name;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      if (std::string_view(name) != "oui.txt") continue;
      return fail(Error::Kind::missing, "no vendors of MAC addresses: no such file", path,
                  "install the package ieee-data");
    }
    std::stringstream text;
    text << file.rdbuf();
    vendors.add(text.view());
  }
  vendors.finish();
  return vendors;
}

void Vendors::add(std::string_view text) {
  std::uint64_t block = 0;  // The 24 bits that "(hex)" said last.
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool is_hex = line.find("(hex)") != std::string_view::npos;
    if (!is_hex && line.find("(base 16)") == std::string_view::npos) continue;
    unsigned digits = 0;
    const std::uint64_t from = hex_digits(line.substr(0, is_hex ? 8 : 6), digits);
    if (digits != 6) continue;
    if (is_hex) {
      block = from << 24;
      continue;
    }
    // "ABCDEF (base 16)": the whole block. "A00000-AFFFFF": a part; equal digits are its prefix.
    unsigned bits = 24;
    std::uint64_t prefix = from << 24;
    if (line.size() > 13 && line[6] == '-') {
      unsigned last_digits = 0;
      const std::uint64_t last = hex_digits(line.substr(7), last_digits);
      if (last_digits != 6 || last < from) continue;
      bits = 48;
      for (std::uint64_t size = last - from + 1; size > 1; size >>= 1) --bits;
      prefix = block | from;
    }
    const std::string_view name = name_of(line);
    if (name.empty() || name == "IEEE Registration Authority") continue;
    entries_.push_back({entry_of(prefix, bits), static_cast<std::uint32_t>(names_.size()),
                        static_cast<std::uint32_t>(name.size())});
    names_ += name;
  }
}

void Vendors::finish() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.prefix < b.prefix; });
  std::string names;  // Each name once.
  std::unordered_map<std::string_view, std::uint32_t> known;
  for (Entry& entry : entries_) {
    const std::string_view name = std::string_view(names_).substr(entry.name, entry.size);
    const auto [at, is_new] = known.try_emplace(name, static_cast<std::uint32_t>(names.size()));
    if (is_new) names += name;
    entry.name = at->second;
  }
  names_ = std::move(names);
  names_.shrink_to_fit();
  entries_.shrink_to_fit();
}

std::string_view Vendors::find(const Mac& mac) const {
  if (mac.octets[0] & 2) return {};  // Locally administered.
  std::uint64_t value = 0;
  for (const std::uint8_t octet : mac.octets) value = value << 8 | octet;
  for (const unsigned bits : {36u, 28u, 24u})
    if (const std::string_view name = find(value, bits); !name.empty()) return name;
  return {};
}

std::string_view Vendors::find(std::uint64_t mac, unsigned bits) const {
  const std::uint64_t wanted = entry_of(mac >> (48 - bits) << (48 - bits), bits);
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), wanted,
      [](const Entry& entry, std::uint64_t prefix) { return entry.prefix < prefix; });
  if (at == entries_.end() || at->prefix != wanted) return {};
  return std::string_view(names_).substr(at->name, at->size);
}

}  // namespace vmirror
