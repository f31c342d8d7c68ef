// The folder of policies, watched: what is put there, by an editor or by `vmirror apply`, comes in
// force whole or not at all. Used by the thread of its io_context.
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
  using Use = std::function<void(std::vector<Policy>)>;

  /// Reads the folder and watches it (inotify(7)). `use` is called with all policies whenever a
  /// good set was read that differs from the last one.
  PolicyStore(boost::asio::io_context& io, std::string folder, Use use);
  ~PolicyStore();
  PolicyStore(const PolicyStore&) = delete;
  PolicyStore& operator=(const PolicyStore&) = delete;

  /// Reads the folder now. With any file bad, what was in force stays.
  void reload();
  /// To be called once a second. Reads the folder where inotify is silent: it can't be read or
  /// watched, its path leads to another folder (a symbolic link was turned, a parent renamed), or
  /// a link in it, symbolic or hard, to another or a changed file.
  void look();
  /// As it was last read, good or not.
  const PolicyFolder& folder() const;

  /// Keeps the policy as a file and puts it in force. Error::Kind::invalid for a bad policy;
  /// refused while another file of the folder is bad, because then it could not come in force.
  /// Returns the policy's name and the file's path.
  Result<std::pair<std::string, std::string>> keep(std::string_view yaml);
  Result<void> drop(const std::string& name);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace vmirror
