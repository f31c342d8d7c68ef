// Fuzzes the JSON writer: any bytes, as any text of an event, make one line that Boost.JSON reads;
// text that was valid UTF-8 comes back as it was.
#include <boost/json.hpp>
#include <cstdlib>

#include "agent/engine/export/eve.hpp"
#include "agent/engine/export/json.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  namespace json = boost::json;
  const std::string_view text = as_text(bytes);
  std::string out;
  append_json_string(out, text);
  json::error_code error;
  const json::value back = json::parse(out, error);
  if (error || !back.is_string()) std::abort();
  // Only what isn't UTF-8 is changed: by `\xNN`, which makes the text longer.
  if (back.as_string().size() == text.size() && back.as_string() != text) std::abort();

  // The first byte's bits open and close objects and arrays, rightly or not.
  Facts facts;
  facts.record("fuzz");
  for (const std::uint8_t b : bytes.first(std::min<std::size_t>(bytes.size(), 500))) {
    switch (b & 3) {
      case 0:
        facts.open_object("o");
        break;
      case 1:
        facts.open_array("a");
        break;
      case 2:
        facts.close();
        break;
      default:
        facts.add("text", text);
        facts.add("bytes", bytes);
    }
  }
  EventHead head;
  head.in_iface = head.vm = head.app_proto = text.substr(0, 100);
  std::string line;
  append_record_event(line, head, facts.records()[0], facts.fields(facts.records()[0]));
  const json::value event = json::parse(line, error);
  if (error || !event.is_object() || line.find('\n') != line.size() - 1) std::abort();
}

VMIRROR_SEEDS() {
  using vmirror::test::hex;
  return {{},
          vmirror::test::text("plain \"quoted\" \\ \n \x01 \x7f"),
          hex("c3a4 e5b7a5 f09f9880"),
          hex("c0af e08080 eda080 f4908080 fe ff 80"),
          hex("00 01 03 02 02 02 00 00 00 03")};
}
