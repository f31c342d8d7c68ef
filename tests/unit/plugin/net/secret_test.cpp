// Credentials from files, by tables; and that a password is nowhere that a core dump would show.
#include "plugin/net/secret.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "plugin/net/http.hpp"
#include "tests/support/child.hpp"

namespace vmirror::net {
namespace {

using test::TemporaryDirectory;

std::string write(const TemporaryDirectory& directory, const std::string& text, mode_t mode) {
  const std::string path = directory.path() + "/credentials";
  unlink(path.c_str());
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
  return path;
}

TEST(Credentials, AreReadFromAFileOfItsOwner) {
  struct Row {
    std::string text;
    mode_t mode;
    const char* user;      ///< Null: an error.
    const char* password;  ///< Or what the error says.
  };
  const std::string good = "username=agent@vsphere.local\npassword=s3cret\n";
  const Row rows[] = {
      {good, 0600, "agent@vsphere.local", "s3cret"},
      {good, 0400, "agent@vsphere.local", "s3cret"},
      {"# a comment\n\npassword= a=b #c \r\nusername=EX\\a", 0600, "EX\\a", " a=b #c "},
      {"username=a\npassword=\n", 0600, "a", ""},
      {good, 0640, nullptr, "mode 0640"},
      {good, 0604, nullptr, "mode 0604"},
      {good, 0666, nullptr, "mode 0666"},
      {"username=a\n", 0600, nullptr, "no password"},
      {"password=hidden1\n", 0600, nullptr, "no user"},
      {"username=\npassword=hidden1\n", 0600, nullptr, "no user"},
      {"username=a\npassword=hidden1\npassword=hidden2\n", 0600, nullptr, "credentials:3"},
      {"username=a\nhidden1\n", 0600, nullptr, "credentials:2"},
      {"username=a\npasswd=hidden1\n", 0600, nullptr, "credentials:2"},
      {std::string("username=a\npassword=hidden1\0\n", 29), 0600, nullptr, "credentials:2"},
      {std::string(kMaxCredentialBytes + 1, '#'), 0600, nullptr, "4096 bytes"},
  };
  const TemporaryDirectory directory;
  for (const Row& row : rows) {
    const auto read = read_credentials({write(directory, row.text, row.mode), {}});
    if (row.user) {
      ASSERT_TRUE(read) << read.error().text();
      EXPECT_EQ(read->user, row.user);
      EXPECT_EQ(read->password.view(), row.password);
    } else {
      ASSERT_FALSE(read) << row.text;
      EXPECT_NE(read.error().text().find(row.password), std::string::npos) << read.error().text();
      EXPECT_EQ(read.error().text().find("hidden"), std::string::npos) << read.error().text();
    }
  }
  EXPECT_EQ(read_credentials({write(directory, good, 0640), {}}).error().remedy,
            "chmod 600 " + directory.path() + "/credentials");
  EXPECT_EQ(read_credentials({directory.path() + "/none", {}}).error().kind, Error::Kind::missing);
  EXPECT_EQ(read_credentials({directory.path(), {}}).error().kind, Error::Kind::refused);
  EXPECT_EQ(read_credentials({}).error().kind, Error::Kind::invalid);
}

TEST(Credentials, OfAnotherUserAreRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const TemporaryDirectory directory;
  const std::string path = write(directory, "username=a\npassword=b\n", 0600);
  ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
  const auto read = read_credentials({path, {}});
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("user 65534"), std::string::npos) << read.error().text();
}

TEST(Credentials, OfSystemdHaveAModeOfItsOwn) {
  const TemporaryDirectory directory;
  unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(read_credentials({{}, "credentials"}).error().kind, Error::Kind::missing);
  setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
  write(directory, "username=a\npassword=b\n", 0440);  // With User=: root's, and an ACL.
  const auto read = read_credentials({{}, "credentials"});
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->user, "a");
  EXPECT_EQ(read_credentials({{}, "../credentials"}).error().kind, Error::Kind::invalid);
  unsetenv("CREDENTIALS_DIRECTORY");
}

TEST(Undumped, IsWipedAndGrows) {
  Message text;
  for (int i = 0; i < 100'000; i++) text += static_cast<char>('a' + i % 26);
  EXPECT_EQ(text[99'999], static_cast<char>('a' + 99'999 % 26));
  char* memory = static_cast<char*>(allocate_undumped(64));
  std::fill_n(memory, 64, 'x');
  EXPECT_EQ(size_of_undumped(memory), 64u);
  free_undumped(memory);
  free_undumped(nullptr);
}

}  // namespace
}  // namespace vmirror::net
