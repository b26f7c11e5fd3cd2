// CRC-32 as Ethernet and zip use it (IEEE 802.3, reflected, polynomial 0xEDB88320). crc32("123456789") is 0xCBF43926.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hakuriver::keeper {

inline constexpr std::array<std::uint32_t, 256> kCrc32Table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1u) != 0 ? 0xEDB88320u : 0u);
    table[i] = value;
  }
  return table;
}();

constexpr std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t value = 0xffffffffu;
  for (const char c : bytes) value = (value >> 8) ^ kCrc32Table[(value ^ static_cast<unsigned char>(c)) & 0xffu];
  return value ^ 0xffffffffu;
}

}  // namespace hakuriver::keeper
