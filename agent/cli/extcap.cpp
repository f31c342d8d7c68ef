// vmirror-extcap: mirrored NICs as interfaces of Wireshark.
//
//   --extcap-interfaces                      one line a NIC; none where no daemon answers
//   --extcap-interface I --extcap-dlts       Ethernet
//   --extcap-interface I --extcap-config     the options below, as Wireshark's dialog shows them
//   --capture --extcap-interface I --fifo F  pcapng into F until SIGTERM, or until nobody reads
//
// Wireshark checks neither a required option nor a capture filter: both are checked here.
// Source: Wireshark's Developer's Guide, "Extcap: Capturing external data sources".
#include <algorithm>

#include "agent/cli/asking.hpp"
#include "agent/cli/capture.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

constexpr std::string_view kInterfacePrefix = "vmirror-";

/// Braces end a value of Wireshark's form, and a line ends all.
std::string without_braces(std::string text) {
  for (char& c : text)
    if (c == '{' || c == '}' || static_cast<unsigned char>(c) < ' ') c = '_';
  return text;
}

void print_interfaces(const CommandContext& context) {
  context.out << "extcap {version=" << VMIRROR_VERSION
              << "}{display=vmirror: mirrored virtual machines}\n";
  const auto answer = ask_daemon(context, "/v1/sessions");
  if (!answer) {
    say(context, answer.error());
    return;
  }
  for (const CaptureNic& nic : capture_nics(rows(*answer, "sessions"))) {
    const std::string vm = nic.vm.empty() ? "" : nic.vm + ", ";
    context.out << "interface {value=" << kInterfacePrefix << without_braces(nic.port)
                << "}{display=vmirror: "
                << without_braces(vm + nic.switch_name + "/" + nic.port + ", " + nic.mac.text())
                << "}\n";
  }
}

void print_config(const CommandContext& context) {
  context.out << "arg {number=0}{call=--snaplen}{display=Bytes of each frame}{type=unsigned}"
                 "{default=0}{tooltip=0: all of them}\n"
                 "arg {number=1}{call=--socket}{display=Control socket of vmirrord}{type=string}"
                 "{default="
              << without_braces(context.socket) << "}{tooltip=The daemon of this host}\n";
}

int tell_extcap_usage(const CommandContext& context, const std::string& what) {
  context.err << "vmirror-extcap: " << what << " (vmirror-extcap --help)\n";
  return kUsage;
}

}  // namespace

int run_extcap(std::vector<std::string> words, CommandContext& context) {
  CLI::App app{
      "Lists mirrored NICs to Wireshark and tshark, and captures one of them. Link it into "
      "the folder that `tshark -G folders` calls the extcap path.",
      "vmirror-extcap"};
  app.set_version_flag("--version", std::string("vmirror-extcap ") + VMIRROR_VERSION);
  app.footer(
      "Exit codes: 0 done; 1 failed, standard error says why; 64 wrong command line; 70 a fault of "
      "vmirror-extcap.\n\nExample: vmirror-extcap --extcap-interfaces");
  CaptureRequest request;
  request.file.clear();
  std::string interface, wireshark;
  bool list = false, dlts = false, config = false, capture = false;
  app.add_flag("--extcap-interfaces", list, "List the NICs");
  app.add_flag("--extcap-dlts", dlts, "List the link types of the interface");
  app.add_flag("--extcap-config", config, "List the options of the interface");
  app.add_flag("--capture", capture, "Capture the interface into the FIFO");
  app.add_option("--extcap-version", wireshark, "Wireshark's version");
  app.add_option("--extcap-interface", interface, "vmirror-PORT, as --extcap-interfaces lists it");
  app.add_option("--extcap-capture-filter", request.filter, "A filter of libpcap");
  app.add_option("--fifo", request.file, "Where pcapng is written");
  app.add_option("--snaplen", request.snaplen, "Bytes of each frame; 0: all");
  app.add_option("--socket", context.socket, "The daemon's control socket")
      ->envname("VMIRROR_SOCKET");
  std::reverse(words.begin(), words.end());  // As CLI11 takes a vector.
  try {
    app.parse(words);
  } catch (const CLI::Success& e) {
    return app.exit(e, context.out, context.err);
  } catch (const CLI::ParseError& e) {
    app.exit(e, context.out, context.err);
    return kUsage;
  }
  if (list) {
    print_interfaces(context);
    return kOk;
  }
  if (!interface.starts_with(kInterfacePrefix) || interface.size() == kInterfacePrefix.size())
    return tell_extcap_usage(context, "--extcap-interface must be vmirror-PORT");
  if (dlts) {
    context.out << "dlt {number=1}{name=EN10MB}{display=Ethernet}\n";
    return kOk;
  }
  if (config) {
    print_config(context);
    return kOk;
  }
  if (!capture)
    return tell_extcap_usage(context,
                             "one of --extcap-interfaces, --extcap-dlts, --extcap-config, "
                             "--capture is needed");
  if (request.file.empty()) return tell_extcap_usage(context, "--capture needs --fifo");
  request.name = interface.substr(kInterfacePrefix.size());
  const auto summary = capture_frames(context, request);
  return summary ? kOk : say(context, summary.error());
}

}  // namespace vmirror
