#include "agent/app/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace vmirror {

void tell_ready() {
  ::sd_notify(0, "READY=1");
}

void tell_alive() {
  ::sd_notify(0, "WATCHDOG=1");
}

void tell_stopping() {
  ::sd_notify(0, "STOPPING=1");
}

}  // namespace vmirror
