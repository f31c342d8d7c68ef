// A CA in a folder, and the certificates that it issued. Each holder's file has its key and its
// certificate, so that both are replaced at one moment; ca.pem is what everybody trusts.
//
//   FOLDER/ca.key             the CA's key; stays where the CA is            mode 0600
//   FOLDER/ca.pem             the CA's certificate, while it is being
//                             replaced also the one before it; newest first       0644
//   FOLDER/host-NAME.pem      of an agent            CN = NAME                    0600
//   FOLDER/server-NAME.pem    of a store's server    CN = server:NAME
//   FOLDER/operator-NAME.pem  of a person            CN = operator:NAME
//   FOLDER/viewer-NAME.pem    of a person            OU = viewer:NAME
//   FOLDER/relay-NAME.pem     of a relay of a store  OU = relay:NAME
//
// The prefix of the name tells the kinds apart: no host's certificate can have the name of a
// person's or a server's, because a host's name has no colon. Who only reads has no common name:
// by the roles of the store (agent/control/store/roles.hpp) a certificate writes rows of its common
// name, and one without writes none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/pki/certificate.hpp"

namespace vmirror::pki {

enum class Holder { host, server, operator_, viewer, relay };
/// "host", "server", "operator", "viewer", "relay"
const char* to_text(Holder holder);
/// As in the certificate, without a machine's names: CN "kvm7", "operator:alice", OU "relay:kvm7".
Subject subject_of(Holder holder, const std::string& name);
/// "host-kvm7.pem"
std::string file_name(Holder holder, const std::string& name);

struct Order {
  Holder holder = Holder::host;
  std::string name;
  std::vector<std::string> dns = {}, addresses = {};
};

/// A certificate of the folder.
struct Entry {
  std::string file;              ///< Without the folder.
  std::optional<Holder> holder;  ///< None: the CA's own.
  std::string name;
  Certificate certificate;
  bool trusted = false;  ///< A CA of ca.pem has signed it.
};

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  /// Makes the folder and the CA. Error::Kind::refused: there is a CA already, or it can't be
  /// written.
  Result<void> make_authority(Time now, Time validity) const;
  /// Writes the holder's file, in place of an earlier one; names that an earlier one had and the
  /// order does not give are kept. Returns the path. Error::Kind::invalid: a name that can't be.
  Result<std::string> issue(const Order& order, Time now, Time validity) const;
  /// A new CA. ca.pem has it and the ones before it, so that certificates of both are trusted. When
  /// it fails, the CA before it goes on issuing.
  Result<void> rotate_authority(Time now, Time validity) const;
  /// Leaves the CA of ca.key alone in ca.pem. Error::Kind::refused: a certificate of the folder is
  /// not of that CA; it would be trusted no more.
  Result<void> retire_authorities() const;
  /// CAs first, then by file. Error::Kind::missing: there is no ca.pem; invalid: a file that is no
  /// certificate.
  Result<std::vector<Entry>> entries() const;

 private:
  Result<KeyPair> authority() const;
  Result<void> write(const std::string& name, const std::string& text, unsigned mode) const;
  std::string path_;
};

}  // namespace vmirror::pki
