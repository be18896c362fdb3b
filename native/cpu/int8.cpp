// Products with 8-bit weights (int8.h): a pack holds the integers; each call makes those of its
// rows first, then hands out blocks of y. The backward turns stretches of the weight's rows into
// fp32 and multiplies with these: dx is a chain over the rows, so a stretch after the other
// continues it.

#include "cpu/int8.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "cpu/cpu_ops.h"
#include "ops/check.h"
#include "ops/xxh64.h"

namespace kogrpo {
namespace {

// Rows of a block: so many of Qwen3-0.6B's widest input are 340 KB of bytes, within the second
// cache.
constexpr int64_t kBlockRows = 56;
constexpr int64_t kBlocksPerThread = 4;
// As in matmul.cpp: products of fewer multiply-adds are not worth waking anybody for.
constexpr int64_t kSerial = 200'000;
constexpr int64_t kLine = 16;  // words of a cache line
// Floats of a stretch of the weight in the backward: 4 MiB, read again from the shared cache.
constexpr int64_t kValues = int64_t{1} << 20;

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

class CpuOps::Int8Weight final : public PackedWeight {
 public:
  Int8Weight(int64_t rows, int64_t cols, int64_t nr)
      : rows(rows), cols(cols), nr(nr), panels(ceil_div(rows, nr)), words(ceil_div(cols, 4)) {
    data.reserve(static_cast<size_t>(panels * nr * words));
    scales.reserve(static_cast<size_t>(panels * nr));
    sums.reserve(static_cast<size_t>(panels * nr));
  }
  size_t bytes() const override {
    return data.size() * sizeof(int32_t) + scales.size() * (sizeof(float) + sizeof(int32_t));
  }
  uint64_t digest() const override {
    const uint64_t parts[] = {xxh64(data.data(), data.size() * sizeof(int32_t)),
                              xxh64(scales.data(), scales.size() * sizeof(float))};
    return xxh64(parts, sizeof parts);
  }

  void values(int64_t begin, int64_t count, float* out) const override {
    for (int64_t r = begin; r < begin + count; ++r, out += cols) {
      const int32_t* word = data.data() + r / nr * nr * words + r % nr;
      const float scale = scales.data()[r];
      for (int64_t k = 0; k < cols; k += 4, word += nr) {
        int8_t q[4];
        std::memcpy(q, word, sizeof q);
        for (int64_t i = 0; i < 4 && k + i < cols; ++i)
          out[k + i] = static_cast<float>(q[i]) * scale;
      }
    }
  }

  const int64_t rows, cols, nr, panels, words;
  Buffer<int32_t> data;
  Buffer<float> scales;
  Buffer<int32_t> sums;
};

std::unique_ptr<PackedWeight> CpuOps::pack_int8(const Tensor& w) {
  if (w.size() > 0 && w.data == nullptr)
    throw std::invalid_argument("pack: the int8 weight has no data");
  if (w.cols > kInt8Depth)
    throw std::invalid_argument("pack: int8 weights have at most " + std::to_string(kInt8Depth) +
                                " columns, not " + std::to_string(w.cols));
  auto packed = std::make_unique<Int8Weight>(w.rows, w.cols, kernels_.int8_nr);
  pool_.run(packed->panels, 1, [&](Range panels, int) {
    kernels_.int8_pack({.w = w.f32(),
                        .stride = w.stride,
                        .n = w.rows,
                        .k = w.cols,
                        .words = packed->words,
                        .panels = panels,
                        .out = packed->data.data(),
                        .scales = packed->scales.data(),
                        .sums = packed->sums.data()});
  });
  return packed;
}

const CpuOps::Int8Weight* CpuOps::int8_weight(const char* op, const Tensor& w,
                                              const PackedWeight* packed,
                                              std::unique_ptr<PackedWeight>& made) {
  const auto* weight = dynamic_cast<const Int8Weight*>(packed);
  if (packed && (!weight || weight->nr != kernels_.int8_nr || weight->rows != w.rows ||
                 weight->cols != w.cols))
    throw std::invalid_argument(std::string(op) + ": packed is not this backend's pack of w " +
                                check::shape(w.rows, w.cols) +
                                "; make it with pack(w) of the same Ops");
  if (weight) return weight;
  made = pack_int8(w);
  return static_cast<const Int8Weight*>(made.get());
}

void CpuOps::linear_int8(const Linear& op) {
  const int64_t m = op.x.rows;
  std::unique_ptr<PackedWeight> made;
  const Int8Weight* w = int8_weight("linear", op.w, op.packed, made);
  if (m == 0 || op.w.rows == 0) return;
  const int64_t a_words = ceil_div(w->words, kLine) * kLine;
  int32_t* const a = int8_rows_.reserve(static_cast<size_t>(2 * m * a_words));
  float* const scales = int8_scales_.reserve(static_cast<size_t>(m));
  pool_.run(m, grain(op.x.cols), [&](Range rows, int) {
    kernels_.int8_rows({.x = op.x.f32(),
                        .stride = op.x.stride,
                        .k = op.x.cols,
                        .rows = rows,
                        .words = a_words,
                        .out = a,
                        .scales = scales});
  });

  const int64_t threads = m * op.w.rows * op.x.cols < kSerial ? 1 : pool_.threads();
  const int64_t down = ceil_div(m, kBlockRows);
  const int64_t wanted = threads == 1 ? 1 : ceil_div(threads * kBlocksPerThread, down);
  const int64_t across = std::min(wanted, w->panels);
  pool_.run(across * down, threads == 1 ? across * down : 1, [&](Range items, int) {
    for (int64_t i = items.begin; i < items.end; ++i) {
      const int64_t p = i / down, block = i % down;
      kernels_.int8_block({.a = a,
                           .b = w->data.data(),
                           .a_scales = scales,
                           .b_scales = w->scales.data(),
                           .sums = w->sums.data(),
                           .words = w->words,
                           .a_words = a_words,
                           .y = op.y.f32(),
                           .y_stride = op.y.stride,
                           .n = op.w.rows,
                           .rows = {block * m / down, (block + 1) * m / down},
                           .panels = {p * w->panels / across, (p + 1) * w->panels / across},
                           .accumulate = op.accumulate});
    }
  });
}

void CpuOps::linear_backward_input_int8(const LinearBackwardInput& op) {
  std::unique_ptr<PackedWeight> made;
  const Int8Weight* w = int8_weight("linear_backward_input", op.w, op.packed, made);
  const int64_t n = op.w.rows, k = op.w.cols;
  const int64_t stretch = std::max<int64_t>(kValues / std::max<int64_t>(k, 1), 16);
  // Once even without rows, whose product is zero.
  for (int64_t begin = 0; begin == 0 || begin < n; begin += stretch) {
    const int64_t count = std::min(stretch, n - begin);
    float* const values = int8_values_.reserve(static_cast<size_t>(count * k));
    pool_.run(count, grain(k), [&](Range rows, int) {
      w->values(begin + rows.begin, rows.end - rows.begin, values + rows.begin * k);
    });
    linear_backward_input(
        {op.dy.columns(begin, count), matrix(values, count, k), op.dx, op.accumulate || begin > 0});
  }
}

}  // namespace kogrpo
