#include "agent/cli/offline.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "agent/api/routes.hpp"
#include "agent/cli/analyze_options.hpp"
#include "agent/cli/asking.hpp"
#include "agent/report/status.hpp"

namespace vmirror {

namespace json = boost::json;

namespace {

/// A folder for events that goes with everything in it.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code ignored;
    std::string form = (std::filesystem::temp_directory_path(ignored) / "vmirror-XXXXXX");
    if (::mkdtemp(form.data()) != nullptr) path_ = form;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }  ///< Empty: it could not be made.

 private:
  std::string path_;
};

Result<AnalyzeReport> analyze_files(const std::vector<std::string>& files, LineSinks* sinks) {
  AnalyzeArguments arguments;
  arguments.files = files;
  auto options = pipeline_options(arguments);
  if (!options) return tl::unexpected(options.error());
  options->eve.sinks = sinks;
  return analyze_arguments(arguments, std::move(*options), {});
}

/// What came before a fault of a file is told, and the fault with it.
void add_faults(const AnalyzeReport& report, json::object& to) {
  const InputSnapshot& input = report.snapshot.inputs.front();
  to["warnings"] = json::array(input.warnings.begin(), input.warnings.end());
  to["error"] = input.error ? json::value(to_json(*input.error)) : json::value();
}

std::uint64_t number(const json::object& event, const char* key) {
  const auto* value = find(event, key);
  return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>() : 0;
}

json::value member(const json::object& event, const char* key) {
  const auto* value = find(event, key);
  return value != nullptr ? *value : json::value();
}

/// The keys of /v1/flows that a flow's event tells.
json::object row_of(const json::object& event) {
  json::object out;
  for (const auto& [side, mac] : {std::pair("src", "ether.src_mac"), {"dest", "ether.dest_mac"}}) {
    const std::string ip = std::string(side) + "_ip", port = std::string(side) + "_port";
    const json::value address = member(event, ip.c_str());
    out[ip] = address.is_null() ? member(event, mac) : address;
    out[port] = member(event, port.c_str());
  }
  for (const char* key : {"proto", "app_proto", "vlan", "community_id"})
    out[key] = member(event, key);
  out["packets"] = number(event, "flow.pkts_toserver") + number(event, "flow.pkts_toclient");
  out["bytes"] = number(event, "flow.bytes_toserver") + number(event, "flow.bytes_toclient");
  out["state"] = member(event, "tcp.state");
  out["start"] = member(event, "flow.start");
  out["end"] = member(event, "flow.end");
  return out;
}

}  // namespace

Result<AnalyzeReport> analyze_flows(const std::vector<std::string>& files,
                                    const std::function<void(const json::object&)>& on_flow) {
  const ScratchFolder scratch;
  if (scratch.path().empty())
    return fail(Error::Kind::refused, std::string("no folder can be made: ") + std::strerror(errno),
                "the folder of temporary files", "name another one by TMPDIR");
  const std::string eve = scratch.path() + "/eve.json";
  SinkOptions sink{FileOutput{eve, 0, 0}};
  sink.drain = std::chrono::minutes(1);
  sink.wait = true;
  auto sinks = LineSinks::open({std::move(sink)});
  if (!sinks) return tl::unexpected(sinks.error());
  auto report = analyze_files(files, sinks->get());
  if (!report) return report;
  (*sinks)->stop();
  if (const SinkStatus written = (*sinks)->status().front(); written.lost_total() > 0)
    return tl::unexpected(
        written.error.value_or(Error{Error::Kind::refused, "events could not be written", eve,
                                     "name a folder with room by TMPDIR"}));
  std::ifstream in(eve);
  for (std::string line; std::getline(in, line);) {
    json::error_code error;
    const json::value event = json::parse(line, error);
    if (!error && event.is_object() && text(event.get_object(), "event_type") == "flow")
      on_flow(event.get_object());
  }
  return report;
}

Result<json::object> assets_of_files(const std::vector<std::string>& files) {
  auto report = analyze_files(files, nullptr);
  if (!report) return tl::unexpected(report.error());
  AssetList list;
  list.assets = std::move(report->snapshot.assets);
  for (const Asset& asset : list.assets) {
    list.from = list.from == 0 ? asset.first : std::min(list.from, asset.first);
    list.to = std::max(list.to, asset.last);
  }
  json::object out = assets_json(list);
  out.erase("workers_missing");
  add_faults(*report, out);
  return out;
}

Result<json::object> flows_of_files(const std::vector<std::string>& files, std::size_t most) {
  std::vector<std::pair<std::uint64_t, json::object>>
      kept;  // A heap: that of the fewest bytes first.
  const auto more = [](const auto& a, const auto& b) { return a.first > b.first; };
  std::uint64_t left_out = 0;
  const auto report = analyze_flows(files, [&](const json::object& event) {
    json::object row = row_of(event);
    kept.emplace_back(row.at("bytes").to_number<std::uint64_t>(), std::move(row));
    std::ranges::push_heap(kept, more);
    if (kept.size() <= most) return;
    std::ranges::pop_heap(kept, more);
    kept.pop_back();
    ++left_out;
  });
  if (!report) return tl::unexpected(report.error());
  std::ranges::sort_heap(kept, more);
  json::array flows;
  for (auto& [bytes, row] : kept) flows.push_back(std::move(row));
  json::object out{{"flows", std::move(flows)}, {"flows_left_out", left_out}};
  add_faults(*report, out);
  return out;
}

}  // namespace vmirror
