// Fuzzes the reading of another host's guests that a sensor follows: bounded, whatever is told.
#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "agent/control/follow/sensor_follower.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace vmirror;

VMIRROR_FUZZ(bytes) {
  constexpr Time kNow = 1'800'000'000 * kSecond;
  boost::asio::io_context io;
  SensorFollowerOptions options;
  options.host = "a";
  options.peers = {"b"};
  SensorFollower follower(io, options, nullptr, nullptr);
  follower.on_message("b", std::string(as_text(bytes)), kNow);
  const auto status = follower.status(kNow);
  const auto& known = status.at("sources").at("b");
  if (!known.is_null() && known.to_number<std::uint64_t>() > 4096) std::abort();
  if (status.at("moves_in_an_hour").to_number<std::int64_t>() > 4096) std::abort();
}

VMIRROR_SEEDS() {
  using vmirror::test::text;
  return {
      text(
          R"({"sources": [{"vm": "dc1", "here_ms": 900, "moving": false}], "moved_ms_ago": [100]})"),
      text(R"({"sources": []})"), text(R"({"sources": [{"vm": 1}], "moved_ms_ago": [-1, 1e9]})")};
}
