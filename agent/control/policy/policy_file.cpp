#include "agent/control/policy/policy_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "agent/control/policy/filter_reader.hpp"
#include "agent/control/policy/yaml.hpp"

namespace vmirror {
namespace {

namespace fs = std::filesystem;
using yaml::Node;
using yaml::Reader;

constexpr std::string_view kTargetForms =
    "`local`, `erspan: {address: IP}`, `gre: {address: IP}` or `rspan: {vlan: N}`";

/// A glob of MACs as the switches write them: lower case, colons.
std::string mac_glob(std::string text) {
  for (char& c : text)
    c = c == '-' ? ':' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Result<void> read_selector(const Node& node, std::vector<Selector>& out) {
  if (out.size() == kMostSelectors)
    return node.wrong("more than " + std::to_string(kMostSelectors) + " entries of `select`",
                      "use patterns, or write several policies");
  Selector s;
  const Reader labels = yaml::dictionary(
      [&s](std::string key, std::string value) { s.labels[std::move(key)] = std::move(value); });
  const auto done = yaml::map({
      {"vm", yaml::text(s.vm)},
      {"uuid", yaml::text(s.uuid)},
      {"mac", yaml::text(s.mac)},
      {"port", yaml::text(s.port)},
      {"title", yaml::text(s.title)},
      {"network", yaml::text(s.network)},
      {"labels", labels},
      {"external_ids", labels},  // Open vSwitch's word.
  })(node);
  if (!done) return done;
  s.mac = mac_glob(s.mac);
  if (s == Selector{})
    return node.wrong("an entry of `select` has no condition",
                      "to select every NIC write `port: \"*\"`");
  out.push_back(std::move(s));
  return {};
}

Reader address(IpAddress& out) {
  return yaml::parsed(out, IpAddress::parse, "write an IPv4 or IPv6 address");
}

Result<void> read_erspan(const Node& node, Target& out) {
  ErspanTarget t;
  const Reader session = [&t](const Node& at) -> Result<void> {
    if (at.scalar() == "auto") {
      t.session.reset();
      return {};
    }
    auto done =
        yaml::integer([&t](auto v) { t.session = static_cast<std::uint16_t>(v); }, 0, 1023)(at);
    if (!done) done.error().remedy += ", or `auto`";
    return done;
  };
  const auto done = yaml::map({
      {"address", address(t.address), true},
      {"version", yaml::one_of<int>(t.version, {{"2", 2}, {"3", 3}})},
      {"session", session},
  })(node);
  if (done) out = t;
  return done;
}

Result<void> read_gre(const Node& node, Target& out) {
  GreTarget t;
  const auto done = yaml::map({
      {"address", address(t.address), true},
      {"key",
       yaml::integer([&t](auto v) { t.key = static_cast<std::uint32_t>(v); }, 0, 0xffffffff)},
  })(node);
  if (done) out = t;
  return done;
}

Result<void> read_rspan(const Node& node, Target& out) {
  RspanTarget t;
  const auto done = yaml::map({
      {"vlan", yaml::number(t.vlan, 1, 4094), true},
      {"restrict", yaml::boolean(t.restrict)},
  })(node);
  if (done) out = t;
  return done;
}

Result<void> read_target(const Node& node, std::vector<Target>& out) {
  Target target;
  if (!node.is_map()) {
    if (node.scalar() != "local")
      return node.wrong("unknown target `" + node.scalar() + "`",
                        "write " + std::string(kTargetForms));
  } else {
    if (node.size() != 1)
      return node.wrong("an entry of `targets` holds " + std::to_string(node.size()) + " targets",
                        "write one `- ...` for each");
    const auto done = yaml::map({
        {"erspan", [&](const Node& at) { return read_erspan(at, target); }},
        {"gre", [&](const Node& at) { return read_gre(at, target); }},
        {"rspan", [&](const Node& at) { return read_rspan(at, target); }},
        {"local",
         [](const Node& at) -> Result<void> {
           return at.wrong("`local` takes no options", "write `- local`");
         }},
    })(node);
    if (!done) return done;
  }
  if (std::ranges::find(out, target) != out.end())
    return node.wrong("target " + to_text(target) + " is given twice", "keep one of them");
  out.push_back(target);
  return {};
}

Result<void> read_name(const Node& node, std::string& out) {
  static const std::regex form("[A-Za-z0-9][A-Za-z0-9._-]{0,62}");
  out = node.scalar();
  if (std::regex_match(out, form)) return {};
  return node.wrong("`policy` is `" + out + "`",
                    "write a name of at most 63 letters, digits, `.`, `_` or `-`");
}

Result<void> read_snaplen(const Node& node, std::uint32_t& out) {
  const auto done = yaml::number(out, 0, 65535)(node);
  if (done && (out == 0 || out >= 14)) return done;
  return node.wrong("`snaplen` is `" + node.scalar() + "`",
                    "write 0 for whole frames, or 14 to 65535 bytes");
}

/// `drop`, or `{truncate: BYTES}`.
Result<void> read_over_budget(const Node& node, std::uint32_t& truncate) {
  constexpr const char* kForms = "write `drop`, or `{truncate: 128}`";
  if (node.is_map())
    return yaml::map({{"truncate", yaml::number(truncate, 14, 65535), true}})(node);
  if (node.scalar() == "drop") return {};
  if (node.scalar() == "sample")
    return node.wrong("`over_budget: sample`: no switch that vmirror drives takes every nth frame",
                      kForms);
  return node.wrong("`over_budget` is `" + node.scalar() + "`", kForms);
}

Reader read_vlans(std::set<std::uint16_t>& out) {
  return yaml::list([&out](const Node& node) {
    return yaml::integer([&out](auto v) { out.insert(static_cast<std::uint16_t>(v)); }, 0,
                         4094)(node);
  });
}

/// The path of the file that holds the policy; "" when none does.
std::string path_of(const PolicyFolder& folder, const std::string& name) {
  for (const PolicyFile& file : folder.files)
    if (file.policy && file.policy->name == name) return file.path;
  return {};
}

/// The paths of the folder's files, sorted.
Result<std::vector<std::string>> list_policies(const std::string& path) {
  struct stat s {};
  std::error_code code;
  if (::stat(path.c_str(), &s) == 0)
    if (const auto good = check_trusted(s, path); !good) return tl::unexpected(good.error());
  std::vector<std::string> out;
  for (fs::directory_iterator it(path, code), end; !code && it != end; it.increment(code)) {
    const std::string name = it->path().filename().string();
    const std::string extension = it->path().extension().string();
    if ((extension == ".yaml" || extension == ".yml") && name.front() != '.')
      out.push_back(it->path().string());
  }
  if (code)
    return fail(Error::Kind::missing, "the folder of policies can't be read: " + code.message(),
                path, "create it, or set `policies` in the configuration");
  std::ranges::sort(out);
  return out;
}

Result<Policy> read_file(const std::string& path, const FileState& state) {
  auto policy = read_trusted(path, yaml::Bounds{}.bytes).and_then([&](const std::string& text) {
    return parse_policy(text, path);
  });
  if (policy && policy->ttl) policy->set_at = state.written;
  std::error_code ignored;
  if (!policy && policy.error().kind == Error::Kind::invalid && fs::is_symlink(path, ignored)) {
    policy.error().what = "the link leads to a file that is no policy";
    policy.error().remedy = "correct this line; what is in the file is not shown here";
  }
  return policy;
}

/// Gives each file its policy or its error.
void assign_names(PolicyFolder& folder) {
  std::map<std::string_view, const PolicyFile*> owners;
  for (PolicyFile& file : folder.files) {
    if (!file.read) {
      file.error = Error{Error::Kind::exhausted,
                         "not read: a folder has at most " + std::to_string(kMostPolicyFiles) +
                             " policies of " + std::to_string(kMostPolicyBytes) + " bytes in all",
                         file.path, "join policies, or remove files"};
    } else if (!*file.read) {
      file.error = file.read->error();
    } else if (const auto [owner, fresh] = owners.emplace((*file.read)->name, &file); !fresh) {
      file.error =
          Error{Error::Kind::invalid,
                "policy `" + (*file.read)->name + "` is in " + owner->second->path + " too",
                file.path, "give one of them another name"};
    } else {
      file.policy = **file.read;
    }
  }
}

/// A bad file's policy stays as it was, unless another file has one of its name by now.
void keep_earlier(PolicyFolder& folder,
                  const std::map<std::string_view, const PolicyFile*>& earlier) {
  std::set<std::string> names;
  for (const PolicyFile& file : folder.files)
    if (file.policy) names.insert(file.policy->name);
  for (PolicyFile& file : folder.files) {
    const auto last = earlier.find(file.path);
    if (file.policy || last == earlier.end() || !last->second->policy) continue;
    if (names.insert(last->second->policy->name).second) file.policy = last->second->policy;
  }
}

Result<void> write_whole(const std::string& path, std::string_view text) {
  const auto refused = [&](const char* doing) {
    return fail(Error::Kind::refused, std::string(doing) + ": " + std::strerror(errno), path,
                "is there room, and may the daemon write here?");
  };
  ::unlink(path.c_str());  // Whatever lies there, a link to another file as well, is not written.
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return refused("can't be created");
  const auto written = ::write(fd, text.data(), text.size());
  const bool ok = written == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (ok) return {};
  errno = error;
  return refused("can't be written");
}

}  // namespace

Result<Time> parse_time(std::string_view text) {
  static const std::regex form(
      R"((\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|([+-])(\d\d):(\d\d)))");
  const auto wrong = [&] {
    return fail(Error::Kind::invalid, "`" + std::string(text) + "` is not a time");
  };
  std::cmatch m;
  if (text.size() > 40) return wrong();  // std::regex recurses by the length.
  if (!std::regex_match(text.data(), text.data() + text.size(), m, form)) return wrong();
  const auto part = [&m](int i) { return std::stoi(m[static_cast<std::size_t>(i)].str()); };
  const std::chrono::year_month_day day{std::chrono::year(part(1)),
                                        std::chrono::month(static_cast<unsigned>(part(2))),
                                        std::chrono::day(static_cast<unsigned>(part(3)))};
  if (!day.ok() || part(4) > 23 || part(5) > 59 || part(6) > 60) return wrong();
  Time seconds = std::chrono::sys_days(day).time_since_epoch().count() * Time{86400} +
                 part(4) * 3600 + part(5) * 60 + part(6);
  if (m[9].matched) {
    const Time offset = part(10) * 3600 + part(11) * 60;
    seconds += m[9].str() == "+" ? -offset : offset;
  }
  constexpr Time kMax = INT64_MAX / kSecond;
  if (seconds > kMax || seconds < -kMax) return wrong();
  return seconds * kSecond;
}

Result<Time> parse_duration(std::string_view text) {
  static const std::regex form("(?:(\\d{1,3})d)?(?:(\\d{1,4})h)?(?:(\\d{1,6})m)?(?:(\\d{1,8})s)?");
  constexpr Time kMost = 366 * 86400 * kSecond;
  std::cmatch m;
  Time out = 0;
  if (text.size() < 32 && std::regex_match(text.data(), text.data() + text.size(), m, form))
    for (const auto& [part, seconds] : {std::pair(1, 86400), {2, 3600}, {3, 60}, {4, 1}})
      if (m[part].matched) out += std::stoll(m[part].str()) * seconds * kSecond;
  if (out > 0 && out <= kMost) return out;
  return fail(Error::Kind::invalid, "`" + std::string(text) + "` is no time of 1s to 366d");
}

Result<Policy> parse_policy(std::string_view text, const std::string& file) {
  Policy p;
  Time expires = 0, ttl = 0;
  const auto done = yaml::read(
      text, file,
      yaml::map({
          {"policy", [&](const Node& at) { return read_name(at, p.name); }, true},
          {"select", yaml::list([&](const Node& at) { return read_selector(at, p.select); }), true},
          {"direction", yaml::one_of<Direction>(p.direction, {{"in", Direction::in},
                                                              {"out", Direction::out},
                                                              {"both", Direction::both}})},
          {"snaplen", [&](const Node& at) { return read_snaplen(at, p.snaplen); }},
          {"vlans", read_vlans(p.vlans)},
          {"filter", filter_reader(p.filter)},
          {"targets", yaml::list([&](const Node& at) { return read_target(at, p.targets); }), true},
          {"priority", yaml::number(p.priority, -1000, 1000)},
          {"over_budget", [&](const Node& at) { return read_over_budget(at, p.truncate); }},
          {"expires",
           [&](const Node& at) -> Result<void> {
             const auto read =
                 yaml::parsed(expires, parse_time, "write it as 2026-12-31T00:00:00Z")(at);
             if (read) p.expires = expires;
             return read;
           }},
          {"ttl",
           [&](const Node& at) -> Result<void> {
             const auto read = yaml::parsed(ttl, parse_duration, "write it as 4h, or 1h30m")(at);
             if (read) p.ttl = ttl;
             return read;
           }},
          {"require", yaml::boolean(p.require)},
          {"sensor", yaml::one_of<Policy::Sensor>(p.sensor, {{"stay", Policy::Sensor::stay},
                                                             {"follow", Policy::Sensor::follow}})},
      }));
  if (!done) return tl::unexpected<Error>(done.error());
  const auto needs_one = [&](const char* key, const char* remedy) {
    return fail(Error::Kind::invalid, std::string("`") + key + "` is empty", file, remedy);
  };
  if (p.select.empty()) return needs_one("select", "to select every NIC write `- port: \"*\"`");
  if (p.targets.empty()) return needs_one("targets", "write at least `- local`");
  return p;
}

std::optional<Error> PolicyFolder::first_error() const {
  if (error) return error;
  for (const PolicyFile& file : files)
    if (file.error) return file.error;
  return std::nullopt;
}

bool PolicyFolder::whole() const {
  return std::ranges::all_of(files, [](const PolicyFile& file) { return file.policy.has_value(); });
}

std::vector<Policy> PolicyFolder::policies() const {
  std::vector<Policy> out;
  for (const PolicyFile& file : files)
    if (file.policy) out.push_back(*file.policy);
  return out;
}

PolicyFolder read_policies(const std::string& path, const PolicyFolder& before) {
  PolicyFolder folder{path};
  auto names = list_policies(path);
  if (!names) {
    folder.error = names.error();
    return folder;
  }
  std::map<std::string_view, const PolicyFile*> earlier;
  for (const PolicyFile& file : before.files) earlier.emplace(file.path, &file);
  std::size_t bytes = 0;
  for (std::string& name : *names) {
    const auto known = earlier.find(name);
    const PolicyFile* last = known != earlier.end() ? known->second : nullptr;
    PolicyFile file{std::move(name), {}, {}};
    file.state = FileState::of(file.path);
    const bool fits = folder.files.size() < kMostPolicyFiles &&
                      file.state.bytes <= kMostPolicyBytes - std::min(bytes, kMostPolicyBytes);
    if (!fits) {
      folder.files.push_back(std::move(file));
      continue;
    }
    bytes += file.state.bytes;
    const bool same = last != nullptr && last->read && last->state == file.state;
    file.read = same ? last->read
                     : std::make_shared<const Result<Policy>>(read_file(file.path, file.state));
    folder.files.push_back(std::move(file));
  }
  assign_names(folder);
  keep_earlier(folder, earlier);
  return folder;
}

Result<std::string> keep_policy(const PolicyFolder& folder, std::string_view text,
                                const std::string& file) {
  const auto policy = parse_policy(text, file);
  if (!policy) return tl::unexpected<Error>(policy.error());
  std::string path = path_of(folder, policy->name);
  if (path.empty()) path = (fs::path(folder.path) / (policy->name + ".yaml")).string();
  // The dot hides the unfinished file from readers of the folder.
  const std::string unfinished = (fs::path(folder.path) / ("." + policy->name + ".new")).string();
  if (const auto done = write_whole(unfinished, text); !done)
    return tl::unexpected<Error>(done.error());
  std::error_code code;
  fs::rename(unfinished, path, code);
  if (!code) return path;
  fs::remove(unfinished, code);
  return fail(Error::Kind::refused, "can't be replaced", path, "may the daemon write here?");
}

Result<void> drop_policy(const PolicyFolder& folder, const std::string& name) {
  const std::string path = path_of(folder, name);
  if (path.empty())
    return fail(Error::Kind::missing, "there is no policy `" + name + "`", folder.path,
                "see `vmirror status`");
  std::error_code code;
  fs::remove(path, code);
  if (code)
    return fail(Error::Kind::refused, "can't be removed: " + code.message(), path,
                "may the daemon write here?");
  return {};
}

}  // namespace vmirror
