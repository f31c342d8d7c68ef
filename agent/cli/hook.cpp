// `vmirror hook install|remove|status`: libvirt's hook for QEMU guests on this host.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "agent/api/http.hpp"
#include "agent/cli/command.hpp"
#include "agent/cli/table.hpp"
#include "agent/control/hook/settings.hpp"
#include "agent/control/hook/talk.hpp"

namespace vmirror {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr char kHooks[] = "etc/libvirt/hooks";
constexpr char kReload[] =
    "libvirtd reads its list of hooks at its start and reload, and had no hook for QEMU: run "
    "`systemctl reload libvirtd` (or virtqemud)";

struct HookArguments {
  std::string root = "/";
  std::string program;
  HookSettings settings;
  int timeout_ms = 500;

  fs::path hooks() const { return fs::path(root) / kHooks; }
  fs::path file() const { return hooks() / "qemu.d" / "vmirror"; }
};

/// vmirror-hook: beside this program, or in the libexec of its tree. AppArmor's usual profile of
/// libvirtd lets it start what is in a bin folder.
Result<std::string> find_program() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  for (const char* place : {"vmirror-hook", "../libexec/vmirror-hook"}) {
    const fs::path path = (self.parent_path() / place).lexically_normal();
    if (!self.empty() && ::access(path.c_str(), X_OK) == 0) return path.string();
  }
  return fail(Error::Kind::missing, "vmirror-hook was not found",
              self.empty() ? "/proc/self/exe" : self.parent_path().string(),
              "name the program with --program");
}

/// libvirtd refuses every start of a guest if it can't run its hook.
Result<void> check_program(const std::string& path) {
  const auto wrong = [&](const char* what) {
    return fail(Error::Kind::missing, what, path,
                "name vmirror-hook with --program, or install the package vmirror-hook");
  };
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return wrong("the program is not there");
  if (!fs::is_regular_file(path, ignored)) return wrong("not a program");
  if (::access(path.c_str(), X_OK) != 0) return wrong("the program isn't executable");
  return {};
}

/// What is in the hook's place.
enum class InPlace { nothing, ours, foreign };
InPlace look(const fs::path& file, std::string& text) {
  const auto read = read_file(file.string(), kMaxHookFile);
  if (!read) return read.error().kind == Error::Kind::missing ? InPlace::nothing : InPlace::foreign;
  text = *read;
  return is_hook_file(text) ? InPlace::ours : InPlace::foreign;
}

Error foreign(const fs::path& file) {
  return {Error::Kind::refused, "this file isn't vmirror's", file.string(),
          "rename or delete the file"};
}

tl::unexpected<Error> failed(const fs::path& path) {
  return fail(Error::Kind::refused, std::strerror(errno), path.string(), "are you root?");
}

/// libvirtd found a hook for QEMU when it looked: then it also calls one that comes later.
bool has_hook(const HookArguments& a) {
  if (::access((a.hooks() / "qemu").c_str(), X_OK) == 0) return true;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(a.hooks() / "qemu.d", ignored))
    if (::access(entry.path().c_str(), X_OK) == 0) return true;
  return false;
}

/// Executable, and whole from its first moment: libvirtd runs whatever is in the folder.
Result<void> write_hook(const HookArguments& a, const std::string& text) {
  std::error_code error;
  fs::create_directories(a.file().parent_path(), error);
  if (error) {
    errno = error.value();
    return failed(a.file().parent_path());
  }
  const fs::path fresh = a.hooks() / ".vmirror.new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out || ::chmod(fresh.c_str(), 0755) != 0 || ::rename(fresh.c_str(), a.file().c_str()) != 0)
    return failed(a.file());
  return {};
}

int install(const CommandContext& context, HookArguments a) {
  if (a.program.empty()) {
    const auto found = find_program();
    if (!found) return report(context, found.error());
    a.program = *found;
  }
  a.settings.timeout = std::chrono::milliseconds(a.timeout_ms);
  const auto text = hook_file(a.program, a.settings);
  if (!text) return report_usage(context, text.error());
  if (const auto good = check_program(a.program); !good) return report(context, good.error());
  std::string is;
  const InPlace before = look(a.file(), is);
  if (before == InPlace::foreign) return report(context, foreign(a.file()));
  const bool reload = !has_hook(a);
  const bool changed = is != *text;
  if (changed)
    if (const auto done = write_hook(a, *text); !done) return report(context, done.error());
  if (context.json) {
    print_json(context,
               {{"file", a.file().string()}, {"changed", changed}, {"reload_libvirtd", reload}});
    return kOk;
  }
  context.out << a.file().string() << (changed ? " is installed\n" : " was installed already\n");
  if (reload) context.out << kReload << "\n";
  return kOk;
}

int remove(const CommandContext& context, const HookArguments& a) {
  std::string is;
  const InPlace before = look(a.file(), is);
  if (before == InPlace::foreign) return report(context, foreign(a.file()));
  const bool there = before == InPlace::ours;
  if (there && ::unlink(a.file().c_str()) != 0) return report(context, failed(a.file()).value());
  if (context.json)
    print_json(context, {{"file", a.file().string()}, {"changed", there}});
  else
    context.out << a.file().string() << (there ? " is removed\n" : " was not there\n");
  return kOk;
}

/// What is wrong with an installed hook; null: nothing.
json::value trouble(const fs::path& file, const Result<HookSettings>& settings,
                    const std::string& program) {
  if (!settings) return json::value(settings.error().text());
  if (::access(file.c_str(), X_OK) != 0) return json::value(file.string() + " isn't executable");
  if (::access(program.c_str(), X_OK) != 0) return json::value(program + " is not there");
  if (const auto answer = http_call(settings->socket, {"GET", "/v1/status", ""}); !answer)
    return json::value(answer.error().text());
  return nullptr;
}

int status(const CommandContext& context, const HookArguments& a) {
  std::string text;
  const InPlace is = look(a.file(), text);
  json::object out{{"file", a.file().string()}, {"installed", is == InPlace::ours}};
  if (is == InPlace::ours) {
    const auto settings = parse_hook_file(text);
    const std::string program = text.substr(2, text.find('\n') - 2);
    out["program"] = program;
    if (settings) {
      out["socket"] = settings->socket;
      out["requirements"] = settings->requirements;
      out["timeout_ms"] = settings->timeout.count();
    }
    out["error"] = trouble(a.file(), settings, program);
  }
  if (is == InPlace::foreign) out["error"] = foreign(a.file()).text();
  const bool good = is == InPlace::ours && out["error"].is_null();
  if (context.json) {
    print_json(context, out);
  } else {
    context.out << a.file().string()
                << (is == InPlace::ours ? " is installed\n" : " is not installed\n");
    for (const char* key : {"program", "socket", "requirements", "timeout_ms", "error"})
      if (const auto* value = out.if_contains(key); value != nullptr && !value->is_null())
        context.out << "  " << key << ": " << cell(value) << "\n";
  }
  return good ? kOk : kNotWatched;
}

}  // namespace

void add_hook(CLI::App& app, CommandContext& context, int& exit) {
  CLI::App* hook = app.add_subcommand(
      "hook", "Install, remove or show libvirt's hook, which reports starting and incoming guests");
  hook->require_subcommand(1);
  hook->footer("Example: vmirror hook install --timeout 300");
  auto a = std::make_shared<HookArguments>();
  const auto add = [&](const char* name, const char* what, const char* example,
                       int (*run)(const CommandContext&, const HookArguments&)) {
    CLI::App* command = hook->add_subcommand(name, what);
    command->add_flag("--json", context.json, "Print one JSON object");
    command->add_option("--root", a->root, "The folder that has etc/libvirt")
        ->capture_default_str();
    command->footer(std::string("Example: ") + example);
    command->callback([&context, &exit, a, run] { exit = run(context, *a); });
    return command;
  };
  CLI::App* command =
      add("install", "Write /etc/libvirt/hooks/qemu.d/vmirror; refused if a foreign file is there",
          "vmirror hook install --timeout 300",
          [](const CommandContext& c, const HookArguments& h) { return install(c, h); });
  command
      ->add_option("--timeout", a->timeout_ms, "Time-out of one call of the hook, in milliseconds")
      ->check(whole_number(10, 60000))
      ->capture_default_str();
  command->add_option("--socket", a->settings.socket, "The daemon's control socket")
      ->envname("VMIRROR_SOCKET")
      ->capture_default_str();
  command
      ->add_option("--requirements", a->settings.requirements,
                   "The daemon's list of required guests: `requirements` in its `state` folder")
      ->capture_default_str();
  command->add_option("--program", a->program,
                      "The path of vmirror-hook (default: beside vmirror)");
  add("remove", "Remove the hook", "vmirror hook remove", remove);
  add("status", "Show the hook; exit code 2: not installed, or it cannot work",
      "vmirror hook status --json", status);
}

}  // namespace vmirror
