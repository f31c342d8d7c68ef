// The hook's file: written, recognised, read back.
#include "agent/control/hook/settings.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(HookFile, IsWhatTheHeaderShows) {
  const auto text = hook_file("/usr/bin/vmirror-hook", {});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "#!/usr/bin/vmirror-hook\n"
            "# vmirror: `vmirror hook install` wrote this hook, `vmirror hook remove` takes it "
            "away.\n"
            "socket /run/vmirror/control.sock\n"
            "requirements /var/lib/vmirror/requirements\n"
            "timeout_ms 500\n");
  EXPECT_TRUE(is_hook_file(*text));
}

TEST(HookFile, ComesBackAsItWas) {
  const HookSettings settings{"/a/b.sock", "/c/d", std::chrono::milliseconds(50)};
  EXPECT_EQ(parse_hook_file(*hook_file("/x", settings)), settings);
  EXPECT_EQ(parse_hook_file(""), HookSettings{});
}

TEST(HookFile, OfOthersIsNotOurs) {
  for (const char* text : {"", "#!/bin/sh\nexit 0\n", "#!/bin/sh", "# vmirror: `vmirror hook"})
    EXPECT_FALSE(is_hook_file(text)) << text;
}

TEST(HookFile, WhatCantWorkIsRefused) {
  struct Case {
    const char* why;
    std::string program;
    HookSettings settings;
  };
  for (const Case& c : {
           Case{"white space", "/opt/v mirror/hook", {}},
           Case{"not absolute", "vmirror-hook", {}},
           Case{"longer than the kernel's line", "/" + std::string(300, 'x'), {}},
           Case{"a socket with white space", "/x", {.socket = "/a b"}},
           Case{"no requirements", "/x", {.requirements = ""}},
           Case{"too short", "/x", {.timeout = std::chrono::milliseconds(9)}},
           Case{"too long", "/x", {.timeout = std::chrono::milliseconds(60001)}},
       })
    EXPECT_FALSE(hook_file(c.program, c.settings)) << c.why;
}

TEST(HookFile, AnErrorNamesTheLine) {
  for (const char* text : {"socket /a\ncolour red\n", "\ntimeout_ms\n", "#\ntimeout_ms 5x\n",
                           "#\ntimeout_ms 99999999999999999999\n"}) {
    const auto settings = parse_hook_file(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_EQ(settings.error().where, "line 2") << text;
  }
}

}  // namespace
}  // namespace vmirror
