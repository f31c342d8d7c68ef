// What a service manager learns from the daemon that it started (sd_notify(3), systemd.service(5),
// Type=notify): nothing where none did. Any thread.
#pragma once

namespace vmirror {

/// The daemon serves: what is ordered after it may start.
void tell_ready();
/// The main thread is alive. With WatchdogSec= a daemon that does not say so is started anew.
void tell_alive();
void tell_stopping();

}  // namespace vmirror
