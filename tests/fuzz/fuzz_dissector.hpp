// What the fuzz targets of all dissectors do with an input.
#pragma once

#include <cstdlib>

#include "agent/engine/dissect/dissection.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/facts_text.hpp"
#include "tests/support/payloads.hpp"

namespace vmirror::test {

/// Probes, frames and dissects `bytes` in both directions, whole and as a cut copy, with all that
/// an engine lends, and reads all that was told. Aborts where a record is not well nested or a
/// frame has no size.
inline void fuzz_dissector(const Dissector& dissector, Bytes bytes) {
  static Facts facts;
  static const Dissectors all = *Dissectors::select(std::vector<std::string>{"all"});
  static Dissection dissection(all, {.small = 16, .large = 4}, {64, 64, 8, 8});
  for (const bool to_server : {true, false}) {
    for (const bool cut : {false, true}) {
      Context context;
      context.source = {mac("52:54:00:00:00:01"), ip("fe80::1"), {}};
      context.destination = {mac("52:54:00:00:00:02"), ip("ff02::1"), {}};
      context.ttl = 255;
      context.to_server = to_server;
      context.cut = cut;
      context.self = all.find(dissector);
      context.flow = 1;
      context.engine = &dissection;
      if (dissector.probe) dissector.probe(bytes, context);
      if (dissector.frame && !bytes.empty()) {
        const Framing framing = dissector.frame(bytes, context);
        if (framing.status == Framing::Status::message && framing.size == 0) std::abort();
      }
      dissector.dissect(bytes, context, facts);
      for (const Record& record : facts.records()) {
        int depth = 0;
        for (const Field& field : facts.fields(record)) {
          if (field.shape == Field::Shape::close)
            --depth;
          else if (field.shape != Field::Shape::leaf)
            ++depth;
          if (depth < 0) std::abort();
        }
        if (depth != 0) std::abort();
      }
      facts_text(facts);
      facts.clear();
      dissection.settle();
    }
  }
  dissection.forget(1);
}

}  // namespace vmirror::test
