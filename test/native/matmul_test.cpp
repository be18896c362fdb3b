// The three products of a linear layer against double sums, and the promises that the engine builds
// on: the same bits whatever the instruction set, threads, batch, packing and split into calls.

#include <stdexcept>

#include "op_testing.h"

namespace kogrpo {
namespace {

using namespace kogrpo::testing;

// A matrix inside a wider one; the columns outside must stay as they are.
struct Strided {
  int64_t rows, cols, stride;
  std::vector<float> values;

  Strided(int64_t rows, int64_t cols, int64_t pad, uint32_t seed, float scale = 1.0f)
      : rows(rows), cols(cols), stride(cols + pad) {
    values = random_floats(static_cast<size_t>(rows * stride), seed, scale);
  }
  Tensor tensor() { return {values.data(), DType::f32, rows, cols, stride}; }
  Tensor poison() {
    for (int64_t r = 0; r < rows; ++r)
      std::fill_n(values.data() + r * stride, cols, std::numeric_limits<float>::quiet_NaN());
    return tensor();
  }
  std::vector<float> inside() const {
    std::vector<float> out;
    for (int64_t r = 0; r < rows; ++r)
      out.insert(out.end(), values.data() + r * stride, values.data() + r * stride + cols);
    return out;
  }
  std::vector<float> outside() const {
    std::vector<float> out;
    for (int64_t r = 0; r < rows; ++r)
      out.insert(out.end(), values.data() + r * stride + cols, values.data() + (r + 1) * stride);
    return out;
  }
};

struct Sizes {
  int64_t m, n, k;
};

// Around every edge: tiles of 4, 6 and 14 rows, panels of 16 and 32 columns, blocks of 384 k.
const std::vector<Sizes> kSizes = {
    {1, 1, 1},     {1, 32, 384},  {1, 257, 129}, {2, 31, 33},   {3, 16, 17},    {5, 48, 96},
    {6, 33, 385},  {7, 100, 3},   {13, 65, 770}, {14, 32, 384}, {15, 31, 383},  {29, 64, 1},
    {64, 96, 256}, {70, 129, 50}, {127, 40, 61}, {33, 700, 40}, {200, 17, 1153}};

enum class Form { forward, input, weight };

// One product of the given form: m rows of tokens, n outputs, k inputs.
struct Problem {
  Strided x, w, y;

  Problem(Sizes s, int64_t pad, uint32_t seed)
      : x(s.m, s.k, pad, seed), w(s.n, s.k, 2 * pad, seed + 1), y(s.m, s.n, 3 * pad, seed + 2) {}

  Strided& output(Form form) { return form == Form::forward ? y : form == Form::input ? x : w; }
  void run(Ops& ops, Form form, bool accumulate) {
    if (form != Form::weight && !accumulate) output(form).poison();
    if (form == Form::forward)
      ops.linear({x.tensor(), w.tensor(), y.tensor(), nullptr, accumulate});
    else if (form == Form::input)
      ops.linear_backward_input({y.tensor(), w.tensor(), x.tensor(), accumulate});
    else
      ops.linear_backward_weight({y.tensor(), x.tensor(), w.tensor()});
  }
};

TEST_CASE("matmul: all three products agree with double sums on every backend") {
  ReferenceOps reference;
  uint32_t seed = 1;
  for (const Sizes& s : kSizes)
    for (Form form : {Form::forward, Form::input, Form::weight})
      for (bool accumulate : {false, true})
        for (int64_t pad : {0, 5}) {
          const Problem fresh(s, pad, seed += 10);
          Problem expected = fresh;
          expected.run(reference, form, accumulate);
          for_each_cpu_backend([&](Ops& ops) {
            CAPTURE(s.m);
            CAPTURE(s.n);
            CAPTURE(s.k);
            CAPTURE(int(form));
            CAPTURE(accumulate);
            Problem got = fresh;
            got.run(ops, form, accumulate);
            CHECK(nmse(got.output(form).inside(), expected.output(form).inside()) < 1e-12);
            if (pad > 0)
              CHECK(same_bits(got.output(form).outside(), expected.output(form).outside()));
          });
        }
}

TEST_CASE("matmul: every backend and thread count gives the bits of one fused chain over k") {
  uint32_t seed = 1000;
  for (const Sizes& s : kSizes)
    for (Form form : {Form::forward, Form::input, Form::weight}) {
      const Problem fresh(s, 3, seed += 10);
      // The chain, written out.
      Problem chain = fresh;
      const Tensor x = chain.x.tensor(), w = chain.w.tensor(), y = chain.y.tensor();
      if (form == Form::forward) {
        for (int64_t m = 0; m < s.m; ++m)
          for (int64_t n = 0; n < s.n; ++n) {
            float sum = 0;
            for (int64_t k = 0; k < s.k; ++k) sum = std::fma(x.row(m)[k], w.row(n)[k], sum);
            y.row(m)[n] = sum;
          }
      } else if (form == Form::input) {
        for (int64_t m = 0; m < s.m; ++m)
          for (int64_t k = 0; k < s.k; ++k) {
            float sum = 0;
            for (int64_t n = 0; n < s.n; ++n) sum = std::fma(y.row(m)[n], w.row(n)[k], sum);
            x.row(m)[k] = sum;
          }
      } else {
        for (int64_t m = 0; m < s.m; ++m)
          for (int64_t n = 0; n < s.n; ++n)
            for (int64_t k = 0; k < s.k; ++k)
              w.row(n)[k] = std::fma(y.row(m)[n], x.row(m)[k], w.row(n)[k]);
      }
      for_each_cpu_backend([&](Ops& ops) {
        CAPTURE(s.m);
        CAPTURE(s.n);
        CAPTURE(s.k);
        CAPTURE(int(form));
        Problem got = fresh;
        got.run(ops, form, false);
        CHECK(same_bits(got.output(form).inside(), chain.output(form).inside()));
      });
    }
}

TEST_CASE("matmul: a row alone has the bits it has in any batch, packed or not") {
  const int64_t n = 75, k = 801;
  Strided w(n, k, 7, 5);
  Strided x(67, k, 3, 6);
  for_each_cpu_backend([&](Ops& ops) {
    std::vector<float> batch = poisoned(size_t(67 * n));
    ops.linear({x.tensor(), w.tensor(), matrix(batch.data(), 67, n)});
    const auto packed = ops.pack(w.tensor());
    REQUIRE(packed);
    CHECK(packed->bytes() >= size_t(n * k) * sizeof(float));
    for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 28, 64})
      for (const PackedWeight* pack : {static_cast<const PackedWeight*>(nullptr),
                                       static_cast<const PackedWeight*>(packed.get())}) {
        CAPTURE(rows);
        CAPTURE(pack != nullptr);
        std::vector<float> some = poisoned(size_t(rows * n));
        ops.linear({x.tensor().row_range(3, rows), w.tensor(), matrix(some.data(), rows, n), pack});
        CHECK(std::memcmp(some.data(), batch.data() + 3 * n, some.size() * sizeof(float)) == 0);
      }
  });
}

TEST_CASE("matmul: accumulating over a split of k, n or the tokens leaves the bits of one call") {
  const int64_t m = 50, n = 70, k = 900;
  for_each_cpu_backend([&](Ops& ops) {
    Problem whole({m, n, k}, 2, 40), parts({m, n, k}, 2, 40);
    whole.run(ops, Form::forward, false);
    parts.y.poison();
    ops.linear({parts.x.tensor().columns(0, 333), parts.w.tensor().columns(0, 333),
                parts.y.tensor(), nullptr, false});
    ops.linear({parts.x.tensor().columns(333, 567), parts.w.tensor().columns(333, 567),
                parts.y.tensor(), nullptr, true});
    CHECK(same_bits(whole.y.values, parts.y.values));

    whole.run(ops, Form::input, false);
    parts.x.poison();
    ops.linear_backward_input({parts.y.tensor().columns(0, 41), parts.w.tensor().row_range(0, 41),
                               parts.x.tensor(), false});
    ops.linear_backward_input({parts.y.tensor().columns(41, 29), parts.w.tensor().row_range(41, 29),
                               parts.x.tensor(), true});
    CHECK(same_bits(whole.x.values, parts.x.values));

    whole.run(ops, Form::weight, true);
    for (auto [begin, count] : {std::pair{0, 1}, {1, 16}, {17, 33}})
      ops.linear_backward_weight({parts.y.tensor().row_range(begin, count),
                                  parts.x.tensor().row_range(begin, count), parts.w.tensor()});
    CHECK(same_bits(whole.w.values, parts.w.values));
  });
}

TEST_CASE("matmul: products larger than a chunk of packed panels") {
  // 12 panels per thread and block of k: several chunks across and down for every backend.
  const Sizes s{20, 1700, 1000};
  const Problem fresh(s, 0, 77);
  for (Form form : {Form::forward, Form::input, Form::weight}) {
    std::vector<float> first;
    for_each_cpu_backend([&](Ops& ops) {
      Problem got = fresh;
      got.run(ops, form, false);
      if (first.empty()) first = got.output(form).values;
      CHECK(same_bits(got.output(form).values, first));
    });
    ReferenceOps reference;
    Problem expected = fresh;
    expected.run(reference, form, false);
    CHECK(nmse(first, expected.output(form).values) < 1e-12);
  }
}

TEST_CASE("matmul: empty sizes") {
  for_each_cpu_backend([&](Ops& ops) {
    std::vector<float> x(12, 1.0f), w(12, 1.0f);
    ops.linear({matrix(nullptr, 0, 4), matrix(w.data(), 3, 4), matrix(nullptr, 0, 3)});
    ops.linear({matrix(x.data(), 3, 4), matrix(nullptr, 0, 4), matrix(nullptr, 3, 0)});
    ops.linear_backward_weight(
        {matrix(nullptr, 0, 3), matrix(nullptr, 0, 4), matrix(w.data(), 3, 4)});
    CHECK(same_bits(w, std::vector<float>(12, 1.0f)));
    // No terms to sum: zero, or what was there.
    std::vector<float> y = poisoned(6);
    ops.linear({matrix(nullptr, 2, 0), matrix(nullptr, 3, 0), matrix(y.data(), 2, 3)});
    CHECK(same_bits(y, std::vector<float>(6, 0.0f)));
    std::vector<float> kept(6, 2.0f);
    ops.linear(
        {matrix(nullptr, 2, 0), matrix(nullptr, 3, 0), matrix(kept.data(), 2, 3), nullptr, true});
    CHECK(same_bits(kept, std::vector<float>(6, 2.0f)));
  });
}

TEST_CASE("matmul: infinities and NaN of one row or column stay there") {
  const int64_t m = 17, n = 37, k = 20;
  for_each_cpu_backend([&](Ops& ops) {
    Problem p({m, n, k}, 0, 9);
    p.x.values[size_t(3 * k + 2)] = std::numeric_limits<float>::infinity();
    p.w.values[size_t(36 * k + 5)] = std::numeric_limits<float>::quiet_NaN();
    p.run(ops, Form::forward, false);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        CHECK(std::isfinite(p.y.values[size_t(i * n + j)]) == (i != 3 && j != 36));
  });
}

TEST_CASE("matmul: wrong arguments are named") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> a(64), b(64), c(64);
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "";
  };
  CHECK(message([&] {
          ops.linear({matrix(a.data(), 2, 3), matrix(b.data(), 4, 5), matrix(c.data(), 2, 4)});
        }) == "linear: shapes do not fit: x [2, 3], w [4, 5], y [2, 4]");
  CHECK(message([&] {
          ops.linear_backward_weight(
              {matrix(a.data(), 2, 4), matrix(b.data(), 3, 5), matrix(c.data(), 4, 5)});
        }) == "linear_backward_weight: shapes do not fit: dy [2, 4], x [3, 5], dw [4, 5]");
  CHECK(message([&] {
          ops.linear_backward_input(
              {matrix(a.data(), 2, 4), {b.data(), DType::f32, 4, 5, 3}, matrix(c.data(), 2, 5)});
        }) == "linear_backward_input: w [4, 5] has stride 3, less than its columns");
  CHECK(message([&] {
          ops.linear(
              {{a.data(), DType::bf16, 2, 3, 3}, matrix(b.data(), 4, 3), matrix(c.data(), 2, 4)});
        }) == "linear: x [2, 3] must be f32");
  const auto packed = ops.pack(matrix(b.data(), 4, 3));
  CHECK(message([&] {
          ops.linear({matrix(a.data(), 2, 4), matrix(b.data(), 3, 4), matrix(c.data(), 2, 3),
                      packed.get()});
        }).find("packed is not this backend's pack of w [3, 4]") != std::string::npos);
}

}  // namespace
}  // namespace kogrpo
