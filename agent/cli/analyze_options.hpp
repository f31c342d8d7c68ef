// What `analyze` and `dissect` both let a person say of reading capture files.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "agent/engine/worker/pipeline.hpp"

namespace vmirror {

struct AnalyzeArguments {
  std::vector<std::string> files;
  std::string protocols = "all";
  std::string eve;  ///< analyze only.
  std::vector<std::uint32_t> sessions;
  int rspan_vlan = 0;
  std::vector<std::string> udp_ports;  ///< "vxlan=5000"
  bool encapsulated_only = false;
};

/// Declares FILE, --protocols, --session, --rspan-vlan and --encapsulated-only. `arguments` must
/// outlive the parsing.
void add_analyze_options(CLI::App& command, AnalyzeArguments& arguments);

/// The pipeline that the arguments ask for. Error: an unknown protocol.
Result<PipelineOptions> pipeline_options(const AnalyzeArguments& arguments);

}  // namespace vmirror
