#include "agent/libvirt/connection.hpp"

namespace vmirror {

class Libvirt::Impl {};

Libvirt::Libvirt(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Libvirt::~Libvirt() = default;
std::unique_ptr<Libvirt> Libvirt::start(LibvirtOptions) {
  return std::unique_ptr<Libvirt>(new Libvirt(std::make_shared<Impl>()));
}
std::shared_ptr<const Guests> Libvirt::guests() const {
  auto none = std::make_shared<Guests>();
  none->error = Error{Error::Kind::unreachable, "not connected yet", "libvirt", {}};
  return none;
}
LibvirtStatus Libvirt::status() const {
  return {};
}
void Libvirt::hint(const std::string&) {}
Result<void> Libvirt::migrate(const std::string&, const std::string&, const MigrateOptions&,
                              std::function<void(Result<void>)>) {
  return fail(Error::Kind::unsupported, "not there yet", "libvirt");
}

}  // namespace vmirror
