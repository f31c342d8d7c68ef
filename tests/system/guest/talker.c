/* What runs in a test's guest, as its only program: numbered frames to a peer, an answer to each of
 * the peer's, and one TCP connection that lives as long as the guest does. Static, for an
 * initramfs.
 *
 *     talker ADDRESS PEER INTERVAL_MS
 *
 * A frame's payload, as text, in 48 bytes, so that whoever records it needs no code of ours:
 *
 *     "VMG n NUMBER r RECEIVED\n"          the guest's frame NUMBER; it has RECEIVED distinct ones
 * so far "VMA n NUMBER r RECEIVED e ECHO\n"   the same, in answer to the peer's frame ECHO "VMP n
 * NUMBER\n"                     a frame of the peer's
 *
 * UDP port 5555 at both ends. TCP: to the peer's port 5556, "NUMBER\n" each 50 ms, the peer says it
 * back; a connection that breaks is made anew, which the peer then knows by its second `accept`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kUdpPort = 5555, kTcpPort = 5556, kTcpIntervalMs = 50, kPayload = 48, kSeen = 1 << 24 };

static struct sockaddr_in peer;
static unsigned long number, received;
static unsigned char seen[kSeen / 8];

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static void send_frame(int udp, const char* kind, long echo) {
  char text[kPayload + 32];
  memset(text, '\n', sizeof text);
  ++number;
  int size = echo < 0 ? snprintf(text, sizeof text, "%s n %lu r %lu\n", kind, number, received)
                      : snprintf(text, sizeof text, "%s n %lu r %lu e %ld\n", kind, number,
                                 received, echo);
  text[size] = '\n';
  sendto(udp, text, size > kPayload ? (size_t)size : kPayload, 0, (struct sockaddr*)&peer,
         sizeof peer);
}

/* Counts a frame of the peer's once, however often it comes, and answers it each time. */
static void take_frames(int udp) {
  char text[256];
  for (;;) {
    ssize_t size = recv(udp, text, sizeof text - 1, MSG_DONTWAIT);
    if (size <= 0) return;
    text[size] = 0;
    unsigned long n;
    if (sscanf(text, "VMP n %lu", &n) != 1 || n >= kSeen) continue;
    if (!(seen[n / 8] >> (n % 8) & 1)) {
      seen[n / 8] |= (unsigned char)(1 << (n % 8));
      ++received;
    }
    send_frame(udp, "VMA", (long)n);
  }
}

static int connect_tcp(void) {
  int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in to = peer;
  to.sin_port = htons(kTcpPort);
  if (connect(tcp, (struct sockaddr*)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    close(tcp);
    return -1;
  }
  return tcp;
}

/* One request, once the answer to the one before is here. Returns the connection, or -1: broken. */
static int request(int tcp, unsigned long* asked, int* waiting) {
  char text[64];
  if (*waiting) {
    ssize_t size = recv(tcp, text, sizeof text, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
      close(tcp);
      return -1;
    }
    if (size > 0) *waiting = 0;
  }
  if (!*waiting) {
    int size = snprintf(text, sizeof text, "%lu\n", *asked + 1);
    if (send(tcp, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) == size) {
      ++*asked;
      *waiting = 1;
    } else if (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN) {
      close(tcp);
      return -1;
    }
  }
  return tcp;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: talker ADDRESS PEER INTERVAL_MS\n");
    return 2;
  }
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(kUdpPort)};
  peer = own;
  if (inet_pton(AF_INET, argv[1], &own.sin_addr) != 1 ||
      inet_pton(AF_INET, argv[2], &peer.sin_addr) != 1) {
    fprintf(stderr, "talker: %s or %s is no IPv4 address\n", argv[1], argv[2]);
    return 2;
  }
  const long interval = atol(argv[3]) > 0 ? atol(argv[3]) : 5;
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (bind(udp, (struct sockaddr*)&own, sizeof own) < 0) {
    perror("talker: bind");
    return 1;
  }
  int tcp = -1, waiting = 0;
  unsigned long asked = 0;
  long next = now_ms(), next_tcp = next;
  for (;;) {
    long now = now_ms();
    if (now >= next) {
      send_frame(udp, "VMG", -1);
      next = now + interval; /* A guest that was paused does not catch up in a burst. */
    }
    if (now >= next_tcp) {
      next_tcp = now + kTcpIntervalMs;
      if (tcp < 0) {
        tcp = connect_tcp();
        waiting = 0;
      } else {
        tcp = request(tcp, &asked, &waiting);
      }
    }
    struct pollfd in = {.fd = udp, .events = POLLIN};
    long rest = next - now_ms();
    poll(&in, 1, rest > 0 ? (int)rest : 0);
    take_frames(udp);
  }
}
