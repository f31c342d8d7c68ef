// Changes of the store that a person asks for: each is one transaction, which is composed anew
// while others change the store at the same time. They wait. `client` replicates all policies;
// forget_host needs one that replicates all hosts, too.
//
// Error::Kind::refused: the server says no; where its roles do (roles.hpp), the remedy says whom to
// ask. unreachable: it isn't known whether it happened, or surely not; the error says which.
#pragma once

#include <string>

#include "plugin/base/clock.hpp"
#include "plugin/base/result.hpp"
#include "plugin/ovsdb/client.hpp"

namespace vmirror {

/// Sets the policy of this text. The same text again changes nothing, unless the policy has ended
/// by its `ttl`, or may have (a clock ahead of `now` set it): then it begins anew. Policies that
/// ended more than a day ago go. `by`: who asks; by TLS it must be the common name of the client's
/// certificate. Returns the generation. Error::Kind::invalid: no policy.
Result<std::int64_t> put_policy(ovsdb::Client& client, const std::string& yaml,
                                const std::string& by, Time now);
/// Removes a policy, and notes who did; of the latest kMostRemovals the notes are kept. `by`: as of
/// put_policy(). Error::Kind::missing: the store has none of this name.
Result<void> drop_policy(ovsdb::Client& client, const std::string& name, const std::string& by,
                         Time now);
constexpr std::size_t kMostRemovals = 200;
/// Removes the rows of a host. An agent that lives writes them anew.
Result<void> forget_host(ovsdb::Client& client, const std::string& name);

}  // namespace vmirror
