// libvirt's client library, opened when it is first asked for: it brings 8 MB of others (GnuTLS,
// ICU, GLib and more), which a daemon without libvirt need not hold, nor its host have.
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "plugin/base/result.hpp"

namespace vmirror {

/// The functions of libvirt.h and virterror.h that are called, without their "vir".
#define VMIRROR_LIBVIRT_FUNCTIONS(F) \
  F(ConnectClose)                    \
  F(ConnectDomainEventDeregisterAny) \
  F(ConnectDomainEventRegisterAny)   \
  F(ConnectGetLibVersion)            \
  F(ConnectListAllDomains)           \
  F(ConnectOpen)                     \
  F(ConnectOpenReadOnly)             \
  F(ConnectRegisterCloseCallback)    \
  F(ConnectSetKeepAlive)             \
  F(ConnectUnregisterCloseCallback)  \
  F(DomainAbortJob)                  \
  F(DomainFree)                      \
  F(DomainGetJobStats)               \
  F(DomainGetName)                   \
  F(DomainGetState)                  \
  F(DomainGetUUIDString)             \
  F(DomainGetXMLDesc)                \
  F(DomainIsPersistent)              \
  F(DomainLookupByUUIDString)        \
  F(DomainMigrateToURI3)             \
  F(EventAddHandle)                  \
  F(EventAddTimeout)                 \
  F(EventRegisterDefaultImpl)        \
  F(EventRemoveHandle)               \
  F(EventRemoveTimeout)              \
  F(EventRunDefaultImpl)             \
  F(EventUpdateTimeout)              \
  F(GetLastError)                    \
  F(GetLastErrorCode)                \
  F(Initialize)                      \
  F(SetErrorFunc)                    \
  F(TypedParamsAddString)            \
  F(TypedParamsFree)                 \
  F(TypedParamsGetInt)               \
  F(TypedParamsGetULLong)

struct LibvirtLibrary {
#define VMIRROR_LIBVIRT_MEMBER(name) decltype(&::vir##name) name = nullptr;
  VMIRROR_LIBVIRT_FUNCTIONS(VMIRROR_LIBVIRT_MEMBER)
#undef VMIRROR_LIBVIRT_MEMBER
};

/// Opens a library by its name, for good. Error::Kind::missing: it isn't there, or lacks a function
/// that is called. Any thread.
Result<LibvirtLibrary> open_libvirt(const char* name);
/// libvirt.so.0, opened at the first call. Errors and thread as above.
const Result<LibvirtLibrary>& libvirt_library();

/// Its functions: vir().DomainFree(...). Only after libvirt_library() was good.
inline const LibvirtLibrary& vir() {
  return *libvirt_library();
}

}  // namespace vmirror
