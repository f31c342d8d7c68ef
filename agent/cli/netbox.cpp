#include "agent/cli/netbox.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "agent/cli/table.hpp"
#include "plugin/base/plain_text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxDescription = 200;  ///< Characters; IPAddress.description.
constexpr std::size_t kMaxDnsName = 255;

/// Text that a guest has sent may have quotes, commas and line ends.
std::string csv_field(std::string_view text) {
  if (text.find_first_of("\",\r\n") == text.npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

/// What NetBox's field `dns_name` takes of letters and signs; labels between dots are not empty.
bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxDnsName || name.front() == '.' ||
      name.find("..") != name.npos)
    return false;
  return std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
}

bool is_link_local(std::string_view ip) {
  // fe80::/10, as IpAddress::text() writes it: in small letters, without leading zeros.
  return ip.starts_with("169.254.") ||
         (ip.starts_with("fe") && ip.find(':') == 4 &&
          (ip[2] == '8' || ip[2] == '9' || ip[2] == 'a' || ip[2] == 'b'));
}

std::string as_long_as_taken(std::string text) {
  std::size_t characters = 0, end = 0;
  while (end < text.size() && characters < kMaxDescription) {
    end += std::max<std::size_t>(1, utf8_size(std::string_view(text).substr(end)));
    ++characters;
  }
  text.resize(std::min(end, text.size()));
  return text;
}

std::string described(const json::object& asset, const json::array& names) {
  std::string out = "MAC " + cell(find(asset, "mac"));
  const auto add = [&](const char* title, const json::value* value) {
    if (const std::string text = cell(value); text != "-") out += std::string("; ") + title + text;
  };
  add("", find(asset, "vendor"));
  add("VM ", find(asset, "vm"));
  add("VLAN ", find(asset, "vlans"));
  const json::value all = names;
  add("named ", &all);
  return as_long_as_taken(out);
}

}  // namespace

json::array host_names(const json::object& asset) {
  json::array out;
  const json::value* properties = find(asset, "properties");
  if (properties == nullptr || !properties->is_array()) return out;
  for (const json::value& property : properties->get_array()) {
    const json::object& one = property.as_object();
    const json::value* value = find(one, "value");
    if (cell(find(one, "attribute")) == "host_name" && cell(value) != "-" &&
        std::ranges::find(out, *value) == out.end())
      out.push_back(*value);
  }
  return out;
}

std::string netbox_csv(const json::array& assets) {
  std::string out = "address,status,dns_name,description\n";
  for (const json::value& row : assets) {
    const json::object& asset = row.as_object();
    const json::value* ips = find(asset, "ips");
    if (ips == nullptr || !ips->is_array()) continue;
    const json::array names = host_names(asset);
    const auto dns = std::ranges::find_if(
        names, [](const json::value& name) { return is_dns_name(cell(&name)); });
    const std::string rest = ",active," + (dns == names.end() ? "" : cell(&*dns)) + "," +
                             csv_field(described(asset, names)) + "\n";
    for (const json::value& ip : ips->get_array()) {
      const std::string address = cell(&ip);
      if (is_link_local(address)) continue;
      out += address + (address.find(':') == address.npos ? "/32" : "/128") + rest;
    }
  }
  return out;
}

}  // namespace vmirror
