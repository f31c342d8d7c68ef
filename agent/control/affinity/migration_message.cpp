#include "agent/control/affinity/migration_message.hpp"

#include <boost/json.hpp>

#include "agent/control/affinity/record_json.hpp"

namespace vmirror {

namespace json = boost::json;

std::string encode(const MigrationMessage& message) {
  json::array nics;
  for (const std::string& id : message.interface_ids)
    if (nics.size() < kMaxMessageNics) nics.emplace_back(id);
  return json::serialize(json::object{{"asks", message.asks},
                                      {"from_source", message.from_source},
                                      {"interface_ids", std::move(nics)},
                                      {"record", to_json(message.record)}});
}

Result<MigrationMessage> parse_migration_message(std::string_view text) {
  const auto wrong = [](const char* what) {
    return fail(Error::Kind::invalid, what, "migration message");
  };
  const auto value = parse_bounded(text);
  if (!value) return tl::unexpected(value.error());
  const json::object* object = value->if_object();
  if (object == nullptr) return wrong("no object");
  MigrationMessage message;
  for (const auto& [key, out] :
       {std::pair{"asks", &message.asks}, std::pair{"from_source", &message.from_source}}) {
    const json::value* flag = object->if_contains(key);
    if (flag == nullptr || !flag->is_bool()) return wrong("`asks` or `from_source` is missing");
    *out = flag->get_bool();
  }
  if (const json::value* nics = object->if_contains("interface_ids")) {
    if (!nics->is_array()) return wrong("`interface_ids` is no list");
    for (const json::value& id : nics->get_array()) {
      if (!id.is_string() || id.get_string().size() > kMaxRecordText)
        return wrong("`interface_ids` holds no text");
      if (message.interface_ids.size() < kMaxMessageNics)
        message.interface_ids.emplace_back(id.get_string());
    }
  }
  const json::value* inner = object->if_contains("record");
  if (inner == nullptr) return wrong("`record` is missing");
  auto record = record_from_json(*inner);
  if (!record) return tl::unexpected(record.error());
  message.record = std::move(*record);
  return message;
}

}  // namespace vmirror
