// JSON text: what becomes of any bytes, and where the commas go.
#include "agent/engine/export/json.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <random>

namespace vmirror {
namespace {

struct StringCase {
  const char* name;
  std::string_view text;
  const char* json;
};

TEST(JsonString, Table) {
  using namespace std::string_view_literals;
  const StringCase cases[] = {
      {"empty", "", R"("")"},
      {"plain", "web-1", R"("web-1")"},
      {"quote and backslash", R"(a"b\c)", R"("a\"b\\c")"},
      {"slash stays", "a/b", R"("a/b")"},
      {"line ends and tab", "a\r\n\tb", R"("a\r\n\tb")"},
      {"other controls", "\0\x01\x1f"sv, R"("\u0000\u0001\u001f")"},
      {"delete is no control of JSON", "\x7f", "\"\x7f\""},
      {"UTF-8 stays", "Gerät 工 😀", "\"Gerät 工 😀\""},
      {"last code point", "\xf4\x8f\xbf\xbf", "\"\xf4\x8f\xbf\xbf\""},
      {"a byte of Latin-1", "Ger\xe4t", R"("Ger\\xe4t")"},
      {"a lone continuation", "a\x80z", R"("a\\x80z")"},
      {"an overlong slash", "\xc0\xaf", R"("\\xc0\\xaf")"},
      {"an overlong of three", "\xe0\x80\xaf", R"("\\xe0\\x80\\xaf")"},
      {"a surrogate", "\xed\xa0\x80", R"("\\xed\\xa0\\x80")"},
      {"past U+10FFFF", "\xf4\x90\x80\x80", R"("\\xf4\\x90\\x80\\x80")"},
      {"a sequence cut off", "a\xe5\xb7", R"("a\\xe5\\xb7")"},
      {"cut off by a quote", "\xe5\"", R"("\\xe5\"")"},
      {"never in UTF-8", "\xfe\xff", R"("\\xfe\\xff")"},
  };
  for (const StringCase& c : cases) {
    SCOPED_TRACE(c.name);
    std::string out;
    append_json_string(out, c.text);
    EXPECT_EQ(out, c.json);
    boost::json::error_code error;
    EXPECT_TRUE(boost::json::parse(out, error).is_string());
    EXPECT_FALSE(error);
  }
}

TEST(JsonString, EveryByteAtEveryPlaceOfAWord) {
  for (int byte = 0; byte < 256; ++byte)
    for (std::size_t place = 0; place < 17; ++place) {
      std::string text(17, 'x');
      text[place] = static_cast<char>(byte);
      std::string alone, out;
      append_json_string(alone, std::string_view(text).substr(place, 1));
      append_json_string(out, text);
      const std::string middle = alone.substr(1, alone.size() - 2);
      ASSERT_EQ(out, '"' + std::string(place, 'x') + middle + std::string(16 - place, 'x') + '"');
    }
}

TEST(Json, PutsCommasAndNestsValues) {
  std::string out;
  Json json(out);
  json.open_object();
  json.field("no", false);
  json.field("max", std::numeric_limits<std::uint64_t>::max());
  json.field("min", std::numeric_limits<std::int64_t>::min());
  json.field("half", 0.5);
  json.field("nan", std::numeric_limits<double>::quiet_NaN());
  json.field("mac", Mac{{0x52, 0x54, 0, 0x0a, 0xb0, 1}});
  json.field("v4", *IpAddress::parse("192.0.2.255"));
  json.field("v6", *IpAddress::parse("2001:db8::1"));
  json.field("none", IpAddress{});
  json.hex("raw", std::string_view("\x00\xff", 2));
  json.open_array("list");
  json.value(1);
  json.open_object();
  json.close();
  json.open_object();
  json.field("a", "b");
  json.close();
  json.value("end");
  json.close();
  json.time("at", 1'767'323'045'678'901'999);
  json.close();
  json.close();  // Nothing is open: nothing happens.
  EXPECT_EQ(out, R"({"no":false,"max":18446744073709551615,"min":-9223372036854775808,"half":0.5,)"
                 R"("nan":null,"mac":"52:54:00:0a:b0:01","v4":"192.0.2.255","v6":"2001:db8::1",)"
                 R"("none":null,"raw":"00ff","list":[1,{},{"a":"b"},"end"],)"
                 R"("at":"2026-01-02T03:04:05.678901+0000"})");
}

TEST(Json, LeavesOutWhatIsTooDeepAndStaysValid) {
  std::string out;
  Json json(out);
  for (int i = 0; i < 100; ++i) json.open_array();
  json.value(1);
  json.close_to(1);
  json.value(2);
  json.close_to(0);
  std::string expected = std::string(Json::kMaxDepth, '[') + std::string(Json::kMaxDepth - 1, ']');
  EXPECT_EQ(out, expected + ",2]");
}

// As the C library writes them, which knows two ways to end in IPv4.
TEST(Json, WritesIpv6AsTheCLibraryDoes) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    IpAddress ip;
    ip.version = 6;
    for (std::size_t at = 0; at < 16; ++at)
      ip.octets[at] = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    if (i % 5 == 0) std::fill_n(ip.octets.begin(), 10 + i / 5 % 3, std::uint8_t{0});
    if (i % 10 == 0) ip.octets[10] = ip.octets[11] = 0xff;
    char expected[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, ip.octets.data(), expected, sizeof expected);
    std::string out;
    Json(out).value(ip);
    ASSERT_EQ(out, '"' + std::string(expected) + '"');
  }
}

TEST(Json, TextsAndNamesOfAnyLengthPassThroughTheBlock) {
  for (const std::size_t size : {4000, 4080, 4095, 4096, 4097, 9000}) {
    const std::string text(size, 'x');
    std::string out;
    {
      Json json(out);
      json.open_object();
      json.field(JsonName::any(text + "\n"), text);
      json.hex("raw", text);
      for (int i = 0; i < 300; ++i) json.field("number", std::uint64_t{i % 2 == 0 ? 7u : 1u << 31});
    }
    std::string expected = "{\"" + text + "\\n\":\"" + text + "\",\"raw\":\"";
    for (std::size_t i = 0; i < size; ++i) expected += "78";
    expected += '"';
    for (int i = 0; i < 300; ++i)
      expected += i % 2 == 0 ? ",\"number\":7" : ",\"number\":2147483648";
    ASSERT_EQ(out, expected) << size;
  }
}

struct TimeCase {
  Time time;
  const char* text;
};

TEST(EveTime, Table) {
  const TimeCase cases[] = {
      {0, "1970-01-01T00:00:00.000000+0000"},
      {999, "1970-01-01T00:00:00.000000+0000"},
      {1'000, "1970-01-01T00:00:00.000001+0000"},
      {-1, "1969-12-31T23:59:59.999999+0000"},
      {951'782'400 * kSecond, "2000-02-29T00:00:00.000000+0000"},
      {4'102'444'799 * kSecond + 123'456'789, "2099-12-31T23:59:59.123456+0000"},
  };
  for (const TimeCase& c : cases) {
    std::string out;
    Json json(out);
    json.open_object();
    json.time("at", c.time);
    json.close();
    EXPECT_EQ(out, R"({"at":")" + std::string(c.text) + "\"}");
  }
}

}  // namespace
}  // namespace vmirror
