// For each kind of finding that a capture can trip, one that trips it, and one, "_near", that
// nearly does. The learning time is kFindingsLearn: the first frames are what was seen before.
#include <algorithm>

#include "tests/golden/captures.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::test {
namespace {

/// A machine of 10.0.0.0/24.
struct Host {
  explicit Host(int number)
      : mac(Mac{{0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(number)}}),
        ip(test::ip("10.0.0." + std::to_string(number))) {}
  Mac mac;
  IpAddress ip;
};
const Host kA(1), kB(2), kC(3), kGateway(254);

Ends between(const Host& from, const Host& to, std::uint16_t port = 9) {
  Ends ends;
  ends.source_mac = from.mac;
  ends.source = from.ip;
  ends.destination_mac = to.mac;
  ends.destination = to.ip;
  ends.destination_port = port;
  return ends;
}

/// `host` says to `to` that it has `address`.
Buffer claim(const Host& host, const IpAddress& address, const Host& to) {
  Ends ends = between(host, to);
  ends.source = address;
  return arp_frame(ends, 2);
}

/// Frames until the learning time is over: A and B are known.
void learn(Story& story) {
  for (int i = 0; i < 5; ++i) story.add(udp_frame(between(kA, kB))).add(udp_frame(between(kB, kA)));
}

/// `bytes` with every `from` in it as `to`.
Buffer changed(Buffer bytes, std::string_view from, std::string_view to) {
  const Buffer a = hex(from), b = hex(to);
  for (auto at = bytes.begin();;) {
    at = std::search(at, bytes.end(), a.begin(), a.end());
    if (at == bytes.end()) return bytes;
    std::copy(b.begin(), b.end(), at);
    at += static_cast<std::ptrdiff_t>(b.size());
  }
}

Capture new_device(bool near) {
  Story story;
  learn(story);
  if (near)  // Nobody has that MAC: it never sends.
    story.add(udp_frame(between(kA, kC)));
  else
    story.add(udp_frame(between(kC, kA)));
  story.add(udp_frame(between(kB, kA)));
  return story.named(near ? "finding_new_device_near" : "finding_new_device");
}

/// An address that goes to another machine and back is a failover.
Capture ip_conflict(bool near) {
  Story story;
  for (int i = 0; i < (near ? 3 : 6); ++i)
    story.add(claim(i % 2 == 0 ? kA : kB, ip("10.0.0.50"), kGateway));
  return story.named(near ? "finding_ip_conflict_near" : "finding_ip_conflict");
}

/// C stands between A and the gateway. Near: two NICs of one machine both answer for its addresses,
/// which is a conflict, and no theft.
Capture arp_spoofing(bool near) {
  Story story;
  for (int i = 0; i < 4; ++i) {
    if (near) {
      for (const Host& nic : {kA, kB})
        for (const Host& address : {kA, kB}) story.add(claim(nic, address.ip, kGateway));
      continue;
    }
    story.add(claim(kGateway, kGateway.ip, kA)).add(claim(kA, kA.ip, kGateway));
    story.add(claim(kC, kGateway.ip, kA)).add(claim(kC, kA.ip, kGateway));
  }
  return story.named(near ? "finding_arp_spoofing_near" : "finding_arp_spoofing");
}

Buffer lease(const Host& server, const Buffer& message) {
  Ends ends = between(server, kA, 68);
  ends.source_port = 67;
  return udp_frame(ends, message);
}

/// Near: the server that was seen before, and one of PXE, which gives no addresses.
Capture rogue_dhcp_server(bool near) {
  const Buffer& ack = payload("dhcp", "ack");
  const Buffer other = changed(ack, "36 04 0a0000fe", "36 04 0a000003");
  Story story;
  story.add(lease(kGateway, ack));
  learn(story);
  if (near) {
    Buffer pxe = other;
    std::fill_n(pxe.begin() + 16, 4, std::uint8_t{0});
    story.add(lease(kGateway, ack)).add(lease(kC, pxe));
  } else {
    story.add(lease(kC, other)).add(lease(kC, other));
  }
  return story.named(near ? "finding_rogue_dhcp_server_near" : "finding_rogue_dhcp_server");
}

/// One S7 message from A to B.
Capture s7(const char* name, const Buffer& message) {
  Story story;
  Connection connection(story, between(kA, kB, 102));
  connection.up(payload("cotp", "connect request"));
  connection.down(payload("cotp", "connect confirm"));
  Buffer tpkt = concat({hex("03 00 00 00 02 f0 80"), message});
  store_be16(&tpkt[2], static_cast<std::uint16_t>(tpkt.size()));
  connection.up(tpkt);
  connection.close();
  return story.named(name);
}

/// A write, or another message, from a master to B.
void say(Story& story, const Host& master, std::uint16_t port, const Buffer& message) {
  Connection connection(story, between(master, kB, port));
  connection.up(message);
  connection.close();
}

Capture new_master(bool near) {
  const Buffer& write = payload("modbus", "write single coil");
  Story story;
  say(story, kA, 502, write);
  learn(story);
  say(story, kC, 502, near ? payload("modbus", "read holding registers") : write);
  say(story, kA, 502, write);
  return story.named(near ? "finding_new_master_near" : "finding_new_master");
}

Capture time_change(bool near) {
  const Buffer& clock = payload("iec104", "set the clock");
  Story story;
  say(story, kA, 2404, clock);
  learn(story);
  say(story, near ? kA : kC, 2404, clock);
  return story.named(near ? "finding_time_change_near" : "finding_time_change");
}

/// Near: a ticket by AES, and a password in clear to a directory that is no domain controller.
Capture weak_dc_authentication(bool near) {
  constexpr const char *kAes = "a32e 302c a003 0201 12", *kRc4 = "a32e 302c a003 0201 17";
  const Ends client = between(kA, kB, 88);
  const Buffer& reply = payload("krb5", "as reply");
  Story story;
  story.add(udp_frame(client, payload("krb5", "as request")));
  story.add(udp_frame(client.reversed(), near ? reply : changed(reply, kAes, kRc4)));
  Connection directory(story, between(kA, near ? kC : kB, 389));
  directory.up(payload("ldap", "simple bind"));
  directory.close();
  return story.named(near ? "finding_weak_dc_authentication_near"
                          : "finding_weak_dc_authentication");
}

/// Near: fewer, and errors that are steps of a logon.
Capture refused_logons(bool near) {
  const Ends server = between(kA, kB, 88).reversed();
  const Buffer& step = payload("krb5", "pre-authentication required");
  const Buffer refused = changed(step, "a603 0201 19", "a603 0201 18");
  Story story;
  story.add(udp_frame(server.reversed(), payload("krb5", "as request")));
  for (int i = 0; i < (near ? 19 : 22); ++i)
    story.add(udp_frame(server, refused)).add(udp_frame(server, step));
  return story.named(near ? "finding_refused_logons_near" : "finding_refused_logons");
}

}  // namespace

std::vector<Capture> finding_captures() {
  std::vector<Capture> out = {s7("finding_controller_stop", payload("s7comm", "stop")),
                              s7("finding_controller_stop_near", payload("s7comm", "start")),
                              s7("finding_program_download", payload("s7comm", "request download")),
                              s7("finding_program_download_near", payload("s7comm", "write"))};
  for (const auto& make : {new_device, ip_conflict, arp_spoofing, rogue_dhcp_server, new_master,
                           time_change, weak_dc_authentication, refused_logons})
    for (const bool near : {false, true}) out.push_back(make(near));
  return out;
}

}  // namespace vmirror::test
