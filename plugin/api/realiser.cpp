#include "plugin/api/realiser.hpp"

namespace vmirror {

Realisation realise(const Desired& desired, const Observed& observed, Realiser& fresh) {
  // By place, so that the first are served first and two of one name are two.
  SessionMap sessions;
  std::vector<std::string> places;
  for (const Session& s : desired.sessions) {
    std::string place = std::to_string(places.size());
    places.push_back(std::string(20 - place.size(), '0') + place);
    sessions.set(places.back(), s);
  }
  fresh.update(sessions, std::make_shared<const Observed>(observed));
  Realisation out{fresh.objects(), fresh.mirrors(), {}};
  for (const std::string& place : places) out.verdicts.push_back(fresh.verdicts().at(place));
  return out;
}

}  // namespace vmirror
