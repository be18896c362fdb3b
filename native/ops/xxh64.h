#pragma once
// XXH64, a fast hash that is not cryptographic: to notice weights that differ, not to trust them.
// Algorithm and constants: Yann Collet, "xxHash fast digest algorithm", format description 0.1.1.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace kogrpo {

namespace xxh64_detail {

inline constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u, kPrime2 = 0xC2B2AE3D27D4EB4Fu,
                          kPrime3 = 0x165667B19E3779F9u, kPrime4 = 0x85EBCA77C2B2AE63u,
                          kPrime5 = 0x27D4EB2F165667C5u;

template <class T>
inline T read(const uint8_t* p) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

inline uint64_t round(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

}  // namespace xxh64_detail

inline uint64_t xxh64(const void* data, size_t bytes, uint64_t seed = 0) {
  using namespace xxh64_detail;
  const auto* p = static_cast<const uint8_t*>(data);
  size_t left = bytes;
  uint64_t hash = seed + kPrime5;
  if (left >= 32) {
    uint64_t lanes[4] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
    for (; left >= 32; left -= 32, p += 32)
      for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read<uint64_t>(p + 8 * i));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (const uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
  }
  hash += bytes;
  for (; left >= 8; left -= 8, p += 8)
    hash = std::rotl(hash ^ round(0, read<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    hash = std::rotl(hash ^ (read<uint32_t>(p) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4, p += 4;
  }
  for (; left > 0; --left, ++p) hash = std::rotl(hash ^ (*p * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace kogrpo
