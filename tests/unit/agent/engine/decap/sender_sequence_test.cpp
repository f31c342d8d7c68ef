// Whether a sender numbers each session or all of them, and what is lost by the one that it is.
#include "agent/engine/decap/sender_sequence.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "agent/engine/decap/decap.hpp"
#include "tests/support/encapsulate.hpp"

namespace vmirror {
namespace {

using namespace test;

/// One copy: whose, and its number.
struct Copy {
  int session;
  std::uint32_t number;
  const char* sender = "192.0.2.1";
  bool gre = false;
  int version = 2;
};
using Copies = std::vector<Copy>;

Copies operator+(Copies a, const Copies& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// `n` copies of the sessions in turn, `burst` of each, numbered from `first` together.
Copies together(std::vector<int> sessions, std::uint32_t first, std::uint32_t n,
                std::uint32_t burst = 1) {
  Copies out;
  for (std::uint32_t i = 0; i < n; ++i)
    out.push_back({sessions[i / burst % sessions.size()], first + i});
  return out;
}

/// The same, each session numbered by itself: the nth from first[n].
Copies apart(std::vector<std::uint32_t> first, std::uint32_t n, std::uint32_t burst = 1) {
  Copies out;
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::size_t s = i / burst % first.size();
    out.push_back({static_cast<int>(s + 1), first[s]++});
  }
  return out;
}

Copies without(Copies copies, const std::function<bool(std::size_t)>& lost) {
  Copies out;
  for (std::size_t i = 0; i < copies.size(); ++i)
    if (!lost(i)) out.push_back(copies[i]);
  return out;
}

/// Each pair of copies swapped with the next, every `every`th time.
Copies swapped(Copies copies, std::size_t every) {
  for (std::size_t i = every; i + 1 < copies.size(); i += every)
    std::swap(copies[i], copies[i + 1]);
  return copies;
}

const Buffer kCopied = udp_frame({}, counting(60));

Buffer wrap(const Copy& c) {
  Outer outer;
  outer.source = ip(c.sender);
  const auto session = static_cast<std::uint16_t>(c.session);
  Gre header{.protocol = 0x88be, .sequence = c.number};
  Buffer payload = erspan2({.session = session}, kCopied);
  if (c.version == 3) {
    header.protocol = 0x22eb;
    payload = erspan3({.session = session}, kCopied);
  }
  if (c.gre) {
    header.protocol = 0x6558;
    header.key = session;
    payload = kCopied;
  }
  return outer_frame(outer, ip_protocol::kGre, gre(header, payload));
}

Decapsulator taken(const Copies& copies) {
  Decapsulator decap{{.accept_bare = false}};
  Time time = 0;
  for (const Copy& c : copies) {
    const Buffer bytes = wrap(c);
    const Frame frame = frame_of(bytes, ++time);
    decap.take(frame, parse_packet(frame.bytes, frame.link));
  }
  return decap;
}

/// "1 per session lost 2; ...": what is shown.
std::string shown(const Decapsulator& decap) {
  std::string out;
  const auto add = [&](const std::string& who, SequenceRule rule, SequenceRule here,
                       const SequenceWindow::Counts& c) {
    out += (out.empty() ? "" : "; ") + who + " " + to_text(rule);
    const auto some = [&](const char* what, std::uint64_t n) {
      if (rule == here && n > 0) out += std::string(" ") + what + " " + std::to_string(n);
    };
    some("lost", c.lost);
    some("late", c.reordered);
    some("twice", c.duplicate);
    some("anew", c.restarts);
  };
  for (const auto& s : decap.senders())
    add(s.sender.text(), s.rule, SequenceRule::sender, s.sequence);
  for (const auto& s : decap.sessions())
    if (s.rule != SequenceRule::sender)
      add(std::to_string(s.session), s.rule, SequenceRule::session, s.sequence);
  return out;
}

TEST(SenderSequence, TellsWhichRuleTheNumbersFollow) {
  const auto nth = [](std::size_t n) { return [n](std::size_t i) { return i % n == n / 2; }; };
  const Copies lone = together({1}, 0, 50);
  const struct {
    const char* name;
    Copies copies;
    const char* shown;
  } cases[] = {
      {"one session", lone, "1 per session"},
      {"one session, one lost", without(lone, nth(50)), "1 per session lost 1"},
      {"two, one sequence", together({1, 2}, 0, 100), "192.0.2.1 per sender"},
      {"two, in bursts", together({1, 2}, 0, 100, 10), "192.0.2.1 per sender"},
      {"three", together({1, 2, 3}, 7, 100), "192.0.2.1 per sender"},
      {"across wrap-around", together({1, 2}, 0xffffffd0, 100), "192.0.2.1 per sender"},
      {"one lost in ten", without(together({1, 2, 3}, 0, 200), nth(10)),
       "192.0.2.1 per sender lost 20"},
      {"pairs swapped", swapped(together({1, 2}, 0, 200), 9), "192.0.2.1 per sender late 22"},
      {"each twice",
       [] {
         Copies out;
         for (const Copy& c : together({1, 2}, 0, 50)) out.insert(out.end(), 2, c);
         return out;
       }(),
       "192.0.2.1 per sender twice 50"},
      {"a second joins late", together({1}, 0, 500) + together({1, 2}, 500, 4),
       "192.0.2.1 per sender"},
      {"a second of a single copy",
       together({1}, 0, 500) + Copies{{2, 500}} + together({1}, 501, 500), "192.0.2.1 per sender"},
      {"one is rare",
       together({1}, 0, 90) + Copies{{2, 90}} + together({1}, 91, 99) + Copies{{2, 190}} +
           together({1}, 191, 10),
       "192.0.2.1 per sender"},
      {"the switch starts again", together({1, 2}, 0, 40) + together({1, 2}, 0, 60),
       "192.0.2.1 per sender anew 1"},
      {"and again, later", together({1, 2}, 0, 4000) + together({2, 1}, 0, 60),
       "192.0.2.1 per sender anew 1"},
      {"a sequence each", apart({5, 900000}, 200),
       "192.0.2.1 per session; 1 per session; "
       "2 per session"},
      {"in bursts", apart({5, 900000}, 200, 7),
       "192.0.2.1 per session; 1 per session; "
       "2 per session"},
      {"each from 0, in step", apart({0, 0}, 200),
       "192.0.2.1 per session; 1 per session; "
       "2 per session"},
      {"each from 0, in step, one lost in twenty", without(apart({0, 0}, 400), nth(20)),
       "192.0.2.1 per session; 1 per session lost 20; 2 per session"},
      {"one ahead, in step", apart({1, 0}, 200),
       "192.0.2.1 per session; 1 per session; "
       "2 per session"},
      {"each lost on its own", without(apart({5, 900000}, 400), nth(21)),
       "192.0.2.1 per session; 1 per session lost 10; 2 per session lost 9"},
      {"a session of a sequence of its own, and one copy",
       together({1}, 0, 50) + Copies{{2, 7000}} + together({1}, 50, 50),
       "192.0.2.1 per session; 1 per session; "
       "2 per session"},
      {"not told yet", together({1}, 0, 50) + Copies{{2, 51}} + together({1}, 52, 50),
       "192.0.2.1 open; 1 open; 2 open"},
  };
  for (const auto& c : cases) EXPECT_EQ(shown(taken(c.copies)), c.shown) << c.name;
}

TEST(SenderSequence, IsOfOneAddressAndOfAllErspanOrAllGre) {
  Copies copies;
  for (std::uint32_t i = 0; i < 40; ++i) {
    copies.push_back({1, 2 * i, "192.0.2.1", false, 2});
    copies.push_back({2, 2 * i + 1, "192.0.2.1", false, 3});
    copies.push_back({1, 2 * i, "192.0.2.1", true});
    copies.push_back({2, 2 * i + 1, "192.0.2.1", true});
    copies.push_back({1, i, "192.0.2.2"});
  }
  EXPECT_EQ(shown(taken(copies)), "192.0.2.1 per sender; 192.0.2.1 per sender; 1 per session");
}

TEST(SenderSequence, OfHostsBehindOneAddressClaimsNoLoss) {
  // Each host one session: told apart. Each two, numbered together: neither rule fits.
  EXPECT_EQ(shown(taken(apart({100, 70000}, 300, 3))),
            "192.0.2.1 per session; 1 per session; 2 per session");
  Copies copies;
  for (std::uint32_t i = 0; i < 200; ++i) {
    copies.push_back({1 + static_cast<int>(i * 7 % 3 % 2), 100 + i});
    copies.push_back({3 + static_cast<int>(i * 5 % 3 % 2), 70000 + i});
  }
  EXPECT_EQ(shown(taken(copies)), "192.0.2.1 open; 1 open; 2 open; 3 open; 4 open");
}

TEST(SenderSequence, FollowsASenderThatChangesItsWay) {
  // Another switch has the address now.
  EXPECT_EQ(shown(taken(apart({5, 900000}, 400) + together({1, 2}, 40, 4000))),
            "192.0.2.1 per sender");
  EXPECT_EQ(shown(taken(together({1, 2}, 40, 400) + apart({5, 900000}, 8000))),
            "192.0.2.1 per session; 1 per session; 2 per session");
}

}  // namespace
}  // namespace vmirror
