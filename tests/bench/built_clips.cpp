// Conversations as they are in a plant and an office, for machines that have no real captures.
#include "tests/bench/mixed_capture.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::bench {
namespace {

using test::Buffer;
using test::Ends;

Ends ends(unsigned host, bool ip6, std::uint16_t client_port, std::uint16_t server_port) {
  Ends e;
  e.source_mac = test::mac("52:54:00:00:00:01");
  e.source_mac.octets[5] = static_cast<std::uint8_t>(host);
  e.destination_mac.octets[5] = static_cast<std::uint8_t>(200 + host % 50);
  const std::string last = std::to_string(host + 1);
  e.source = test::ip(ip6 ? "fd00::1:" + last : "10.0.0." + last);
  e.destination = test::ip(ip6 ? "fd00::2:1" : "10.0.1.1");
  e.source_port = client_port;
  e.destination_port = server_port;
  return e;
}

/// Opens, asks and answers `rounds` times, closes. Answers longer than a segment come in several,
/// every second one acknowledged.
Clip tcp_session(const Ends& client, int rounds, Bytes question, std::size_t answer) {
  using namespace tcp_flag;
  const Ends server = client.reversed();
  std::uint32_t asked = 1000, answered = 5000;
  Clip clip = {test::tcp_frame(client, {asked++, 0, kSyn}),
               test::tcp_frame(server, {answered++, asked, kSyn | kAck}),
               test::tcp_frame(client, {asked, answered, kAck})};
  for (int round = 0; round < rounds; ++round) {
    clip.push_back(test::tcp_frame(client, {asked, answered, kAck | kPsh}, question));
    asked += static_cast<std::uint32_t>(question.size());
    for (std::size_t left = answer; left > 0;) {
      const std::size_t size = std::min<std::size_t>(left, 1448);
      clip.push_back(test::tcp_frame(server, {answered, asked, kAck}, test::counting(size)));
      answered += static_cast<std::uint32_t>(size);
      left -= size;
      if (left == 0 || left / 1448 % 2 == 0) {
        clip.push_back(test::tcp_frame(client, {asked, answered, kAck}));
      }
    }
  }
  clip.push_back(test::tcp_frame(client, {asked, answered, kFin | kAck}));
  clip.push_back(test::tcp_frame(server, {answered, asked + 1, kFin | kAck}));
  clip.push_back(test::tcp_frame(client, {asked + 1, answered + 1, kAck}));
  return clip;
}

Clip dns(const Ends& client) {
  const Buffer name = test::hex("03 777777 07 6578616d706c65 03 636f6d 00 0001 0001");
  const Buffer question = test::concat({test::hex("1234 0100 0001 0000 0000 0000"), name});
  const Buffer answer = test::concat({test::hex("1234 8180 0001 0001 0000 0000"), name,
                                      test::hex("c00c 0001 0001 0000012c 0004 c0000201")});
  return {test::udp_frame(client, question), test::udp_frame(client.reversed(), answer)};
}

Clip link_and_ping(const Ends& client) {
  Clip clip = {test::arp_frame(client, 1), test::arp_frame(client.reversed(), 2)};
  for (std::uint16_t i = 1; i <= 4; ++i) {
    clip.push_back(test::ping_frame(client, i));
    clip.push_back(test::ping_frame(client.reversed(), i, true));
  }
  return clip;
}

}  // namespace

std::vector<Clip> built_clips() {
  const Buffer http = test::text("GET / HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\n\r\n");
  const Buffer modbus = test::hex("0001 0000 0006 01 03 0000 000a");
  std::vector<Clip> clips;
  for (unsigned host = 0; host < 64; ++host) {
    const bool ip6 = host % 5 == 4;
    const auto port = static_cast<std::uint16_t>(32768 + 97 * host);
    Ends web = ends(host, ip6, port, 80);
    if (host % 4 == 1) web.tags = {{ethertype::kVlan, static_cast<std::uint16_t>(10 + host % 7)}};
    for (int i = 0; i < 4; ++i)
      clips.push_back(dns(ends(host, ip6, static_cast<std::uint16_t>(port + i), 53)));
    clips.push_back(link_and_ping(ends(host, false, 0, 0)));
    clips.push_back(tcp_session(web, 3, http, 900 + 700 * (host % 9)));
    clips.push_back(tcp_session(ends(host, ip6, port, 445), 20, test::counting(180), 260));
    clips.push_back(tcp_session(ends(host, false, port, 502), 40, modbus, 29));
    if (host % 16 == 0) clips.push_back(tcp_session(ends(host, ip6, port, 443), 2, http, 300'000));
  }
  return clips;
}

Clip bulk_clip(unsigned host, bool tls) {
  using namespace tcp_flag;
  constexpr int kRecords = 1000;
  const Ends client = ends(host, false, 40000, tls ? 443 : 9999);
  const Ends server = client.reversed();
  std::uint32_t asked = 1000, answered = 5000;
  const auto sent = [&](const Ends& by, std::uint32_t& own, std::uint32_t other, Buffer bytes) {
    if (!tls)
      for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(~byte);
    const Buffer frame = test::tcp_frame(by, {own, other, kAck | kPsh}, bytes);
    own += static_cast<std::uint32_t>(bytes.size());
    return frame;
  };
  Clip clip = {test::tcp_frame(client, {asked++, 0, kSyn}),
               test::tcp_frame(server, {answered++, asked, kSyn | kAck})};
  clip.push_back(sent(client, asked, answered, test::payload("tls", "client hello")));
  clip.push_back(sent(server, answered, asked, test::payload("tls", "server hello")));
  const Buffer record = test::concat({test::hex("17 0303 0578"), test::counting(1400)});
  for (int i = 0; i < kRecords; ++i) {
    clip.push_back(sent(server, answered, asked, record));
    if (i % 2 == 1) clip.push_back(test::tcp_frame(client, {asked, answered, kAck}));
  }
  return clip;
}

}  // namespace vmirror::bench
