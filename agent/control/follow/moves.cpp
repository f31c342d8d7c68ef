#include "agent/control/follow/moves.hpp"

#include <map>
#include <set>
#include <string>

namespace vmirror {

std::vector<SeenMove> moves_of(const RoundChanges& changes) {
  struct Seen {
    std::string name;
    std::set<std::string> before, after;
  };
  std::map<std::string, Seen> guests;
  for (const auto& port : changes.ports)
    for (const auto& [at, hosts] :
         {std::pair(&port.before, &Seen::before), {&port.after, &Seen::after}}) {
      if (!*at || (*at)->vm_uuid.empty()) continue;
      Seen& seen = guests[(*at)->vm_uuid];
      seen.name = (*at)->vm_name;
      (seen.*hosts).insert((*at)->host);
    }
  std::vector<SeenMove> out;
  for (const auto& [uuid, seen] : guests) {
    if (seen.before.size() != 1 || seen.after.size() != 1 || seen.before == seen.after) continue;
    out.push_back({.vm_uuid = uuid,
                   .vm_name = seen.name,
                   .from = *seen.before.begin(),
                   .to = *seen.after.begin(),
                   .notes = {"gap and pause not measured: the move was seen from outside of both "
                             "hosts, and the switch tells no counters of the guest's ports"}});
  }
  return out;
}

}  // namespace vmirror
