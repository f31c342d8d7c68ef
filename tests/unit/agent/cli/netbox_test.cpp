// The CSV that NetBox imports.
#include "agent/cli/netbox.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

namespace json = boost::json;

std::string csv(const std::string& assets) {
  const std::string out = netbox_csv(json::parse(assets).as_array());
  const std::string title = "address,status,dns_name,description\n";
  EXPECT_TRUE(out.starts_with(title)) << out;
  return out.substr(title.size());
}

/// One asset with these names.
std::string named(const json::array& names) {
  json::object asset{{"mac", "52:54:00:00:00:01"}, {"ips", {"10.0.0.5"}}};
  json::array properties;
  for (const json::value& name : names)
    properties.push_back({{"attribute", "host_name"}, {"value", name}});
  asset["properties"] = properties;
  return json::serialize(json::array{asset});
}

TEST(NetBox, HasALineForEachAddress) {
  struct Case {
    const char *assets, *lines;
  };
  for (const Case& c : {
           Case{"[]", ""},
           Case{R"([{"mac":"52:54:00:00:00:01"}])", ""},
           Case{R"([{"mac":"52:54:00:00:00:01","ips":[]}])", ""},
           Case{R"([{"mac":"52:54:00:00:00:01","ips":["10.0.0.5","2001:db8::5"]}])",
                "10.0.0.5/32,active,,MAC 52:54:00:00:00:01\n"
                "2001:db8::5/128,active,,MAC 52:54:00:00:00:01\n"},
           Case{R"([{"mac":"52:54:00:00:00:01","ips":["fe80::1","febf::1","169.254.1.1"]}])", ""},
           Case{R"([{"mac":"52:54:00:00:00:01","ips":["fec0::1","fe8::1","169.25.4.1"]}])",
                "fec0::1/128,active,,MAC 52:54:00:00:00:01\n"
                "fe8::1/128,active,,MAC 52:54:00:00:00:01\n"
                "169.25.4.1/32,active,,MAC 52:54:00:00:00:01\n"},
           Case{
               R"([{"mac":"52:54:00:00:00:01","ips":["10.0.0.5"],"vendor":"Siemens AG","vm":"plc",
                    "vlans":[10,20],"role":"host"}])",
               "10.0.0.5/32,active,,\"MAC 52:54:00:00:00:01; Siemens AG; VM plc; VLAN 10,20\"\n"},
       })
    EXPECT_EQ(csv(c.assets), c.lines) << c.assets;
}

TEST(NetBox, QuotesWhatAGuestSent) {
  const std::string begin = "10.0.0.5/32,active,", mac = "MAC 52:54:00:00:00:01; named ";
  struct Case {
    json::array names;
    std::string line;
  };
  for (const Case& c : {
           Case{{"plc-1.example"}, "plc-1.example," + mac + "plc-1.example"},
           Case{{"PLC_1", "other"}, "PLC_1,\"" + mac + "PLC_1,other\""},
           Case{{"a,b"}, ",\"" + mac + "a,b\""},
           Case{{"a\"b"}, ",\"" + mac + "a\"\"b\""},
           Case{{"a\nb"}, "," + mac + "a\\x0ab"},
           Case{{"a b", "c"}, "c,\"" + mac + "a b,c\""},
           Case{{".a", "a..b", "=1+1", ""}, ",\"" + mac + ".a,a..b,=1+1\""},
           Case{{"twice", "twice"}, "twice," + mac + "twice"},
       })
    EXPECT_EQ(csv(named(c.names)), begin + c.line + "\n");
}

TEST(NetBox, CutsTheDescriptionToWhatTheFieldTakes) {
  std::string name;
  for (int i = 0; i < 300; ++i) name += "é";
  const std::string line = csv(named({name}));
  const std::string begin = "MAC 52:54:00:00:00:01; named ";
  std::string expected = begin;
  for (std::size_t i = begin.size(); i < 200; ++i) expected += "é";
  EXPECT_EQ(line, "10.0.0.5/32,active,," + expected + "\n");
}

}  // namespace
}  // namespace vmirror
