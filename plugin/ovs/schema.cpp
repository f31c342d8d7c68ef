#include "plugin/ovs/schema.hpp"

namespace vmirror::ovs {

ovsdb::Schema schema() {
  using ovsdb::Column;
  using ovsdb::Type;
  return {"Open_vSwitch",
          {{"Open_vSwitch",
            true,
            {Column::set("bridges", Type::uuid), Column::optional("ovs_version", Type::string),
             Column::optional("db_version", Type::string), Column::set("iface_types", Type::string),
             Column::one("next_cfg", Type::integer).quietly(),
             Column::one("cur_cfg", Type::integer).quietly()}},
           {"Bridge",
            false,
            {Column::one("name", Type::string), Column::set("ports", Type::uuid),
             Column::set("mirrors", Type::uuid), Column::set("flood_vlans", Type::integer),
             Column::map("external_ids"), Column::one("datapath_type", Type::string),
             Column::set("controller", Type::uuid), Column::optional("fail_mode", Type::string)},
            true},
           {"Port",
            false,
            {Column::one("name", Type::string), Column::set("interfaces", Type::uuid),
             Column::optional("tag", Type::integer), Column::set("trunks", Type::integer),
             Column::optional("vlan_mode", Type::string), Column::map("external_ids"),
             Column::optional("bond_mode", Type::string)},
            true},
           {"Interface",
            false,
            {Column::one("name", Type::string), Column::one("type", Type::string),
             Column::map("options"), Column::optional("mac_in_use", Type::string),
             Column::optional("link_state", Type::string), Column::optional("mtu", Type::integer),
             Column::optional("mtu_request", Type::integer),
             Column::optional("error", Type::string), Column::map("status"),
             Column::map("external_ids"), Column::map("statistics", Type::integer).quietly(),
             Column::optional("ofport", Type::integer)}},
           {"Mirror",
            false,
            {Column::one("name", Type::string), Column::one("select_all", Type::boolean),
             Column::set("select_src_port", Type::uuid), Column::set("select_dst_port", Type::uuid),
             Column::set("select_vlan", Type::integer), Column::optional("output_port", Type::uuid),
             Column::optional("output_vlan", Type::integer),
             Column::optional("snaplen", Type::integer), Column::optional("filter", Type::string),
             Column::map("external_ids"), Column::map("statistics", Type::integer).quietly()}}}};
}

}  // namespace vmirror::ovs
