#include "plugin/net/secret.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <new>

#include "plugin/base/unix_socket.hpp"

namespace vmirror::net {
namespace {

/// Whole pages from the kernel.
class UndumpedPages : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t) override {
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    madvise(pages, bytes, MADV_DONTDUMP);
    return pages;
  }
  void do_deallocate(void* pages, std::size_t bytes, std::size_t) override { munmap(pages, bytes); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

/// One pool for the process, as malloc's: libcurl takes one set of functions for all its memory.
/// It is never destroyed, because libcurl frees some of it after main.
std::pmr::memory_resource& pool() {
  static auto* const pages = new UndumpedPages;
  static auto* const pool = new std::pmr::synchronized_pool_resource(pages);
  return *pool;
}

/// Stands before each allocation; as large as what malloc aligns to.
constexpr std::size_t kAlignment = alignof(std::max_align_t);
struct alignas(kAlignment) Header {
  std::size_t bytes;
};

/// What the pool is asked for: a multiple of the alignment, because libstdc++ has a pool of blocks
/// of 24 bytes, which it takes for 17 to 24 bytes whatever alignment is asked for.
std::size_t with_header(std::size_t bytes) {
  return sizeof(Header) + (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

Error at(Error::Kind kind, std::string what, const std::string& path, std::string remedy = {}) {
  return {kind, std::move(what), path, std::move(remedy)};
}

/// What fstat tells of a file that only its owner may use; nothing: it is fit.
Result<void> check_private(const struct stat& file, const std::string& path) {
  if (!S_ISREG(file.st_mode))
    return tl::unexpected(at(Error::Kind::refused, "no regular file", path));
  if (file.st_uid != geteuid() && file.st_uid != 0)
    return tl::unexpected(at(Error::Kind::refused,
                             "the file of credentials belongs to user " +
                                 std::to_string(file.st_uid) + ", who can change it",
                             path, "chown it to the user of this program"));
  if ((file.st_mode & 07177) != 0) {
    std::array<char, 8> mode;
    std::snprintf(mode.data(), mode.size(), "%04o", file.st_mode & 07777);
    return tl::unexpected(
        at(Error::Kind::refused,
           std::string("the file of credentials has mode ") + mode.data() + " instead of 0600",
           path, "chmod 600 " + path));
  }
  return {};
}

std::string reason() {
  return strerrordesc_np(errno);
}

Result<Message> read_file(const std::string& path, bool guarded) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0)
    return tl::unexpected(at(errno == ENOENT ? Error::Kind::missing : Error::Kind::refused,
                             "the credentials can't be read: " + reason(), path));
  struct stat file;
  if (fstat(fd.get(), &file) != 0) return tl::unexpected(at(Error::Kind::refused, reason(), path));
  if (!guarded)
    if (const auto fit = check_private(file, path); !fit) return tl::unexpected(fit.error());
  Message text(kMaxCredentialBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return tl::unexpected(
          at(Error::Kind::refused, "the credentials can't be read: " + reason(), path));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxCredentialBytes)
    return tl::unexpected(at(
        Error::Kind::exhausted,
        "the file of credentials has more than " + std::to_string(kMaxCredentialBytes) + " bytes",
        path));
  text.resize(size);
  return text;
}

Result<Credentials> parse(std::string_view text, const std::string& path) {
  Credentials out;
  bool user = false, password = false;
  for (int number = 1; !text.empty(); number++) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#') continue;
    bool* seen = nullptr;
    if (line.starts_with("username=")) {
      out.user = line.substr(9);
      seen = &user;
    } else if (line.starts_with("password=")) {
      out.password = Secret(line.substr(9));
      seen = &password;
    }
    const std::string where = path + ":" + std::to_string(number);
    if (!seen || line.find('\0') != line.npos)
      return tl::unexpected(at(Error::Kind::invalid, "no line of a file of credentials", where,
                               "write `username=NAME` and `password=TEXT`, each on a line"));
    if (*seen) return tl::unexpected(at(Error::Kind::invalid, "the line is there twice", where));
    *seen = true;
  }
  if (!user || out.user.empty())
    return tl::unexpected(
        at(Error::Kind::invalid, "no user", path, "write a line `username=NAME`"));
  if (!password)
    return tl::unexpected(
        at(Error::Kind::invalid, "no password", path, "write a line `password=TEXT`"));
  return out;
}

}  // namespace

void* allocate_undumped(std::size_t bytes) noexcept {
  try {
    auto* header = static_cast<Header*>(pool().allocate(with_header(bytes), kAlignment));
    header->bytes = bytes;
    return header + 1;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void free_undumped(void* memory) noexcept {
  if (!memory) return;
  auto* header = static_cast<Header*>(memory) - 1;
  const std::size_t bytes = header->bytes;
  explicit_bzero(memory, bytes);
  pool().deallocate(header, with_header(bytes), kAlignment);
}

std::size_t size_of_undumped(const void* memory) noexcept {
  return (static_cast<const Header*>(memory) - 1)->bytes;
}

Result<Credentials> read_credentials(const CredentialSource& source) {
  if (source.file.empty() == source.systemd.empty())
    return fail(Error::Kind::invalid, "credentials need a file or the name of a systemd credential",
                {}, "give one of the two");
  std::string path = source.file;
  if (path.empty()) {
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (!folder || !*folder)
      return fail(Error::Kind::missing, "systemd gave this process no credentials",
                  "credential " + source.systemd,
                  "write LoadCredential=" + source.systemd + ":/PATH into the service's unit");
    if (source.systemd.find('/') != source.systemd.npos)
      return fail(Error::Kind::invalid, "a systemd credential has a name, not a path",
                  "credential " + source.systemd);
    path = std::string(folder) + "/" + source.systemd;
  }
  const auto text = read_file(path, source.file.empty());
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

}  // namespace vmirror::net
