// `vmirror dissect`: every frame of a capture file, with what was taken off it and what its
// messages say.
#include <boost/json.hpp>

#include "agent/cli/analyze_options.hpp"
#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"
#include "agent/engine/export/json.hpp"
#include "agent/engine/wire/tags.hpp"
#include "agent/engine/worker/analyze.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

json::value to_json(const Value& value) {
  switch (value.kind) {
    case Value::Kind::boolean:
      return value.number != 0;
    case Value::Kind::number:
      return value.number;
    case Value::Kind::signed_number:
      return value.signed_number;
    case Value::Kind::real:
      return value.real;
    case Value::Kind::mac:
      return json::string(value.mac().text());
    case Value::Kind::ip:
      return json::string(value.ip().text());
    case Value::Kind::text: {
      // Through the EVE writer, which makes any bytes valid UTF-8.
      std::string quoted;
      append_json_string(quoted, value.text);
      return json::parse(quoted);
    }
    case Value::Kind::bytes:
      break;
  }
  std::string hex;
  for (const char c : value.text) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[c & 15];
  }
  return json::string(hex);
}

/// The fields from `at` on up to the end of what is open there, as an object or an array.
json::value tree(std::span<const Field> fields, std::size_t& at, bool array) {
  json::object object;
  json::array elements;
  while (at < fields.size()) {
    const Field& field = fields[at++];
    if (field.shape == Field::Shape::close) break;
    json::value value = field.shape == Field::Shape::leaf
                            ? to_json(field.value)
                            : tree(fields, at, field.shape == Field::Shape::open_array);
    if (array)
      elements.push_back(std::move(value));
    else
      object[field.name] = std::move(value);
  }
  return array ? json::value(std::move(elements)) : json::value(std::move(object));
}

json::object origin_json(const Origin& o) {
  json::object out{{"encapsulation", to_text(o.encapsulation)}, {"depth", o.depth}};
  if (o.has_session) out["session"] = o.session;
  if (!o.sender.empty()) out["sender"] = o.sender.text();
  if (o.direction != Direction::none) out["direction"] = to_text(o.direction);
  if (o.truncated) out["truncated"] = true;
  if (o.port_index != 0) out["port_index"] = o.port_index;
  if (o.hardware_time != 0) {
    out["hardware_time"] = o.hardware_time;
    out["granularity"] = granularity_text(o.granularity);
  }
  return out;
}

json::array tags_json(const Frame& frame) {
  json::array out;
  const SkippedTags tags = skipped_tags(frame.bytes, frame.link);
  for (std::size_t i = 0; i < tags.count; ++i)
    out.push_back({{"tag", to_text(tags.tags[i].kind)}, {"value", tags.tags[i].value}});
  return out;
}

bool has_ports(const Packet& p) {
  return p.ip_version != 0 && (p.protocol == ip_protocol::kTcp || p.protocol == ip_protocol::kUdp ||
                               p.protocol == ip_protocol::kSctp);
}

/// Prints what the pipeline shows of each frame.
class Printer final : public FrameObserver {
 public:
  /// `only_records`: frames that say nothing of the selected protocols are left out.
  Printer(const CommandContext& context, bool only_records)
      : context_(context), only_records_(only_records) {}

  void analysed(const Frame& frame, const Packet& packet, const Origin& origin,
                std::uint64_t flow_id, const Facts* facts) override {
    if (only_records_ && (facts == nullptr || facts->records().empty())) return;
    json::array records;
    if (facts != nullptr)
      for (const Record& record : facts->records()) {
        std::size_t at = 0;
        records.push_back(json::object{{record.protocol, tree(facts->fields(record), at, false)}});
      }
    if (context_.json)
      print_json_line(frame, packet, origin, flow_id, std::move(records));
    else
      print_text(frame, packet, origin, records);
  }

 private:
  static std::string endpoint(const Packet& p, Bytes bytes, bool source) {
    if (p.ip_version == 0) {
      const Mac mac = source ? p.sender_mac(bytes) : p.has_macs ? p.destination_mac(bytes) : Mac{};
      return mac.is_zero() ? "?" : mac.text();
    }
    std::string out = (source ? p.source_ip(bytes) : p.destination_ip(bytes)).text();
    if (!has_ports(p)) return out;
    if (p.ip_version == 6) out = "[" + out + "]";
    return out + ":" + std::to_string(source ? p.source_port : p.destination_port);
  }

  void print_json_line(const Frame& frame, const Packet& p, const Origin& origin,
                       std::uint64_t flow_id, json::array records) {
    json::object line{{"frame", frame.number},
                      {"time", format_time(frame.time)},
                      {"bytes", frame.wire_size},
                      {"captured", frame.bytes.size()},
                      {"flow_id", flow_id},
                      {"source", endpoint(p, frame.bytes, true)},
                      {"destination", endpoint(p, frame.bytes, false)},
                      {"ethertype", p.ethertype}};
    if (const unsigned ns = nanoseconds_of(frame.time); ns != 0) line["nanoseconds"] = ns;
    if (p.ip_version != 0) line["protocol"] = p.protocol;
    json::array vlans;
    for (int i = 0; i < p.tag_count; ++i) vlans.emplace_back(p.tags[i].id());
    if (!vlans.empty()) line["vlans"] = std::move(vlans);
    if (p.skipped_tags > 0) line["tags"] = tags_json(frame);
    if (origin.depth > 0) line["origin"] = origin_json(origin);
    if (p.error != HeaderError::none) line["error"] = to_text(p.error);
    if (!records.empty()) line["records"] = std::move(records);
    print_json(context_, line);
  }

  void print_text(const Frame& frame, const Packet& p, const Origin& origin,
                  const json::array& records) {
    std::ostream& out = context_.out;
    out << frame.number << "  " << format_time(frame.time) << "  " << endpoint(p, frame.bytes, true)
        << " > " << endpoint(p, frame.bytes, false) << "  " << frame.wire_size << " bytes";
    for (int i = 0; i < p.tag_count; ++i) out << "  vlan " << p.tags[i].id();
    if (p.skipped_tags > 0)
      for (const json::value& tag : tags_json(frame))
        out << "  " << tag.at("tag").as_string().c_str() << " " << tag.at("value");
    if (is_cut(frame)) out << "  captured " << frame.bytes.size();
    if (p.error != HeaderError::none) out << "  " << to_text(p.error);
    out << "\n";
    if (origin.depth > 0) out << "    out of " << json::serialize(origin_json(origin)) << "\n";
    for (const json::value& record : records)
      for (const auto& [protocol, fields] : record.get_object())
        out << "    " << protocol << " " << json::serialize(fields) << "\n";
  }

  const CommandContext& context_;
  bool only_records_;
};

}  // namespace

void add_dissect(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* command = app.add_subcommand(
      "dissect", "Show each frame of capture files: its encapsulation and its protocol's records");
  auto arguments = std::make_shared<AnalyzeArguments>();
  add_analyze_options(*command, *arguments);
  command->add_flag("--json", context.json, "Print one JSON object for each frame");
  command->footer(
      "With --protocols, only the frames that have a record of one of them are shown.\n"
      "Example: vmirror dissect --protocols dns --filter 'net 10.0.0.0/8' --json mirror.pcap");
  command->callback([&, arguments] {
    auto options = pipeline_options(*arguments);
    if (!options) {
      exit = report(context, options.error());
      return;
    }
    const bool some = arguments->protocols != "all" && arguments->protocols != "none";
    Printer printer(context, some);
    options->observer = &printer;
    const auto analysed = analyze_arguments(*arguments, std::move(*options));
    if (!analysed) {
      exit = report(context, analysed.error());
      return;
    }
    // Frames that are in no line: why, where a person looks.
    for (std::size_t i = 0; i < kDropKinds; ++i)
      if (const std::uint64_t n = analysed->snapshot.frames().dropped[i])
        context.err << count(n, "frame") << " not shown: " << to_text(static_cast<Drop>(i)) << "\n";
    const std::optional<Error>& broken = analysed->snapshot.inputs.front().error;
    exit = broken ? report(context, *broken) : kOk;
  });
}

}  // namespace vmirror
