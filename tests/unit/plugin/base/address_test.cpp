// Addresses as text: what is accepted, what is printed, what is refused.
#include "plugin/base/address.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(Mac, TextGoesInAndOut) {
  struct Case {
    const char* in;
    const char* out;  // null: refused
  };
  for (const Case& c :
       {Case{"52:54:00:ab:CD:ef", "52:54:00:ab:cd:ef"},
        Case{"52-54-00-AB-CD-EF", "52:54:00:ab:cd:ef"}, Case{"52:54:00:ab:cd", nullptr},
        Case{"52:54:00:ab:cd:eg", nullptr}, Case{"5254.00ab.cdef", nullptr}, Case{"", nullptr},
        Case{"52:54:00:ab:cd:ef:01", nullptr}}) {
    const auto mac = Mac::parse(c.in);
    ASSERT_EQ(mac.has_value(), c.out != nullptr) << c.in;
    if (mac) {
      EXPECT_EQ(mac->text(), c.out);
    }
  }
  EXPECT_EQ(Mac::parse("x").error().text(),
            "`x` is no MAC address (write it as 52:54:00:12:34:56)");
}

TEST(Mac, KnowsGroups) {
  EXPECT_TRUE(Mac::parse("ff:ff:ff:ff:ff:ff")->is_group());
  EXPECT_TRUE(Mac::parse("01:00:5e:00:00:fb")->is_group());
  EXPECT_FALSE(Mac::parse("52:54:00:00:00:01")->is_group());
  EXPECT_TRUE(Mac{}.is_zero());
}

TEST(IpAddress, TextGoesInAndOut) {
  struct Case {
    const char* in;
    const char* out;
    int version;
    bool group;
  };
  for (const Case& c :
       {Case{"192.0.2.1", "192.0.2.1", 4, false}, Case{"224.0.0.251", "224.0.0.251", 4, true},
        Case{"255.255.255.255", "255.255.255.255", 4, true},
        Case{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6, false},
        Case{"ff02::fb", "ff02::fb", 6, true}, Case{"240.0.0.1", "240.0.0.1", 4, false}}) {
    const auto ip = IpAddress::parse(c.in);
    ASSERT_TRUE(ip) << c.in;
    EXPECT_EQ(ip->text(), c.out);
    EXPECT_EQ(ip->version, c.version);
    EXPECT_EQ(ip->is_group(), c.group) << c.in;
  }
  for (const char* bad : {"", "192.0.2", "192.0.2.256", "fe80::1%eth0", "host"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  EXPECT_EQ(IpAddress{}.text(), "");
}

}  // namespace
}  // namespace vmirror
