// Ranges of weight files. Layout of an input: dtype, offset, n, two sources of a rewriting, and the
// file itself.
#include "engine/tensor_file.h"

#include <bit>
#include <cmath>
#include <stdexcept>

#include "engine/rewrite.h"
#include "targets.h"

namespace kogrpo::fuzz {
namespace {

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16, DType::i32};

// The plain meaning of element i at p.
float element(const uint8_t* p, DType dtype) {
  if (dtype == DType::f32) {
    float x;
    std::memcpy(&x, p, 4);
    return x;
  }
  const uint32_t bits = p[0] | uint32_t{p[1]} << 8;
  if (dtype == DType::bf16) return std::bit_cast<float>(bits << 16);
  const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) return fraction ? std::nanf("") : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(float(fraction), -24)
                               : std::ldexp(float(fraction + 1024), exponent - 25));
}

bool same(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

}  // namespace

void tensor_file(Input input) {
  Reader in(input);
  const DType dtype = kTypes[in.below(4)];
  const int64_t offset = in.number(64), n = in.number(64);
  std::vector<TensorSource> sources(1 + in.below(2));
  for (TensorSource& s : sources) {
    s.dtype = kTypes[in.below(4)];
    s.begin = in.number(64);
    s.rows = in.number(8);
    s.cols = in.number(8);
    s.row_scale = in.many<float>(static_cast<size_t>(in.below(9)));
    s.added.rank = in.number(3);
    for (LowRank::Factor* factor : {&s.added.a, &s.added.b}) {
      if (s.added.rank == 0) break;
      factor->begin = in.number(32);
      factor->dtype = kTypes[in.below(4)];
    }
  }
  const DType written = in.below(2) ? DType::bf16 : DType::f32;
  const Input content = in.rest();
  const MemoryFile file(content), copy;

  // A range that is longer than the file must be refused before a byte is written.
  std::vector<float> out(n >= 0 && n < (1 << 16) ? static_cast<size_t>(n) : 0);
  try {
    read_tensor(file.path(), offset, dtype, out.data(), n);
    KOGRPO_REQUIRE(offset >= 0 && n >= 0);
    const auto width = static_cast<int64_t>(size_of(dtype));
    KOGRPO_REQUIRE(offset + n * width <= static_cast<int64_t>(content.size()));
    for (int64_t i = 0; i < n; ++i)
      KOGRPO_REQUIRE(
          same(out[static_cast<size_t>(i)], element(content.data() + offset + i * width, dtype)));
  } catch (const IoError&) {
  } catch (const std::invalid_argument&) {
  }

  const std::string header = "header";
  for (TensorSource& s : sources) s.file = s.added.a.file = s.added.b.file = file.path();
  try {
    rewrite_tensors(
        copy.path(), {reinterpret_cast<const uint8_t*>(header.data()), header.size()}, sources,
        written, [] {}, AbortFlag());
    int64_t elements = 0;
    for (const TensorSource& s : sources) elements += s.rows * s.cols;
    KOGRPO_REQUIRE(static_cast<int64_t>(copy.content().size()) ==
                   6 + elements * static_cast<int64_t>(size_of(written)));
  } catch (const IoError&) {
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace kogrpo::fuzz
