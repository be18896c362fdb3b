// Philox4x32-10 against the known-answer vectors that Random123 publishes (kat_vectors).

#include "ops/philox.h"

#include <doctest/doctest.h>

namespace kogrpo {
namespace {

using Words = std::array<uint32_t, 4>;

TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  CHECK(philox(0, 0, 0, 0, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffffffffffff) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0x299f31d0a4093822) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("uniform24 stays inside (0, 1), symmetrically") {
  CHECK(uniform24(0) == 0x1p-25);
  CHECK(uniform24(0xffffffff) == 1 - 0x1p-25);
  CHECK(uniform24(0x80000000) + uniform24(0x7fffffff) == 1.0);
}

}  // namespace
}  // namespace kogrpo
