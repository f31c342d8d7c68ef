// The folder of policies, watched: changes, by an editor or by `vmirror apply`, come in force file
// by file, each whole or not at all. Used by the thread of its io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/control/policy/policy_file.hpp"

namespace vmirror {

class PolicyStore {
 public:
  using Use = std::function<void(const PolicyFolder&)>;

  /// Reads the folder and watches it (inotify(7)). `use` is called with the folder whenever a set
  /// of policies was read that differs from the last set.
  PolicyStore(boost::asio::io_context& io, std::string folder, Use use);
  ~PolicyStore();
  PolicyStore(const PolicyStore&) = delete;
  PolicyStore& operator=(const PolicyStore&) = delete;

  /// Reads the folder now. The policy of a file that went bad stays in force as it was; all stay
  /// while the folder can't be read.
  void reload();
  /// To be called once a second. Reads the folder in the cases that inotify does not report: the
  /// folder can't be read or watched, its path leads to another folder (a changed symbolic link, a
  /// renamed parent), or a symbolic or hard link in it leads to another or a changed file.
  void look();
  /// The folder as last read, good or not.
  const PolicyFolder& folder() const;

  /// Stores the policy as a file and puts it in force. Error::Kind::invalid: a bad policy;
  /// exhausted, refused: it is stored, and a bound of the folder or its rights keep it out of
  /// force. Returns the policy's name and the file's path.
  Result<std::pair<std::string, std::string>> keep(std::string_view yaml);
  Result<void> drop(const std::string& name);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vmirror
