// Secrets: memory that is left out of core dumps and wiped when freed, and the user and password
// that a driver logs in with.
#pragma once

#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.hpp"

namespace vmirror::net {

/// Memory of pages that a core dump leaves out (madvise(2), MADV_DONTDUMP). `free_undumped`
/// overwrites the memory before it gives it back. Null where the machine has no memory left. Any
/// thread.
void* allocate_undumped(std::size_t bytes) noexcept;
void free_undumped(void* memory) noexcept;
/// The bytes that an allocation was asked for.
std::size_t size_of_undumped(const void* memory) noexcept;

/// The allocator of containers whose contents are secret. A std::basic_string keeps up to 15
/// characters in itself, thus in memory of another kind: use it for texts that are always longer.
template <typename T>
struct UndumpedAllocator {
  using value_type = T;
  UndumpedAllocator() = default;
  template <typename U>
  UndumpedAllocator(const UndumpedAllocator<U>&) {}
  T* allocate(std::size_t count) {
    void* memory = allocate_undumped(count * sizeof(T));
    if (!memory) throw std::bad_alloc();
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) { free_undumped(memory); }
  bool operator==(const UndumpedAllocator&) const = default;
};

/// A message that may hold a secret: a request with a password, an answer with a session's key.
using Message = std::basic_string<char, std::char_traits<char>, UndumpedAllocator<char>>;

/// A password. Has no output operator and no comparison.
class Secret {
 public:
  Secret() : Secret(std::string_view()) {}
  explicit Secret(std::string_view text) : bytes_(text.begin(), text.end()) {
    bytes_.push_back('\0');
  }
  std::string_view view() const { return {bytes_.data(), bytes_.size() - 1}; }
  const char* c_str() const { return bytes_.data(); }

 private:
  std::vector<char, UndumpedAllocator<char>> bytes_;  ///< With a zero behind it.
};

struct Credentials {
  std::string user;  ///< "administrator@vsphere.local", "EXAMPLE\\agent"
  Secret password;
};

/// Where the credentials are; exactly one of the two is set.
struct CredentialSource {
  std::string file;     ///< A path.
  std::string systemd;  ///< The name of a credential of this service (systemd.exec(5),
                        ///< LoadCredential=).
};

constexpr std::size_t kMaxCredentialBytes = 4096;  ///< A file's size.

/// Reads the form of mount.cifs(8): lines `username=NAME` and `password=TEXT`, empty lines and
/// lines that begin with `#`. A password is taken to the end of its line, blanks included.
/// Error::Kind::refused: the file is not a regular file, belongs to neither this user nor root, or
/// others may use it (a mode other than 0600 and 0400). systemd guards its own credentials, whose
/// mode is not looked at. Error::Kind::missing: there is no file, or no CREDENTIALS_DIRECTORY (what
/// systemd sets). Error::Kind::invalid: another form; the line's number is told, never its text.
Result<Credentials> read_credentials(const CredentialSource& source);

}  // namespace vmirror::net
