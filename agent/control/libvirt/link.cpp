#include "agent/control/libvirt/link.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "agent/control/libvirt/domain_xml.hpp"
#include "agent/control/libvirt/event_loop.hpp"
#include "agent/control/libvirt/library.hpp"

namespace vmirror {
namespace {

using Domain = std::unique_ptr<virDomain, decltype(&virDomainFree)>;

/// The calling thread's last error.
Error last_error(std::string where, Error::Kind kind) {
  const virErrorPtr error = vir().GetLastError();
  return {kind, error && error->message ? error->message : "no reason given", std::move(where), {}};
}

bool is_gone() {
  return vir().GetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

std::string uuid_of(virDomainPtr domain) {
  std::array<char, VIR_UUID_STRING_BUFLEN> text{};
  if (vir().DomainGetUUIDString(domain, text.data()) < 0) return {};
  return text.data();
}

// ---- Callbacks: each carries its own copy of what to call, which libvirt frees through forget().

const LibvirtLink::Callbacks& callbacks_of(void* opaque) {
  return *static_cast<const LibvirtLink::Callbacks*>(opaque);
}
void forget(void* opaque) {
  delete static_cast<LibvirtLink::Callbacks*>(opaque);
}

void tell(virDomainPtr domain, void* opaque, DomainEvent::Id id, int event, int detail,
          std::string text) {
  const char* name = vir().DomainGetName(domain);
  callbacks_of(opaque).event({.time = wall_clock(),
                              .uuid = uuid_of(domain),
                              .name = name ? name : "",
                              .id = id,
                              .event = event,
                              .detail = detail,
                              .text = std::move(text)});
}

int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail, void* opaque) {
  tell(domain, opaque, DomainEvent::Id::lifecycle, event, detail, {});
  return 0;
}
void on_iteration(virConnectPtr, virDomainPtr domain, int iteration, void* opaque) {
  tell(domain, opaque, DomainEvent::Id::iteration, iteration, 0, {});
}
void on_added(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque) {
  tell(domain, opaque, DomainEvent::Id::device_added, 0, 0, alias ? alias : "");
}
void on_removed(virConnectPtr, virDomainPtr domain, const char* alias, void* opaque) {
  tell(domain, opaque, DomainEvent::Id::device_removed, 0, 0, alias ? alias : "");
}
void on_metadata(virConnectPtr, virDomainPtr domain, int type, const char*, void* opaque) {
  tell(domain, opaque, DomainEvent::Id::metadata, type, 0, {});
}
void on_job(virConnectPtr, virDomainPtr domain, virTypedParameterPtr values, int count,
            void* opaque) {
  std::string text = "job completed";
  for (const auto& [field, words] : {std::pair{VIR_DOMAIN_JOB_TIME_ELAPSED, "took"},
                                     std::pair{VIR_DOMAIN_JOB_DOWNTIME, "downtime"}}) {
    unsigned long long value = 0;
    if (vir().TypedParamsGetULLong(values, count, field, &value) == 1)
      text += std::string(", ") + words + " " + std::to_string(value) + " ms";
  }
  tell(domain, opaque, DomainEvent::Id::job_completed, 0, 0, std::move(text));
}
void on_close(virConnectPtr, int reason, void* opaque) {
  callbacks_of(opaque).closed(reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE
                                  ? "libvirtd does not answer"
                                  : "libvirtd closed the connection");
}

// ---- Notes: libvirtd keeps NAME.xml of each guest that runs, written anew as a job begins or ends

constexpr const char* kLocalUri = "qemu:///system";
constexpr const char* kNotes = "/run/libvirt/qemu";
constexpr std::string_view kNote = ".xml";

struct Notes {
  LibvirtLink::Callbacks callbacks;
  int inotify;
};
void forget_notes(void* opaque) {
  auto* const notes = static_cast<Notes*>(opaque);
  ::close(notes->inotify);
  delete notes;
}
void on_notes(int, int fd, int, void* opaque) {
  alignas(inotify_event) std::array<char, 4096> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  for (ssize_t at = 0; at < got;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    at += static_cast<ssize_t>(sizeof *event + event->len);
    const std::string_view file = event->len == 0 ? "" : event->name;
    if (!file.ends_with(kNote)) continue;
    static_cast<const Notes*>(opaque)->callbacks.event(
        {.time = wall_clock(),
         .uuid = {},
         .name = std::string(file.substr(0, file.size() - kNote.size())),
         .id = DomainEvent::Id::noted,
         .text = {}});
  }
}

/// A guest paused for a migration: is it the destination? Only the source has statistics of the
/// job (libvirt 9.0, qemu driver: "migration statistics are available only on the source host").
GuestState side_of(virDomainPtr domain, GuestState otherwise) {
  int type = 0, count = 0;
  virTypedParameterPtr values = nullptr;
  if (vir().DomainGetJobStats(domain, &type, &values, &count, 0) == 0) {
    vir().TypedParamsFree(values, count);
    return otherwise;
  }
  return vir().GetLastErrorCode() == VIR_ERR_OPERATION_UNSUPPORTED ? GuestState::incoming
                                                                   : otherwise;
}

}  // namespace

LibvirtLink::LibvirtLink(_virConnect* connection, std::shared_ptr<EventLoop> loop)
    : loop_(std::move(loop)), connection_(connection) {}

LibvirtLink::~LibvirtLink() {
  if (notes_watch_ >= 0) vir().EventRemoveHandle(notes_watch_);
  for (const int id : registered_) vir().ConnectDomainEventDeregisterAny(connection_, id);
  if (has_close_callback_) vir().ConnectUnregisterCloseCallback(connection_, on_close);
  vir().ConnectClose(connection_);
}

Result<std::shared_ptr<LibvirtLink>> LibvirtLink::open(const LibvirtOptions& options,
                                                       Callbacks callbacks) {
  if (const auto& library = libvirt_library(); !library) return tl::unexpected(library.error());
  std::shared_ptr<EventLoop> loop = EventLoop::get();
  virConnectPtr connection = vir().ConnectOpenReadOnly(options.uri.c_str());
  if (!connection) {
    Error error = last_error(options.uri, Error::Kind::unreachable);
    error.remedy = "see that libvirtd runs, and that `virsh -r -c " + options.uri + " list` works";
    return tl::unexpected(std::move(error));
  }
  std::shared_ptr<LibvirtLink> link(new LibvirtLink(connection, std::move(loop)));
  // Drivers inside this process (test:///) have none; they can't go away either.
  vir().ConnectSetKeepAlive(connection, static_cast<int>(options.keepalive_interval.count()),
                            options.keepalive_count);
  link->listen(callbacks);
  if (options.uri == kLocalUri) link->watch_notes(callbacks);
  if (link->registered_.empty())
    return tl::unexpected(last_error(options.uri, Error::Kind::unsupported));
  return link;
}

/// Not told: what is not seen is asked for.
void LibvirtLink::watch_notes(const Callbacks& callbacks) {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return;
  auto* const notes = new Notes{callbacks, fd};
  if (::inotify_add_watch(fd, kNotes, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) >= 0)
    notes_watch_ =
        vir().EventAddHandle(fd, VIR_EVENT_HANDLE_READABLE, on_notes, notes, forget_notes);
  if (notes_watch_ < 0) forget_notes(notes);
}

void LibvirtLink::listen(const Callbacks& callbacks) {
  // Ours to free: drivers inside this process say that they took it and forget it. libvirt calls it
  // under the lock that unregistering takes.
  on_closed_ = std::make_unique<Callbacks>(callbacks);
  has_close_callback_ =
      vir().ConnectRegisterCloseCallback(connection_, on_close, on_closed_.get(), nullptr) == 0;
  const std::pair<int, virConnectDomainEventGenericCallback> wanted[] = {
      {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
      {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_iteration)},
      {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_added)},
      {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_removed)},
      {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata)},
      {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job)},
  };
  for (const auto& [id, callback] : wanted) {
    auto* const opaque = new Callbacks(callbacks);
    const int handle =
        vir().ConnectDomainEventRegisterAny(connection_, nullptr, id, callback, opaque, forget);
    if (handle >= 0) {
      registered_.push_back(handle);
    } else {
      forget(opaque);
      if (id == VIR_DOMAIN_EVENT_ID_LIFECYCLE) return;  // Nothing works without.
    }
  }
}

std::string LibvirtLink::version() const {
  unsigned long version = 0;
  if (vir().ConnectGetLibVersion(connection_, &version) < 0) return {};
  return std::to_string(version / 1'000'000) + "." + std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

Result<std::vector<std::string>> LibvirtLink::list() const {
  virDomainPtr* domains = nullptr;
  const int count = vir().ConnectListAllDomains(connection_, &domains, 0);
  if (count < 0) return tl::unexpected(last_error("list of guests", Error::Kind::unreachable));
  std::vector<std::string> uuids;
  for (int i = 0; i < count; i++) {
    uuids.push_back(uuid_of(domains[i]));
    vir().DomainFree(domains[i]);
  }
  std::free(domains);
  return uuids;
}

Result<std::optional<LibvirtLink::Reading>> LibvirtLink::read(
    const std::string& uuid, std::optional<GuestState> before) const {
  const auto failed = [&uuid]() -> Result<std::optional<Reading>> {
    if (is_gone()) return std::optional<Reading>{};
    return tl::unexpected(last_error("guest " + uuid, Error::Kind::unreachable));
  };
  const Domain domain(vir().DomainLookupByUUIDString(connection_, uuid.c_str()), vir().DomainFree);
  if (!domain) return failed();
  const std::unique_ptr<char, decltype(&std::free)> xml(vir().DomainGetXMLDesc(domain.get(), 0),
                                                        std::free);
  if (!xml) return failed();
  int state = 0, reason = 0;
  if (vir().DomainGetState(domain.get(), &state, &reason, 0) < 0) return failed();
  Result<Guest> guest = parse_domain(xml.get());
  if (!guest) {
    const char* const name = vir().DomainGetName(domain.get());
    guest.error().where = "guest " + (name ? name : uuid) + ", " + guest.error().where;
    return tl::unexpected(std::move(guest.error()));
  }
  const std::optional<GuestState> known = state_of(state, reason, before);
  const bool starts = reason == VIR_DOMAIN_PAUSED_STARTING_UP;
  guest->state =
      known ? *known : side_of(domain.get(), starts ? GuestState::suspended : GuestState::leaving);
  const bool paused = state == VIR_DOMAIN_PAUSED && starts;
  return std::optional<Reading>(Reading{std::move(*guest), paused});
}

Result<bool> LibvirtLink::is_leaving(const std::string& uuid) const {
  const auto failed = [&uuid] {
    return tl::unexpected(last_error("guest " + uuid, Error::Kind::unreachable));
  };
  const Domain domain(vir().DomainLookupByUUIDString(connection_, uuid.c_str()), vir().DomainFree);
  if (!domain) return failed();
  int type = 0, count = 0, operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  virTypedParameterPtr values = nullptr;
  if (vir().DomainGetJobStats(domain.get(), &type, &values, &count, 0) < 0) return failed();
  vir().TypedParamsGetInt(values, count, VIR_DOMAIN_JOB_OPERATION, &operation);
  vir().TypedParamsFree(values, count);
  const bool active = type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED;
  return active && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

}  // namespace vmirror
