#include "agent/engine/dissect/ot/synchrophasor.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/engine/dissect/tables.hpp"

namespace vmirror {
namespace {

using namespace test;

TEST(Synchrophasor, Tells) {
  expect_tells(
      kSynchrophasor, "synchrophasor",
      {
          {"turn on",
           "synchrophasor {type: \"command\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, command: \"turn_on_transmission\"}\n"},
          {"ask for the configuration",
           "synchrophasor {type: \"command\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, command: \"send_config_2\"}\n"},
          {"configuration",
           "synchrophasor {type: \"config_2\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, time_base: 1000000, num_pmu: 1, pmus: "
           "[{station_name: \"Station North\", id_code: 7, phasors: 1, analogs: 1, "
           "digitals: 1}], data_rate: 30}\n"
           "fact 10.0.0.2 service = \"synchrophasor\" (synchrophasor.type, implied)\n"
           "fact 10.0.0.2 role = \"pmu\" (synchrophasor.num_pmu, implied)\n"
           "fact 10.0.0.2 station_name = \"Station North\" (synchrophasor.station_name)\n"},
          {"of two units",
           "synchrophasor {type: \"config_1\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, time_base: 1000000, num_pmu: 2, pmus: "
           "[{station_name: \"Station North\", id_code: 7, phasors: 1, analogs: 1, "
           "digitals: 1}, {station_name: \"Station South\", id_code: 7, phasors: 0, "
           "analogs: 0, digitals: 0}], data_rate: -5}\n"
           "fact 10.0.0.2 service = \"synchrophasor\" (synchrophasor.type, implied)\n"
           "fact 10.0.0.2 role = \"pdc\" (synchrophasor.num_pmu, implied)\n"},
          {"data",
           "synchrophasor {type: \"data\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, data_size: 20}\n"
           "fact 10.0.0.2 service = \"synchrophasor\" (synchrophasor.type, implied)\n"},
          {"header",
           "synchrophasor {type: \"header\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, text: \"Example PMU, hall 3\"}\n"
           "fact 10.0.0.2 service = \"synchrophasor\" (synchrophasor.type, implied)\n"},
          {"wrong check",
           "synchrophasor {type: \"data\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, checksum: \"wrong\", data_size: 20}\n"},
          {"configuration 3",
           "synchrophasor {type: \"config_3\", version: 1, id_code: 7, soc: 1767323045, "
           "fraction: 256, time_quality: 15, data_size: 30}\n"
           "fact 10.0.0.2 service = \"synchrophasor\" (synchrophasor.type, implied)\n"},
      });
}

TEST(Synchrophasor, Malformed) {
  expect_malformed(kSynchrophasor, {
                                       {"aa", "truncated"},
                                       {"ab01 0010 0007 00000000 00000000 0000", "bad_value"},
                                       {"aa71 0010 0007 00000000 00000000 0000", "bad_value"},
                                       {"aa81 0010 0007 00000000 00000000 0000", "bad_value"},
                                       {"aa01 000f 0007 00000000 00000000 0000", "bad_length"},
                                       {"aa01 0011 0007 00000000 00000000 0000", "truncated"},
                                       {"aa01 0010 0007 00000000 00000000 0000 00", "bad_length"},
                                       {"aa4100100007695735a50f0001002054", "bad_length"},
                                       {"aa3100380007695735a50f000100000f4240000153746174696f6e204e"
                                        "6f72746820202000070000000100010001434830202020202092ef",
                                        "bad_length", false},
                                   });
}

TEST(Synchrophasor, CutAtEveryByte) {
  expect_no_cut_passes(kSynchrophasor, "synchrophasor");
}

}  // namespace
}  // namespace vmirror
