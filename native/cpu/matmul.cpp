// The three matrix products of a linear layer as one: C[M,N] (+)= Σ_k A[m,k]·B[k,n].
//   linear                  C = y,  A = x,   B = wᵀ, k over the inputs
//   linear_backward_input   C = dx, A = dy,  B = w,  k over the outputs
//   linear_backward_weight  C = dw, A = dyᵀ, B = x,  k over the tokens
// (int8 weights: int8.cpp.)
// Chunks of B are packed into panels by all threads together, then blocks of C are handed out; a
// weight packed beforehand is one chunk. Any split gives the same bits (kernels/matmul.inl).

#include "cpu/matmul.h"

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "cpu/cpu_ops.h"
#include "ops/xxh64.h"

namespace kogrpo {
namespace {

// A chunk of B: this many panels of kc rows (32 × 96 KB with AVX-512), from the shared cache.
constexpr int64_t kChunkPanels = 32;
// With many threads it grows by so much for each, to keep the joins between chunks rare.
constexpr int64_t kChunkPanelsPerThread = 16;
// A block of C, what one thread does at a time: at most so many tiles by panels; for each row of
// tiles one panel of A is copied.
constexpr int64_t kBlockTiles = 32, kBlockPanels = 32;
// Blocks per thread and chunk: enough for the last ones to even out.
constexpr int64_t kBlocksPerThread = 4;
// Products of fewer multiply-adds (a microsecond or two) are not worth waking anybody for.
constexpr int64_t kSerial = 100'000;
// k per slice when rows of B are copied.
constexpr int64_t kCopySlice = 64;

constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Elements of a panel's column, 32 bits each: values of k, or pairs of them in bf16.
constexpr int64_t steps(int64_t k, Precision precision) {
  return precision == Precision::bf16 ? ceil_div(k, 2) : k;
}

class CpuPackedWeight final : public PackedWeight {
 public:
  CpuPackedWeight(int64_t rows, int64_t cols, int64_t nr, Precision precision)
      : rows(rows), cols(cols), nr(nr), precision(precision), panels_(ceil_div(rows, nr)) {
    data.reserve(static_cast<size_t>(panels_ * nr * steps(cols, precision)));
  }
  size_t bytes() const override { return data.size() * sizeof(float); }
  uint64_t digest() const override { return xxh64(data.data(), bytes()); }

  const int64_t rows, cols, nr;
  const Precision precision;
  Buffer<float> data;

 private:
  const int64_t panels_;
};

std::string shape(const Tensor& t) {
  return "[" + std::to_string(t.rows) + ", " + std::to_string(t.cols) + "]";
}

// An operand by its name; `narrow` ones may be bf16.
struct Operand {
  const char* name;
  const Tensor& t;
  bool narrow = false;
};

void check_operand(const char* op, const Operand& operand) {
  const Tensor& t = operand.t;
  const auto fail = [&](const std::string& why) {
    throw std::invalid_argument(std::string(op) + ": " + operand.name + " " + shape(t) + " " + why);
  };
  if (t.rows < 0 || t.cols < 0) fail("has a negative size");
  if (t.dtype != DType::f32 && !(operand.narrow && t.dtype == DType::bf16))
    fail(operand.narrow ? "must be f32 or bf16" : "must be f32");
  if (t.rows > 1 && t.stride < t.cols)
    fail("has stride " + std::to_string(t.stride) + ", less than its columns");
  if (t.size() > 0 && t.data == nullptr && t.precision != Precision::int8) fail("has no data");
}

// c[M,N] from a and b whose sizes must be these.
void check_product(const char* op, const Operand& a, const Operand& b, const Operand& c,
                   bool fits) {
  for (const Operand* operand : {&a, &b, &c}) check_operand(op, *operand);
  if (!fits)
    throw std::invalid_argument(std::string(op) + ": shapes do not fit: " + a.name + " " +
                                shape(a.t) + ", " + b.name + " " + shape(b.t) + ", " + c.name +
                                " " + shape(c.t));
}

MatmulOperand operand(const Tensor& t, bool k_contiguous) {
  return {t.data, t.stride, k_contiguous, t.dtype == DType::bf16};
}

float* align_line(float* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return p + (64 - address % 64) % 64 / sizeof(float);
}

}  // namespace

struct CpuOps::Product {
  int64_t m, n, k;
  MatmulOperand a, b;
  const CpuPackedWeight* packed;  // B in panels already, or null
  float* c;
  int64_t c_stride;
  bool accumulate;
  Precision precision = Precision::f32;
};

void CpuOps::multiply(const Product& op) {
  if (op.m == 0 || op.n == 0) return;
  if (op.k == 0) {
    if (!op.accumulate)
      for (int64_t m = 0; m < op.m; ++m) std::fill_n(op.c + m * op.c_stride, op.n, 0.0f);
    return;
  }
  const int64_t mr = kernels_.matmul_mr, nr = kernels_.matmul_nr, kc = kernels_.matmul_kc;
  const int64_t threads = op.m * op.n * op.k < kSerial ? 1 : pool_.threads();
  const int64_t all_panels = ceil_div(op.n, nr);
  const bool bf16 = op.precision == Precision::bf16;
  const int64_t all_k = steps(op.k, op.precision);

  int64_t panels = all_panels, depth = all_k;
  if (!op.packed) {
    // As deep as it gets with all panels or a block's width of them, then as wide.
    const int64_t budget = std::max(kChunkPanels, kChunkPanelsPerThread * threads);
    depth = std::min(all_k, budget / std::min(all_panels, kBlockPanels) * kc);
    panels = std::min(all_panels, budget / ceil_div(depth, kc));
  }

  for (int64_t panel = 0; panel < all_panels; panel += panels)
    for (int64_t k = 0; k < all_k; k += depth) {
      const int64_t width = std::min(panels, all_panels - panel);
      const Range ks{k, std::min(k + depth, all_k)};
      const int64_t column = panel * nr;

      const float* b;
      int64_t panel_stride;
      if (op.packed) {
        b = op.packed->data.data();
        panel_stride = all_k * nr;
      } else {
        panel_stride = (ks.end - ks.begin) * nr;
        float* to = panels_.reserve(static_cast<size_t>(width * panel_stride));
        MatmulOperand from = op.b;
        from.data = op.b.at(column, 0);
        // Slices along which the source runs: long in k, or whole rows.
        const int64_t across = from.k_contiguous ? width : 1;
        const int64_t slice = from.k_contiguous ? kc : kCopySlice,
                      slices = ceil_div(ks.end - ks.begin, slice);
        pool_.run(across * slices, threads == 1 ? across * slices : 1, [&](Range items, int) {
          for (int64_t i = items.begin; i < items.end; ++i) {
            const int64_t p = i / slices, first = i % slices * slice;
            kernels_.matmul_pack({.b = from,
                                  .n = op.n - column,
                                  .panels = {p, from.k_contiguous ? p + 1 : width},
                                  .ks = {k + first, std::min(k + first + slice, ks.end)},
                                  .out = to + first * nr,
                                  .panel_stride = panel_stride,
                                  .bf16 = bf16,
                                  .depth = op.k,
                                  .in_order = !op.a.k_contiguous});
          }
        });
        b = to;
      }

      // Blocks of C, small enough for every thread to get several: first narrower, if rows are few.
      const int64_t tiles = ceil_div(op.m, mr);
      const int64_t wanted = threads == 1 ? 1 : threads * kBlocksPerThread;
      const int64_t block_panels =
          std::clamp<int64_t>(ceil_div(width, ceil_div(wanted, tiles)), 1, kBlockPanels);
      const int64_t across = ceil_div(width, block_panels);
      const int64_t block_tiles = std::min(kBlockTiles, ceil_div(tiles, ceil_div(wanted, across)));
      // Even blocks, as many for each thread, so that none waits for a last, odd one.
      int64_t down = ceil_div(tiles, block_tiles);
      if (across == 1) down = std::min(tiles, ceil_div(down, threads) * threads);
      const auto first_row = [&](int64_t block) { return block * tiles / down * mr; };
      pool_.run(across * down, threads == 1 ? across * down : 1, [&](Range items, int worker) {
        float* scratch_a = align_line(
            scratch(worker, static_cast<size_t>(kernels_.matmul_scratch) + 64 / sizeof(float)));
        for (int64_t i = items.begin; i < items.end; ++i) {
          const int64_t p = i / down * block_panels, block = i % down;
          kernels_.matmul_block({.a = op.a,
                                 .b = b,
                                 .panel_stride = panel_stride,
                                 .c = op.c + column,
                                 .c_stride = op.c_stride,
                                 .n = op.n - column,
                                 .rows = {first_row(block), std::min(first_row(block + 1), op.m)},
                                 .panels = {p, std::min(p + block_panels, width)},
                                 .ks = ks,
                                 .load = op.accumulate || k > 0,
                                 .scratch = scratch_a,
                                 .bf16 = bf16,
                                 .depth = op.k});
        }
      });
    }
}

std::unique_ptr<PackedWeight> CpuOps::pack(const Tensor& weight) {
  check_operand("pack", {"weight", weight});
  if (weight.precision == Precision::int8) return pack_int8(weight);
  const int64_t nr = kernels_.matmul_nr, all_k = steps(weight.cols, weight.precision);
  auto packed = std::make_unique<CpuPackedWeight>(weight.rows, weight.cols, nr, weight.precision);
  float* to = packed->data.reserve(0);
  pool_.run(ceil_div(weight.rows, nr), 1, [&](Range panels, int) {
    kernels_.matmul_pack({.b = operand(weight, true),
                          .n = weight.rows,
                          .panels = panels,
                          .ks = {0, all_k},
                          .out = to,
                          .panel_stride = all_k * nr,
                          .bf16 = weight.precision == Precision::bf16,
                          .depth = weight.cols});
  });
  return packed;
}

void CpuOps::linear(const Linear& op) {
  check_product("linear", {"x", op.x, op.w.precision == Precision::bf16}, {"w", op.w}, {"y", op.y},
                op.x.cols == op.w.cols && op.y.rows == op.x.rows && op.y.cols == op.w.rows);
  if (op.w.precision == Precision::int8) return linear_int8(op);
  const auto* packed = dynamic_cast<const CpuPackedWeight*>(op.packed);
  if (op.packed && (!packed || packed->nr != kernels_.matmul_nr || packed->rows != op.w.rows ||
                    packed->cols != op.w.cols || packed->precision != op.w.precision))
    throw std::invalid_argument("linear: packed is not this backend's pack of w " + shape(op.w) +
                                "; make it with pack(w) of the same Ops");
  multiply({.m = op.x.rows,
            .n = op.w.rows,
            .k = op.x.cols,
            .a = operand(op.x, true),
            .b = operand(op.w, true),
            .packed = packed,
            .c = op.y.f32(),
            .c_stride = op.y.stride,
            .accumulate = op.accumulate,
            .precision = op.w.precision});
}

void CpuOps::linear_backward_input(const LinearBackwardInput& op) {
  check_product("linear_backward_input", {"dy", op.dy, op.w.precision == Precision::bf16},
                {"w", op.w}, {"dx", op.dx},
                op.dy.cols == op.w.rows && op.dx.rows == op.dy.rows && op.dx.cols == op.w.cols);
  if (op.w.precision == Precision::int8) return linear_backward_input_int8(op);
  multiply({.m = op.dy.rows,
            .n = op.w.cols,
            .k = op.w.rows,
            .a = operand(op.dy, true),
            .b = operand(op.w, false),
            .packed = nullptr,
            .c = op.dx.f32(),
            .c_stride = op.dx.stride,
            .accumulate = op.accumulate,
            .precision = op.w.precision});
}

void CpuOps::linear_backward_weight(const LinearBackwardWeight& op) {
  const bool narrow = op.dw.precision == Precision::bf16;
  check_product("linear_backward_weight", {"dy", op.dy, narrow}, {"x", op.x, narrow}, {"dw", op.dw},
                op.dy.rows == op.x.rows && op.dw.rows == op.dy.cols && op.dw.cols == op.x.cols);
  multiply({.m = op.dy.cols,
            .n = op.x.cols,
            .k = op.x.rows,
            .a = operand(op.dy, false),
            .b = operand(op.x, false),
            .packed = nullptr,
            .c = op.dw.f32(),
            .c_stride = op.dw.stride,
            .accumulate = true,
            .precision = op.dw.precision});
}

}  // namespace kogrpo
