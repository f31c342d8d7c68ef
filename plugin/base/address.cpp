#include "plugin/base/address.hpp"

#include <arpa/inet.h>

#include <cstdio>

namespace vmirror {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<Mac> Mac::parse(std::string_view text) {
  Mac mac;
  bool good = text.size() == 17;
  for (std::size_t i = 0; good && i < 6; ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    good = high >= 0 && low >= 0 && (i == 5 || text[i * 3 + 2] == ':' || text[i * 3 + 2] == '-');
    mac.octets[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if (!good)
    return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no MAC address", {},
                "write it as 52:54:00:12:34:56");
  return mac;
}

std::string Mac::text() const {
  char out[18];
  std::snprintf(out, sizeof out, "%02x:%02x:%02x:%02x:%02x:%02x", octets[0], octets[1], octets[2],
                octets[3], octets[4], octets[5]);
  return out;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  IpAddress a;
  if (inet_pton(AF_INET, copy.c_str(), a.octets.data()) == 1) {
    a.version = 4;
  } else if (inet_pton(AF_INET6, copy.c_str(), a.octets.data()) == 1) {
    a.version = 6;
  } else {
    return fail(Error::Kind::invalid, "`" + copy + "` is no IP address", {},
                "write it as 192.0.2.1 or 2001:db8::1");
  }
  return a;
}

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN] = "";
  if (version != 0) inet_ntop(version == 4 ? AF_INET : AF_INET6, octets.data(), out, sizeof out);
  return out;
}

}  // namespace vmirror
