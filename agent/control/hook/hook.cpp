#include "agent/control/hook/hook.hpp"

#include <algorithm>
#include <optional>
#include <thread>

#include "agent/control/hook/requirement.hpp"
#include "agent/control/libvirt/domain_xml.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;

struct Operation {
  std::string_view name, suboperation;
  bool may_refuse;
};
constexpr Operation kOperations[] = {{"migrate", "begin", false},
                                     {"prepare", "begin", true},
                                     {"start", "begin", true},
                                     {"release", "end", false}};

const Operation* find_operation(std::string_view name, std::string_view suboperation) {
  for (const Operation& o : kOperations)
    if (o.name == name && o.suboperation == suboperation) return &o;
  return nullptr;
}

/// Between questions while the agent says `not yet`, or does not listen: short at first, because a
/// mirror takes some milliseconds.
constexpr milliseconds kPauseMin{1}, kPauseMax{16};

/// Of the timeout, for what comes after the last wait, and for what was before the first.
milliseconds margin(milliseconds timeout) {
  return std::clamp(timeout / 10, milliseconds(2), milliseconds(100));
}

/// One line of printable text, of bounded length.
std::string tidy(std::string text) {
  constexpr std::size_t kMax = 1000;
  if (text.size() > kMax) text.replace(kMax, text.npos, "...");
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return text;
}

/// The agent's word. `required` is the policy that asks for the guest, if any is known to.
struct Word {
  enum class Is { go_on, refuse, no_answer } is;
  std::string reason;
};

Word ask(const HookSettings& settings, const std::string& request, HookClock::time_point deadline) {
  Word word{Word::Is::no_answer, "the time is over"};
  for (milliseconds pause = kPauseMin;; pause = std::min(pause * 2, kPauseMax)) {
    const auto reply = ask_agent(settings.socket, request, deadline);
    if (reply && reply->status == 200) return {Word::Is::go_on, {}};
    if (reply && reply->status == 409) return {Word::Is::refuse, reply->body};
    if (reply && reply->status == 202) {
      word = {Word::Is::refuse, reply->body};
    } else if (reply) {
      return {Word::Is::no_answer,
              "it answers " + std::to_string(reply->status) + " " + reply->body};
    } else if (word.is == Word::Is::no_answer) {  // What it said of the mirrors tells more.
      word.reason = reply.error().text();
    }
    if (HookClock::now() + pause >= deadline) return word;
    std::this_thread::sleep_for(pause);
  }
}

/// What the agent's file says of the guest.
struct Required {
  bool known = true;  ///< False: there is no file.
  std::optional<std::string> policy;
};

Required look_up(const HookSettings& settings, const ReadBytes& xml, Time now) {
  const auto text = read_file(settings.requirements, kMaxRequirementsFile);
  if (!text && text.error().kind == Error::Kind::missing) return {false, std::nullopt};
  if (!text) return {true, "(" + text.error().text() + ")"};
  const std::vector<Requirement> requirements = parse_requirements(*text);
  if (requirements.empty()) return {};
  const auto guest = xml.whole ? parse_domain(xml.bytes)
                               : fail(Error::Kind::invalid, "not read to its end", "domain XML");
  return {true, required_by(requirements, guest ? &*guest : nullptr, now)};
}

}  // namespace

bool hook_matters(std::string_view operation, std::string_view suboperation) {
  return find_operation(operation, suboperation) != nullptr;
}

HookOutcome run_hook(const HookInvocation& call, const HookSettings& settings, int input,
                     HookClock::time_point started, Time now) {
  const Operation* operation = find_operation(call.operation, call.suboperation);
  if (operation == nullptr) return {};
  const auto deadline = started + settings.timeout - margin(settings.timeout);
  const std::string who = "guest " + call.guest + ", " + call.operation + ": ";

  const ReadBytes xml = read_until(input, kMaxHookXml, deadline);
  const Required required = operation->may_refuse ? look_up(settings, xml, now) : Required{};
  const std::string request =
      encode_hook_request(call.operation, call.guest, xml.whole ? xml.bytes : "");
  if (required.known && !required.policy) {
    if (const auto told = tell_agent(settings.socket, request); !told)
      return {false, tidy(who + "not told: " + told.error().text())};
    return {};
  }
  const Word word = ask(settings, request, deadline);
  switch (word.is) {
    case Word::Is::go_on:
      return {};
    case Word::Is::refuse:
      return {true, tidy(who + word.reason)};
    case Word::Is::no_answer:
      break;
  }
  if (!required.policy) return {false, tidy(who + "goes on without the agent: " + word.reason)};
  return {true, tidy(who + "policy `" + *required.policy +
                     "` requires its mirror, and the agent can't be asked: " + word.reason)};
}

}  // namespace vmirror
