// `vmirror pki`: the CA of a store and its agents, and their certificates, in a folder.
#include <algorithm>
#include <cmath>

#include "agent/cli/asking.hpp"
#include "agent/pki/folder.hpp"
#include "plugin/base/text.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr Time kDay = 86400 * kSecond;

struct PkiArguments {
  std::string folder = "/etc/vmirror/pki";
  pki::Order order;
  std::vector<std::string> names;  ///< renew
  int days = 365;                  ///< Of validity.
  int within = 30;                 ///< list, renew
  bool all = false;                ///< renew
};

std::int64_t days_left(const pki::Certificate& c, Time now) {
  return static_cast<std::int64_t>(
      std::floor(static_cast<double>(c.not_after - now) / static_cast<double>(kDay)));
}

json::object entry_json(const pki::Entry& entry, Time now) {
  const pki::Certificate& c = entry.certificate;
  return {{"file", entry.file},
          {"holder", entry.holder ? pki::to_text(*entry.holder) : "ca"},
          {"name", entry.name},
          {"common_name", c.subject.common_name},
          {"unit", c.subject.unit},
          {"subject", c.subject.name()},
          {"dns", json::array(c.subject.dns.begin(), c.subject.dns.end())},
          {"addresses", json::array(c.subject.addresses.begin(), c.subject.addresses.end())},
          {"issuer", c.issuer},
          {"serial", c.serial},
          {"not_before", clock_text(c.not_before)},
          {"not_after", clock_text(c.not_after)},
          {"days_left", days_left(c, now)},
          {"trusted", entry.trusted}};
}

bool is_due(const pki::Entry& entry, int within, Time now) {
  return entry.certificate.not_after - now < within * kDay;
}

int tell_made(const CommandContext& context, const json::object& made, const std::string& text) {
  if (context.json)
    print_json(context, made);
  else
    context.out << text << "\n";
  return kOk;
}

int make(const CommandContext& context, const PkiArguments& a) {
  const pki::Folder folder(a.folder);
  if (const auto made = folder.make_authority(wall_clock(), a.days * kDay); !made)
    return report(context, made.error());
  return tell_made(context, {{"folder", a.folder}, {"ca", folder.file("ca.pem")}},
                   "a CA in " + a.folder + ": ca.pem goes to all hosts, ca.key to none");
}

int issue(const CommandContext& context, const PkiArguments& a) {
  const auto file = pki::Folder(a.folder).issue(a.order, wall_clock(), a.days * kDay);
  if (!file) return report(context, file.error());
  const pki::Subject subject = pki::subject_of(a.order.holder, a.order.name);
  return tell_made(context,
                   {{"file", *file},
                    {"holder", pki::to_text(a.order.holder)},
                    {"name", a.order.name},
                    {"common_name", subject.common_name},
                    {"unit", subject.unit}},
                   *file + ": key and certificate of `" + subject.name() + "`");
}

int list_certificates(const CommandContext& context, const PkiArguments& a) {
  const auto entries = pki::Folder(a.folder).entries();
  if (!entries) return report(context, entries.error());
  const Time now = wall_clock();
  json::array told;
  bool well = true;
  for (const pki::Entry& entry : *entries) {
    well = well && entry.trusted && !is_due(entry, a.within, now);
    told.push_back(entry_json(entry, now));
  }
  if (context.json) {
    print_json(context, {{"certificates", std::move(told)}, {"well", well}});
  } else {
    constexpr Column kColumns[] = {{"file", "FILE"},           {"subject", "NAME"},
                                   {"issuer", "CA", true},     {"trusted", "TRUSTED"},
                                   {"not_after", "EXPIRES"},   {"days_left", "DAYS LEFT"},
                                   {"serial", "SERIAL", true}, {"addresses", "ADDRESSES", true}};
    print_table(context.out, told, kColumns, style(context));
  }
  return well ? kOk : kNotWatched;
}

int renew(const CommandContext& context, const PkiArguments& a) {
  const pki::Folder folder(a.folder);
  const auto entries = folder.entries();
  if (!entries) return report(context, entries.error());
  const Time now = wall_clock();
  json::array files;
  for (const std::string& name : a.names)
    if (std::ranges::find(*entries, name, &pki::Entry::name) == entries->end())
      return report(context, {Error::Kind::missing, "there is no certificate of `" + name + "`",
                              a.folder, "see `vmirror pki list`"});
  for (const pki::Entry& entry : *entries) {
    const bool named = std::ranges::find(a.names, entry.name) != a.names.end();
    if (!entry.holder || !(named || a.all || (a.names.empty() && is_due(entry, a.within, now))))
      continue;
    const auto file =
        folder.issue({.holder = *entry.holder, .name = entry.name}, now, a.days * kDay);
    if (!file) return report(context, file.error());
    files.emplace_back(*file);
  }
  std::string text = count(files.size(), "certificate") + " renewed";
  for (const json::value& file : files) text += "\n" + cell(&file);
  return tell_made(context, {{"renewed", std::move(files)}}, text);
}

int rotate(const CommandContext& context, const PkiArguments& a) {
  const pki::Folder folder(a.folder);
  if (const auto there = folder.entries(); !there) return report(context, there.error());
  if (const auto done = folder.rotate_authority(wall_clock(), a.days * kDay); !done)
    return report(context, done.error());
  return tell_made(
      context, {{"ca", folder.file("ca.pem")}},
      "a new CA; ca.pem trusts it and the one before. Bring ca.pem to all hosts, then "
      "`vmirror pki renew --all` and bring the certificates, then `vmirror pki retire`");
}

int retire(const CommandContext& context, const PkiArguments& a) {
  const pki::Folder folder(a.folder);
  if (const auto done = folder.retire_authorities(); !done) return report(context, done.error());
  return tell_made(context, {{"ca", folder.file("ca.pem")}},
                   "ca.pem trusts the newest CA alone; bring it to all hosts");
}

using PkiAction = int (*)(const CommandContext&, const PkiArguments&);

void add_days(CLI::App& command, PkiArguments& a) {
  command.add_option("--days", a.days, "Days of validity")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
}

}  // namespace

void add_pki(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* group = app.add_subcommand(
      "pki", "Make a CA and the certificates of hosts, servers and operators, in a folder");
  group->require_subcommand(1);
  group->footer("Example: vmirror pki init && vmirror pki issue kvm7 --address 192.0.2.7");
  const auto add = [&](const char* name, const char* text, const char* example, PkiAction action) {
    auto arguments = std::make_shared<PkiArguments>();
    CLI::App* command = group->add_subcommand(name, text);
    command->add_flag("--json", context.json, "Print one JSON object");
    command->add_option("--folder", arguments->folder, "The CA's folder")->capture_default_str();
    command->footer(std::string("Example: ") + example);
    command->callback([&context, &exit, action, arguments] { exit = action(context, *arguments); });
    return std::pair(command, arguments);
  };
  const auto add_issue = [&](const char* name, const char* text, const char* example,
                             pki::Holder holder) {
    const auto [command, arguments] = add(name, text, example, issue);
    arguments->order.holder = holder;
    command->add_option("NAME", arguments->order.name, "The holder's name")->required();
    add_days(*command, *arguments);
    return std::pair(command, arguments);
  };
  const auto add_machine = [&](const char* name, const char* text, const char* example,
                               pki::Holder holder) {
    const auto [command, arguments] = add_issue(name, text, example, holder);
    command->add_option("--address", arguments->order.addresses,
                        "IP address of the machine; may be repeated");
    command->add_option("--dns", arguments->order.dns,
                        "A further DNS name of the machine; may be repeated");
  };
  const auto [first, first_arguments] =
      add("init", "Make the folder and its CA", "vmirror pki init --folder pki", make);
  first_arguments->days = 3650;
  add_days(*first, *first_arguments);
  add_machine("issue", "Make the certificate of a host's agent; NAME is the agent's `host`",
              "vmirror pki issue kvm7 --address 192.0.2.7", pki::Holder::host);
  add_machine("server", "Make the certificate of a server of the store",
              "vmirror pki server kvm7 --address 192.0.2.7", pki::Holder::server);
  add_machine("relay", "Make the certificate of a relay of the store, which may write nothing",
              "vmirror pki relay kvm7 --address 192.0.2.7", pki::Holder::relay);
  const auto [person, person_arguments] =
      add_issue("operator",
                "Make the certificate of a person. An operator may set policies once "
                "`vmirror cluster grant NAME` has named them to the store; a viewer reads",
                "vmirror pki operator alice --role operator", pki::Holder::operator_);
  person
      ->add_option("--role", person_arguments->order.holder,
                   "operator or viewer. Who may do all is root on a server's host, without a "
                   "certificate")
      ->transform(CLI::CheckedTransformer(std::map<std::string, pki::Holder>{
          {"operator", pki::Holder::operator_}, {"viewer", pki::Holder::viewer}}));
  const auto [listing, listing_arguments] =
      add("list",
          "Show the certificates. Exit code 2: one has expired, does soon, or is of a CA that is "
          "trusted no more",
          "vmirror pki list --within 30 --json", list_certificates);
  listing->add_option("--within", listing_arguments->within, "Days that count as soon")
      ->check(CLI::Range(0, 36500))
      ->capture_default_str();
  const auto [again, again_arguments] =
      add("renew", "Make certificates anew, with new keys and the names that they have",
          "vmirror pki renew --within 30", renew);
  again->add_option("NAME", again_arguments->names, "Of these holders");
  again->add_flag("--all", again_arguments->all, "Of all holders")->excludes("NAME");
  again
      ->add_option("--within", again_arguments->within,
                   "Without NAME: those that expire within so many days")
      ->check(CLI::Range(0, 36500))
      ->capture_default_str();
  add_days(*again, *again_arguments);
  const auto [turn, turn_arguments] =
      add("rotate", "Make a new CA; the one before stays trusted until `retire`",
          "vmirror pki rotate", rotate);
  turn_arguments->days = 3650;
  add_days(*turn, *turn_arguments);
  add("retire", "Trust the newest CA alone", "vmirror pki retire", retire);
}

}  // namespace vmirror
