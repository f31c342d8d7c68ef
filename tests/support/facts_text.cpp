#include "tests/support/facts_text.hpp"

#include <sstream>

namespace vmirror::test {
namespace {

std::string hex_of(std::string_view bytes, const char* before) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto v = static_cast<std::uint8_t>(c);
    out.append(before);
    out.push_back(kDigits[v >> 4]);
    out.push_back(kDigits[v & 15]);
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (c < ' ' || c > '~')
      out += hex_of({&c, 1}, "\\x");
    else
      out.push_back(c);
  }
  return out + "\"";
}

/// " modbus_unit 7"
std::string station_text(const Station& station) {
  return station.kind == Station::Kind::none ? "" : " " + to_text(station);
}

}  // namespace

std::string value_text(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.number ? "true" : "false";
    case Value::Kind::number:
      return std::to_string(value.number);
    case Value::Kind::signed_number:
      return std::to_string(value.signed_number);
    case Value::Kind::real: {
      std::ostringstream out;
      out << value.real;
      return out.str();
    }
    case Value::Kind::text:
      return quoted(value.text);
    case Value::Kind::bytes:
      return "<" + hex_of(value.text, "") + ">";
    case Value::Kind::mac:
      return value.mac().text();
    case Value::Kind::ip:
      return value.ip().text();
  }
  return "?";
}

std::string record_text(const Facts& facts, const Record& record) {
  std::string out = std::string(record.protocol) + " {";
  std::string closers = "}";
  bool first = true;
  for (const Field& field : facts.fields(record)) {
    if (field.shape == Field::Shape::close) {
      out.push_back(closers.back());
      closers.pop_back();
      first = false;
      continue;
    }
    if (!first) out += ", ";
    first = field.shape != Field::Shape::leaf;
    if (*field.name) out += std::string(field.name) + ": ";
    if (field.shape == Field::Shape::leaf) {
      out += value_text(field.value);
    } else {
      const bool object = field.shape == Field::Shape::open_object;
      out.push_back(object ? '{' : '[');
      closers.push_back(object ? '}' : ']');
    }
  }
  while (!closers.empty()) {
    out.push_back(closers.back());
    closers.pop_back();
  }
  return out;
}

/// Who acts, or on whom: by IP address, below IP by MAC.
std::string end_text(const Subject& subject) {
  const std::string who = subject.ip.empty() ? subject.mac.text() : subject.ip.text();
  return who + station_text(subject.station);
}

std::string facts_text(const Facts& facts) {
  std::string out;
  for (const Record& record : facts.records()) out += record_text(facts, record) + "\n";
  for (const Fact& fact : facts.facts()) {
    out += "fact";
    if (!fact.subject.mac.is_zero()) out += " " + fact.subject.mac.text();
    if (!fact.subject.ip.empty()) out += " " + fact.subject.ip.text();
    out += station_text(fact.subject.station);
    out += std::string(" ") + to_text(fact.attribute) + " = " + value_text(fact.value) + " (" +
           fact.source + (fact.confidence == Confidence::stated ? "" : ", ") +
           (fact.confidence == Confidence::stated ? "" : to_text(fact.confidence)) + ")\n";
  }
  for (const Act& act : facts.acts())
    out += "act " + end_text(act.by) + " " + to_text(act.kind) + " " + end_text(act.on) + " (" +
           act.source + ")\n";
  for (const ClockReading& clock : facts.clocks())
    out += "clock " + end_text(clock.of) + " " +
           (clock.refused_by.ip.empty() ? format_time(clock.shows)
                                        : "refused by " + end_text(clock.refused_by)) +
           " (" + clock.source + ")\n";
  return out;
}

}  // namespace vmirror::test
