// libvirt's library, where it is and where it isn't.
#include "agent/control/libvirt/library.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(LibvirtLibrary, HasWhatIsCalled) {
  ASSERT_TRUE(libvirt_library()) << libvirt_library().error().text();
  EXPECT_EQ(vir().Initialize(), 0);
}

TEST(LibvirtLibrary, SaysWhatIsMissing) {
  const auto none = open_libvirt("libvirt-there-is-none.so.0");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Error::Kind::missing);
  EXPECT_EQ(none.error().where, "libvirt-there-is-none.so.0");
  EXPECT_EQ(none.error().remedy, "install libvirt0, or leave `libvirt` out of the configuration");
  const auto another = open_libvirt("libm.so.6");  // It is there, and is another library.
  ASSERT_FALSE(another);
  EXPECT_NE(another.error().what.find("virConnectClose"), std::string::npos);
}

}  // namespace
}  // namespace vmirror
