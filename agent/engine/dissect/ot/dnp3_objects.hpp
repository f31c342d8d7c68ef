// The objects of DNP3 (IEEE 1815-2012, annex A): names of groups, and sizes of variations.
#pragma once

#include <array>
#include <optional>

#include "agent/engine/dissect/text.hpp"

namespace vmirror {

inline constexpr Named kDnp3Groups[] = {{0, "device_attributes"},
                                        {1, "binary_input"},
                                        {2, "binary_input_event"},
                                        {3, "double_bit_input"},
                                        {4, "double_bit_input_event"},
                                        {10, "binary_output"},
                                        {11, "binary_output_event"},
                                        {12, "binary_output_command"},
                                        {13, "binary_output_command_event"},
                                        {20, "counter"},
                                        {21, "frozen_counter"},
                                        {22, "counter_event"},
                                        {23, "frozen_counter_event"},
                                        {30, "analog_input"},
                                        {31, "frozen_analog_input"},
                                        {32, "analog_input_event"},
                                        {33, "frozen_analog_input_event"},
                                        {34, "analog_input_deadband"},
                                        {40, "analog_output_status"},
                                        {41, "analog_output_command"},
                                        {42, "analog_output_event"},
                                        {43, "analog_output_command_event"},
                                        {50, "time_and_date"},
                                        {51, "common_time_of_occurrence"},
                                        {52, "time_delay"},
                                        {60, "class_data"},
                                        {70, "file_control"},
                                        {80, "internal_indications"},
                                        {81, "storage_object"},
                                        {82, "device_profile"},
                                        {83, "private_registration"},
                                        {85, "data_set_prototype"},
                                        {86, "data_set_descriptor"},
                                        {87, "data_set"},
                                        {88, "data_set_event"},
                                        {90, "application_identifier"},
                                        {91, "activate_configuration_status"},
                                        {101, "binary_coded_decimal"},
                                        {102, "unsigned_integer"},
                                        {110, "octet_string"},
                                        {111, "octet_string_event"},
                                        {112, "virtual_terminal_output"},
                                        {113, "virtual_terminal_event"},
                                        {120, "authentication"},
                                        {121, "security_statistic"},
                                        {122, "security_statistic_event"}};

/// Sizes in bytes of a group's variations from 1 on; 0: packed bits, or none.
struct Dnp3Sizes {
  std::uint8_t group;
  std::array<std::uint8_t, 12> size;
};
inline constexpr Dnp3Sizes kDnp3Sizes[] = {{1, {0, 1}},
                                           {2, {1, 7, 3}},
                                           {3, {0, 1}},
                                           {4, {1, 7, 3}},
                                           {10, {0, 1}},
                                           {11, {1, 7}},
                                           {12, {11, 11, 0}},
                                           {13, {1, 7}},
                                           {20, {5, 3, 5, 3, 4, 2, 4, 2}},
                                           {21, {5, 3, 5, 3, 11, 9, 11, 9, 4, 2, 4, 2}},
                                           {22, {5, 3, 5, 3, 11, 9, 11, 9}},
                                           {23, {5, 3, 5, 3, 11, 9, 11, 9}},
                                           {30, {5, 3, 4, 2, 5, 9}},
                                           {31, {5, 3, 11, 9, 4, 2, 5, 9}},
                                           {32, {5, 3, 11, 9, 5, 9, 11, 15}},
                                           {33, {5, 3, 11, 9, 5, 9, 11, 15}},
                                           {34, {2, 4, 4}},
                                           {40, {5, 3, 5, 9}},
                                           {41, {5, 3, 5, 9}},
                                           {42, {5, 3, 11, 9, 5, 9, 11, 15}},
                                           {43, {5, 3, 11, 9, 5, 9, 11, 15}},
                                           {50, {6, 10, 6, 11}},
                                           {51, {6, 6}},
                                           {52, {2, 2}},
                                           {101, {2, 4, 8}},
                                           {102, {1}},
                                           {120, {0, 0, 6, 2}},
                                           {121, {7}},
                                           {122, {7, 13}}};

/// Bits of one object without its prefix; nothing: not known. Group 0 and what has its size before
/// it are told otherwise.
constexpr std::optional<std::uint32_t> dnp3_bits(std::uint8_t group, std::uint8_t variation) {
  if (group == 60) return 0;
  if (group >= 110 && group <= 113) return variation * 8U;
  if (group == 80 && variation == 1) return 1;
  if (variation == 1 && (group == 1 || group == 10)) return 1;
  if (group == 12 && variation == 3) return 1;
  if (group == 3 && variation == 1) return 2;
  for (const Dnp3Sizes& each : kDnp3Sizes)
    if (each.group == group && variation >= 1 && variation <= each.size.size())
      if (const std::uint32_t size = each.size[variation - 1U]; size != 0) return size * 8;
  return std::nullopt;
}

}  // namespace vmirror
