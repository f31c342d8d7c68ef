#include "plugin/base/program.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <string>
#include <typeinfo>

namespace vmirror {
namespace {

/// Memory may be what is missing: nothing here allocates.
void tell(const char* text) {
  for (std::size_t left = std::char_traits<char>::length(text); left > 0;) {
    const ssize_t done = ::write(STDERR_FILENO, text, left);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return;
    text += done;
    left -= static_cast<std::size_t>(done);
  }
}

void tell_fault(const char* name, const char* what) {
  tell(name);
  tell(": ended by a fault of its own: ");
  tell(what);
  tell(" (report it with this line and the version)\n");
}

/// Of a thread: what it held can't be let go of, so that nothing else is done.
[[noreturn]] void on_terminate() {
  const char* name = program_invocation_short_name;
  if (const std::exception_ptr thrown = std::current_exception()) {
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      tell_fault(name, e.what());
    } catch (...) {
      tell_fault(name, "an exception of an unknown type");
    }
    ::_exit(kExitFault);
  }
  tell_fault(name, "std::terminate without an exception");
  std::abort();  // For the core dump: nothing else says where.
}

}  // namespace

int run_program(const char* name, const std::function<int()>& body) {
  std::set_terminate(on_terminate);
  try {
    return body();
  } catch (const std::exception& e) {
    tell_fault(name, e.what());
  } catch (...) {
    tell_fault(name, "an exception of an unknown type");
  }
  return kExitFault;
}

}  // namespace vmirror
