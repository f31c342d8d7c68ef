// Cyclic redundancy checks of 16 bits, by the polynomial that a protocol chose.
#pragma once

#include <array>
#include <cstdint>

#include "plugin/base/cursor.hpp"

namespace vmirror {

/// The lowest bit first; `polynomial` with its bits the other way round (DNP3: 0xa6bc, of 0x3d65).
template <std::uint16_t polynomial>
constexpr std::uint16_t crc16_reflected(Bytes bytes, std::uint16_t crc = 0) {
  constexpr auto kTable = [] {
    std::array<std::uint16_t, 256> out{};
    for (unsigned i = 0; i < 256; ++i) {
      unsigned value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value & 1) != 0 ? value >> 1 ^ polynomial : value >> 1;
      out[i] = static_cast<std::uint16_t>(value);
    }
    return out;
  }();
  for (const std::uint8_t byte : bytes)
    crc = static_cast<std::uint16_t>(crc >> 8 ^ kTable[(crc ^ byte) & 0xff]);
  return crc;
}

/// The highest bit first (CRC-CCITT: 0x1021).
template <std::uint16_t polynomial>
constexpr std::uint16_t crc16_forward(Bytes bytes, std::uint16_t crc) {
  constexpr auto kTable = [] {
    std::array<std::uint16_t, 256> out{};
    for (unsigned i = 0; i < 256; ++i) {
      unsigned value = i << 8;
      for (int bit = 0; bit < 8; ++bit)
        value = (value & 0x8000) != 0 ? value << 1 ^ polynomial : value << 1;
      out[i] = static_cast<std::uint16_t>(value);
    }
    return out;
  }();
  for (const std::uint8_t byte : bytes)
    crc = static_cast<std::uint16_t>(crc << 8 ^ kTable[(crc >> 8 ^ byte) & 0xff]);
  return crc;
}

}  // namespace vmirror
