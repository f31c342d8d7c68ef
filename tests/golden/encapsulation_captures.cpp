#include <string>

#include "tests/golden/captures.hpp"
#include "tests/support/encapsulate.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::test {
namespace {

constexpr std::uint16_t kErspan2 = 0x88be, kErspan3 = 0x22eb;

/// What the mirrors copy: a question and its answer.
Buffer question(std::vector<VlanTag> tags = {}) {
  Ends ends;
  ends.destination_port = 53;
  ends.tags = std::move(tags);
  return udp_frame(ends, payload("dns", "query"));
}
Buffer answer(std::vector<VlanTag> tags = {}) {
  Ends ends;
  ends.destination_port = 53;
  ends.tags = std::move(tags);
  return udp_frame(ends.reversed(), payload("dns", "answer"));
}
const std::vector<VlanTag> kTag7 = {{ethertype::kVlan, 0x6007}};  // Priority 3, VLAN 7.

Buffer gre_frame(const Gre& header, Bytes payload) {
  return outer_frame({}, ip_protocol::kGre, gre(header, payload));
}
Buffer sent2(std::uint32_t sequence, const Erspan2& header, Bytes frame, const Outer& outer = {}) {
  return outer_frame(outer, ip_protocol::kGre,
                     gre({.protocol = kErspan2, .sequence = sequence}, erspan2(header, frame)));
}
Buffer sent3(std::uint32_t sequence, const Erspan3& header, Bytes frame) {
  return gre_frame({.protocol = kErspan3, .sequence = sequence}, erspan3(header, frame));
}

/// Question and answer in each of these ways of wrapping.
Capture wrapped(std::string name, std::initializer_list<const char*> ways) {
  Story story;
  std::uint32_t sequence = 0;
  for (const char* way : ways) {
    story.add(wrapping(way).wrap(question(), sequence++));
    story.add(wrapping(way).wrap(answer(), sequence++));
  }
  return story.named(std::move(name));
}

/// The tag that the switch took out stands in the header; 802.1Q's and ISL's give it back.
Capture erspan2_vlan() {
  Story story;
  story.add(sent2(0, {.session = 5, .vlan = 7, .cos = 3, .en = 2}, question()));
  story.add(sent2(1, {.session = 5, .vlan = 7, .en = 1}, answer()));
  story.add(sent2(2, {.session = 5, .vlan = 7, .en = 3}, question(kTag7)));
  story.add(sent2(3, {.session = 5, .vlan = 7, .en = 0}, answer()));  // Its VLAN, never a tag.
  return story.named("erspan2_vlan");
}

/// Sequence numbers 0 1 . . 4 6 5 6 7: two lost, one late, one twice. Then the sender begins anew.
Capture erspan2_sequence() {
  Story story;
  bool asks = true;
  for (const std::uint32_t sequence : {0, 1, 4, 6, 5, 6, 7}) {
    story.add(sent2(sequence, {.session = 5}, asks ? question() : answer()));
    asks = !asks;
  }
  Outer other;  // Another sender's numbers are its own.
  other.source = ip("192.0.2.9");
  story.add(sent2(90, {.session = 5}, question(), other));
  story.add(sent2(92, {.session = 5}, answer(), other));
  for (const std::uint32_t sequence : {3'000'000'000, 3'000'000'001, 3'000'000'002})
    story.add(sent2(sequence, {.session = 5}, question()));
  return story.named("erspan2_sequence");
}

Capture erspan3() {
  Story story;
  story.add(sent3(0, {.session = 6, .timestamp = 1000, .sgt = 17}, question()));
  story.add(sent3(1, {.session = 6, .vlan = 7, .cos = 3, .egress = true}, answer()));
  story.add(sent3(2, {.session = 6, .bso = 2}, question()));  // Came with a bad CRC.
  for (const std::uint8_t platform : {1, 3, 5, 7}) {
    const Erspan3 header{.session = 6, .subheader = subheader(platform, 77, 0x11223344)};
    story.add(sent3(3u + platform, header, question()));
  }
  return story.named("erspan3");
}

/// Frame type 2: the mirror sends the IP packet alone. Other types are none of ours.
Capture erspan3_ip() {
  Story story;
  const Erspan3 header{.session = 6, .pdu = false, .frame = 2};
  story.add(sent3(0, header, ip_part(question())));
  story.add(sent3(1, header, ip_part(answer())));
  story.add(sent3(2, {.session = 6, .frame = 5}, counting(64)));
  return story.named("erspan3_ip");
}

/// Each mix of checksum, key and sequence; then what GRE carries besides, and a wrong checksum.
Capture gre_mixes() {
  Story story;
  std::uint32_t sequence = 10;
  for (const char* way :
       {"gre", "gre_c", "gre_k", "gre_ck", "gre_s", "gre_cs", "gre_ks", "gre_cks"}) {
    story.add(wrapping(way).wrap(sequence % 2 == 0 ? question() : answer(), sequence));
    ++sequence;
  }
  Buffer wrong = gre_frame({.checksum = true}, question());
  wrong.back() ^= 1;
  story.add(wrong);
  story.add(gre_frame({.protocol = ethertype::kIpv4}, ip_part(question())));  // A tunnel's.
  story.add(gre_frame({.protocol = 0x880b, .key = 9, .extra_flags = 1}, counting(20)));  // PPTP
  story.add(gre_frame({.extra_flags = 0x4000}, question()));  // RFC 1701's routing.
  return story.named("gre");
}

Capture rspan() {
  Story story;
  const VlanTag mirror{ethertype::kVlan, kRspanVlan};
  story.add(tagged(mirror, question())).add(tagged(mirror, answer()));
  story.add(tagged(mirror, question(kTag7))).add(tagged(mirror, answer(kTag7)));
  story.add(question({{ethertype::kVlan, 101}}));  // Another VLAN: a bare frame.
  return story.named("rspan");
}

/// Stacked tags: of a bare frame, of the outer packet, of the copy in it.
Capture qinq() {
  const std::vector<VlanTag> stack = {{ethertype::kProviderVlan, 0x2064 + 100},
                                      {ethertype::kVlan, 7}};
  Story story;
  story.add(question(stack)).add(answer(stack));
  Outer outer;
  outer.link.tags = {{ethertype::kProviderVlan, 300}, {ethertype::kVlan, 301}};
  story.add(sent2(0, {.session = 5, .en = 3}, question(stack), outer));
  story.add(sent2(1, {.session = 5, .en = 3}, answer(stack), outer));
  story.add(question({{ethertype::kOldProviderVlan, 1},
                      {ethertype::kVlan, 2},
                      {ethertype::kVlan, 3},
                      {ethertype::kVlan, 4},
                      {ethertype::kVlan, 5}}));  // One tag more than is read.
  return story.named("qinq");
}

/// Copies too long for the network between, joined again: in order, backwards, with one part twice,
/// and one whose last part never comes.
Capture outer_fragments(std::string name, const Outer& outer) {
  Story story;
  std::uint32_t n = 0;
  const auto parts = [&](Bytes frame) {
    const std::uint32_t sequence = n++;
    return fragments(sent2(sequence, {.session = 5}, frame, outer), 64, 100 + sequence);
  };
  story.add(parts(question()));
  const std::vector<Buffer> backwards = parts(answer());
  for (auto part = backwards.rbegin(); part != backwards.rend(); ++part) story.add(*part);
  std::vector<Buffer> again = parts(question());
  again.insert(again.begin() + 1, again.front());
  story.add(again);
  std::vector<Buffer> broken = parts(answer());
  broken.pop_back();
  story.add(broken);
  return story.named(std::move(name));
}

/// A mirror's copies carried through an overlay: the session is the mirror's. Five deep is too
/// deep.
Capture nested() {
  Story story;
  for (std::uint32_t n : {0, 1})
    story.add(wrapping("erspan2_in_vxlan").wrap(n == 0 ? question() : answer(), n));
  for (const char* way : {"geneve", "gre_k"}) {
    const Buffer copy = sent2(7, {.session = 8}, question());
    story.add(wrapping(way).wrap(copy, 0));
  }
  Buffer deep = question();
  for (const std::uint16_t session : {1, 2, 3, 4}) deep = sent2(9, {.session = session}, deep);
  story.add(deep);
  story.add(sent2(9, {.session = 5}, deep));
  return story.named("nested");
}

/// Copies that the mirror or the capture cut, and headers that make no sense.
Capture damaged() {
  Story story;
  const Buffer whole = question(), copy = sent2(0, {.session = 5}, whole);
  story.add_cut(answer(), 64);  // A snap length.
  story.add(sent2(1, {.session = 5, .truncated = true}, Bytes(answer()).first(64)));
  story.add_cut(whole, 13);         // Not even two MACs and a type.
  story.add_cut(copy, 34 + 6);      // Inside GRE.
  story.add_cut(copy, 34 + 8 + 4);  // Inside ERSPAN.
  story.add(gre_frame({.protocol = kErspan3, .sequence = 2}, erspan2({}, whole)));  // Not III.
  const auto broken = [&](std::size_t at, std::uint8_t value) {
    Buffer frame = whole;
    frame[at] = value;
    story.add(frame);
  };
  broken(14, 0x55);  // IP version 5
  broken(14, 0x44);  // A header of 16 bytes
  broken(17, 19);    // A total length of 19
  broken(39, 7);     // A UDP length of 7
  Buffer segment = tcp_frame({}, {}, counting(8));
  segment[46] = 0x40;  // A TCP header of 16 bytes
  story.add(segment);
  story.add(ethernet({}, ethertype::kVlan));  // A tag that isn't there
  story.add(whole);
  Capture capture = story.named("damaged");
  capture.file.resize(capture.file.size() - 10);  // The last record ends past the file.
  return capture;
}

}  // namespace

std::vector<Capture> encapsulation_captures() {
  Outer six;
  six.source = ip("2001:db8::1");
  six.destination = ip("2001:db8::2");
  return {wrapped("erspan1", {"erspan1"}),
          wrapped("erspan2", {"erspan2", "erspan2_ck", "erspan2_ipv4_options", "erspan2_ipv6"}),
          erspan2_vlan(),
          erspan2_sequence(),
          erspan3(),
          erspan3_ip(),
          gre_mixes(),
          wrapped("vxlan", {"vxlan", "vxlan_ipv6"}),
          wrapped("geneve", {"geneve", "geneve_options"}),
          rspan(),
          qinq(),
          outer_fragments("fragments_ipv4", {}),
          outer_fragments("fragments_ipv6", six),
          nested(),
          damaged()};
}

}  // namespace vmirror::test
