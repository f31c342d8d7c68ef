// Runs a reader of capture records as agent/engine/capture/file.cpp does, and checks what it
// promises.
#pragma once

#include <array>
#include <cstdlib>

#include "agent/engine/capture/records.hpp"

namespace vmirror::test {

inline void read_all(RecordReader& reader, Bytes file) {
  std::array<Frame, 3> batch;
  std::size_t at = 0, need = 1;
  while (file.size() - at >= need) {
    const Bytes window = file.subspan(at);
    const Progress p = reader.read(window, batch);
    if (p.frames > batch.size()) std::abort();
    for (std::size_t i = 0; i < p.frames; ++i) {
      const Frame& f = batch[i];
      if (f.bytes.size() > f.wire_size && f.bytes.size() > kMaxRecord) std::abort();
      if (!f.bytes.empty() && (f.bytes.data() < window.data() ||
                               f.bytes.data() + f.bytes.size() > window.data() + window.size()))
        std::abort();
    }
    if (p.stop == Progress::Stop::corrupt || p.consumed > window.size()) return;
    need = p.stop == Progress::Stop::need_more ? p.need : 1;
    // Each step gets on: else the file source would turn for ever.
    if (p.consumed == 0 && need <= window.size()) std::abort();
    at += p.consumed;
  }
}

}  // namespace vmirror::test
