// Where an agent is, as text and back.
#include <charconv>

#include "agent/control/peers/peers.hpp"

namespace vmirror {

Result<PeerEndpoint> PeerEndpoint::parse(std::string_view text) {
  const auto wrong = [&] {
    return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no address and port", {},
                "write IP:PORT, or [IPv6]:PORT");
  };
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return wrong();
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return wrong();
  } else if (const std::size_t colon = text.find(':');
             colon != text.npos && text.find(':', colon + 1) == text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  PeerEndpoint out;
  const auto address = IpAddress::parse(host);
  if (!address || (text.starts_with('[') && address->version != 6)) return wrong();
  out.address = *address;
  if (!port.empty()) {
    port.remove_prefix(1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size()) return wrong();
  }
  return out;
}

std::string PeerEndpoint::text() const {
  const std::string port_text = ":" + std::to_string(port);
  return address.version == 6 ? "[" + address.text() + "]" + port_text : address.text() + port_text;
}

bool PeerEndpoint::is_loopback() const {
  return address.is_loopback();
}

}  // namespace vmirror
