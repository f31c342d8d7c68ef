#include "agent/engine/capture/records.hpp"

#include "agent/engine/capture/pcap.hpp"
#include "agent/engine/capture/pcapng.hpp"

namespace vmirror {

std::unique_ptr<RecordReader> reader_for(Bytes first, std::uint16_t input) {
  if (is_pcap(first)) return std::make_unique<PcapReader>(input);
  if (is_pcapng(first)) return std::make_unique<PcapngReader>(input);
  return nullptr;
}

}  // namespace vmirror
