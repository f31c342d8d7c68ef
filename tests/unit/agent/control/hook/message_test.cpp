// The hook's HTTP: its one request, and every kind of answer, whole and in pieces.
#include "agent/control/hook/message.hpp"

#include <gtest/gtest.h>

namespace vmirror {
namespace {

TEST(HookRequest, NamesTheGuestPercentEncoded) {
  EXPECT_EQ(encode_hook_request("prepare", "db 1&x=\xc3\xa4", "<domain/>"),
            "POST /v1/hook?operation=prepare&guest=db%201%26x%3D%C3%A4 HTTP/1.1\r\n"
            "Host: vmirror\r\nConnection: close\r\nContent-Length: 9\r\n\r\n<domain/>");
}

struct Case {
  const char* why;
  std::string bytes;
  std::optional<HookReply> reply;  ///< None: no answer.
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"go on", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HookReply{200, ""}},
      {"refused", "HTTP/1.1 409 Conflict\r\nServer: x\r\ncontent-length:\t3 \r\n\r\nwhy",
       HookReply{409, "why"}},
      {"more than its length", "HTTP/1.1 202 A\r\nContent-Length: 1\r\n\r\nwhy",
       HookReply{202, "w"}},
      {"ends with the connection", "HTTP/1.0 200 OK\r\n\r\nall of it", HookReply{200, "all of it"}},
      {"no phrase", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", HookReply{200, ""}},
      {"nothing", "", std::nullopt},
      {"half a head", "HTTP/1.1 200 OK\r\nConte", std::nullopt},
      {"half a body", "HTTP/1.1 409 No\r\nContent-Length: 9\r\n\r\nwh", std::nullopt},
      {"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", std::nullopt},
      {"no status", "HTTP/1.1 OK 200\r\n\r\n", std::nullopt},
      {"a longer status", "HTTP/1.1 2000 OK\r\n\r\n", std::nullopt},
      {"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", std::nullopt},
      {"endless length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
       std::nullopt},
      {"longer than is read", "HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n", std::nullopt},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", std::nullopt},
      {"too long", std::string(kMaxHookAnswer + 1, 'x'), std::nullopt}};
  return all;
}

TEST(HookReply, IsReadOnceItIsWhole) {
  for (const Case& c : cases()) {
    const auto reply = parse_hook_reply(c.bytes, true);
    ASSERT_EQ(reply.has_value(), c.reply.has_value()) << c.why;
    if (reply) {
      EXPECT_EQ(*reply, c.reply) << c.why;
    }
  }
}

TEST(HookReply, IsWaitedForWhileItIsNot) {
  for (const Case& c : cases()) {
    if (!c.reply || c.reply->status != 409) continue;
    for (std::size_t n = 0; n < c.bytes.size(); n++) {
      const auto reply = parse_hook_reply(std::string_view(c.bytes).substr(0, n), false);
      ASSERT_TRUE(reply) << n;
      EXPECT_FALSE(reply->has_value()) << n;
    }
  }
}

}  // namespace
}  // namespace vmirror
