// A small network's traffic for the engine's tests, and how the tests run and print it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/engine/worker/pipeline.hpp"
#include "tests/support/frames.hpp"

namespace vmirror::test {

/// The frames of one: ARP, ping, DNS, Modbus/TCP with a message over two segments and a
/// retransmission, IPv6, a VLAN, LLDP, IP fragments. `only_ip`: neither ARP, LLDP nor tags.
std::vector<Buffer> scene(bool only_ip = false);

/// All protocols.
std::shared_ptr<const Dissectors> all_dissectors();

/// A file for EVE lines that goes with the test.
class EveFile {
 public:
  EveFile();
  ~EveFile();
  EveFile(const EveFile&) = delete;
  EveFile& operator=(const EveFile&) = delete;
  LineSinks* sinks() { return sinks_.get(); }
  /// Closes the sink. Without "vmirror":{...}
  std::vector<std::string> lines();
  /// Closes the sink. As they were written.
  std::vector<std::string> whole_lines();

 private:
  std::filesystem::path path_;
  std::unique_ptr<LineSinks> sinks_;
};

/// What a pipeline made of frames: its end, and the EVE lines that it wrote.
struct Analysed {
  EngineSnapshot snapshot;
  std::vector<std::string> eve;  ///< Without "vmirror":{...}
};

/// Runs frames through a pipeline, `batch` at a time, a millisecond apart, and flushes. Asserts
/// that no frame is unaccounted for after each batch.
Analysed run(const std::vector<Buffer>& frames, PipelineOptions options = {},
             std::size_t batch = 64);

/// Assets and protocols, one a line, without times.
std::string text_of(const EngineSnapshot& snapshot);

}  // namespace vmirror::test
