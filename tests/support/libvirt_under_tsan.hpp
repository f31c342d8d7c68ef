// What ThreadSanitizer can't see of libvirt, for a test program that opens its test driver: one of
// its files includes this.
//
//   race:libglib-2.0.so               GLib's own locks, which guard what libvirt's event loop
//                                     polls. Only accesses made by GLib itself: what the loop
//                                     calls of ours has no frame of GLib in its stack.
//   race_top:pthread_mutex_destroy    libvirt counts an object's holders by GLib's atomics, and
//                                     destroys its mutex with the last one: after the event loop
//                                     has let go of it. C++'s mutexes do not call this function.
//   deadlock:virDomainObjNew          Opening the test driver, libvirt takes two locks of its own
//                                     in an order that it turns round elsewhere; none of ours is
//                                     held then.
#pragma once

extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:libglib-2.0.so\nrace_top:pthread_mutex_destroy\ndeadlock:virDomainObjNew\n";
}
