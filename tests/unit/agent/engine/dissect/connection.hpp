// One TCP connection to a port, fed with reassembled bytes, and the text of what its messages say.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "tests/unit/agent/engine/dissect/told.hpp"

namespace vmirror::test {

struct Connection {
  static constexpr std::uint16_t kClientPort = 40000;

  /// `tell` gives the text of the facts of one `feed`; `out` collects the texts.
  Connection(std::uint16_t port, std::function<std::string(const Facts&)> tell)
      : server_port(port), text_of(std::move(tell)) {
    conversation.dissector = all_dissectors().for_stream(kClientPort, port);
  }
  void feed(bool up, Bytes bytes) {
    Context context = context_of(up);
    context.source_port = up ? kClientPort : server_port;
    context.destination_port = up ? server_port : kClientPort;
    context.engine = &dissection;
    Facts facts;
    dissection.feed(conversation, bytes, context, facts);
    out += text_of(facts);
    facts.clear();
    dissection.settle();
  }

  std::uint16_t server_port;
  std::function<std::string(const Facts&)> text_of;
  Dissection dissection{all_dissectors()};
  Conversation conversation;
  std::string out;
};

}  // namespace vmirror::test
