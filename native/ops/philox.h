#pragma once
// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3" (SC 2011): a keyed bijection of 128-bit counters, so the n-th number needs none before
// it. Used for weight initialisation and as the specification of the sampler's noise.

#include <array>
#include <cstdint>

namespace kogrpo {

// Four random words of counter (c0, c1, c2, c3); the key's low half is the first key word.
constexpr std::array<uint32_t, 4> philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                                         uint64_t key) {
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * c0;
    const uint64_t p1 = uint64_t(0xCD9E8D57u) * c2;
    c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(p1);
    c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p0);
    k0 += 0x9E3779B9u;  // golden ratio
    k1 += 0xBB67AE85u;  // √3 − 1
  }
  return {c0, c1, c2, c3};
}

// The upper 24 bits of a random word as a uniform in (0, 1): cell midpoints, never 0 or 1.
constexpr double uniform24(uint32_t word) {
  return (double(word >> 8) + 0.5) * 0x1p-24;
}

}  // namespace kogrpo
