// What `analyze` and `dissect` both let a person say of reading capture files.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "agent/engine/worker/analyze.hpp"

namespace vmirror {

struct AnalyzeArguments {
  std::vector<std::string> files;
  std::string protocols = "all";
  std::string eve;  ///< analyze only.
  std::vector<std::uint32_t> sessions;
  int rspan_vlan = 0;
  std::vector<std::string> udp_ports;  ///< "vxlan=5000"
  std::vector<std::string> identity;   ///< Empty: the default.
  std::string filter;                  ///< Of libpcap; empty: every frame.
  bool encapsulated_only = false;
  /// Seconds, in the frames' time; less than 0: the daemon's default. analyze only.
  std::int64_t learn = -1;
};

/// Declares FILE and the options of an input. `arguments` must outlive the parsing.
void add_analyze_options(CLI::App& command, AnalyzeArguments& arguments);

/// Analyses the files that the arguments name; `-` is standard input. Error: as analyze's, or a
/// --filter that is no expression of libpcap.
Result<AnalyzeReport> analyze_arguments(const AnalyzeArguments& arguments, PipelineOptions options,
                                        const std::function<void(std::uint64_t)>& progress = {});

/// The pipeline that the arguments ask for. Error: an unknown protocol, port or identity.
Result<PipelineOptions> pipeline_options(const AnalyzeArguments& arguments);

}  // namespace vmirror
