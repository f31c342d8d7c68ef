#include "agent/peers/peers.hpp"

namespace vmirror {

struct Peers::State {
  PeersStatus status;
};

const char* to_text(PeerStatus::State state) {
  switch (state) {
    case PeerStatus::State::up:
      return "up";
    case PeerStatus::State::down:
      return "down";
    default:
      return "refused";
  }
}

Result<std::unique_ptr<Peers>> Peers::start(PeersOptions, PeersHandlers) {
  return std::unique_ptr<Peers>(new Peers(std::make_unique<State>()));
}
Peers::Peers(std::unique_ptr<State> state) : state_(std::move(state)) {}
Peers::~Peers() = default;
Result<void> Peers::send(const std::string& host, std::string_view, std::string) {
  return fail(Error::Kind::missing, "no such peer", host);
}
PeersStatus Peers::status() const {
  return state_->status;
}

}  // namespace vmirror
