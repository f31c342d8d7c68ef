#include "agent/control/store/schema.hpp"

namespace vmirror::store {

ovsdb::Schema schema() {
  using ovsdb::Column;
  using ovsdb::Type;
  const auto text = [](const char* name) { return Column::one(name, Type::string); };
  return {
      "vmirror",
      {{"Cluster", true, {Column::one("generation", Type::integer)}},
       {"Policy",
        true,
        {text("name"), text("yaml"), Column::one("generation", Type::integer), text("set_by"),
         text("set_at")},
        true},
       {"Host",
        true,
        {text("name"), text("kind"), text("switch_version"), text("version"),
         Column::set("capabilities", Type::string), Column::one("generation", Type::integer),
         Column::map("refused"), Column::optional("fault", Type::string)},
        true},
       {"Session",
        true,
        {text("name"), text("host"), Column::set("policies", Type::string), text("vm"), text("mac"),
         text("switch"), text("port"), text("target"), text("state"), text("proof"),
         Column::one("in_place", Type::boolean), text("reason"), text("since")}}}};
}

}  // namespace vmirror::store
