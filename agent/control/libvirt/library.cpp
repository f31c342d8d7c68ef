#include "agent/control/libvirt/library.hpp"

#include <dlfcn.h>

namespace vmirror {

Result<LibvirtLibrary> open_libvirt(const char* name) {
  const auto missing = [name] {
    const char* why = ::dlerror();
    return fail(Error::Kind::missing, why ? why : "it can't be opened", name,
                "install libvirt0, or leave `libvirt` out of the configuration");
  };
  void* const library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return missing();
  LibvirtLibrary out;
#define VMIRROR_LIBVIRT_LOOK_UP(name)                                             \
  out.name = reinterpret_cast<decltype(out.name)>(::dlsym(library, "vir" #name)); \
  if (out.name == nullptr) return missing();
  VMIRROR_LIBVIRT_FUNCTIONS(VMIRROR_LIBVIRT_LOOK_UP)
#undef VMIRROR_LIBVIRT_LOOK_UP
  return out;
}

const Result<LibvirtLibrary>& libvirt_library() {
  static const Result<LibvirtLibrary> library = open_libvirt("libvirt.so.0");
  return library;
}

}  // namespace vmirror
