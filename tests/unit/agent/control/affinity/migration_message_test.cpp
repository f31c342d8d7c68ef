// What the agents tell each other, and what of it is refused.
#include "agent/control/affinity/migration_message.hpp"

#include <gtest/gtest.h>

#include "agent/control/affinity/record_json.hpp"

namespace vmirror {
namespace {

TEST(MigrationMessage, ComesOverAsItWas) {
  MigrationMessage message;
  message.asks = true;
  message.record.id = "u@1";
  message.record.vm_uuid = "u";
  message.record.destination.host = "hostb";
  message.record.destination.ended = 9;
  message.record.clock_offset = -5;
  message.interface_ids = {"nic-1", "nic-2"};
  const auto back = parse_migration_message(encode(message));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, message);
}

TEST(MigrationMessage, NicsAreBounded) {
  MigrationMessage message;
  message.record.id = "u@1";
  for (int i = 0; i < 100; ++i) message.interface_ids.push_back(std::to_string(i));
  EXPECT_EQ(parse_migration_message(encode(message))->interface_ids.size(), kMaxMessageNics);
}

TEST(MigrationMessage, RefusalsSayWhatIsWrong) {
  const std::string head = R"({"asks":false,"from_source":true)";
  const struct {
    std::string text, error;
  } table[] = {
      {"5", "migration message: no object"},
      {"{}", "migration message: `asks` or `from_source` is missing"},
      {R"({"asks":1,"from_source":true})", "migration message: `asks` or `from_source` is missing"},
      {head + "}", "migration message: `record` is missing"},
      {head + R"(,"interface_ids":5})", "migration message: `interface_ids` is no list"},
      {head + R"(,"interface_ids":[5]})", "migration message: `interface_ids` holds no text"},
      {head + R"(,"interface_ids":[")" + std::string(600, 'x') + R"("]})",
       "migration message: `interface_ids` holds no text"},
      {std::string(kMaxRecordJson + 1, ' '), "migration record: a record of 65537 bytes"},
  };
  for (const auto& row : table) {
    const auto message = parse_migration_message(row.text);
    ASSERT_FALSE(message) << row.text;
    EXPECT_EQ(message.error().text(), row.error) << row.text.substr(0, 80);
  }
}

}  // namespace
}  // namespace vmirror
