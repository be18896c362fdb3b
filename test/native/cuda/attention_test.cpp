// Attention of the CUDA backend against the reference: tensor-core and simple
// kernels, packed batches and pages, decoding in parts; and what determinism
// promises, bit for bit.

#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

struct Heads {
  int64_t q, kv, dim;
  int64_t wide() const { return q * dim; }
  int64_t narrow() const { return kv * dim; }
  float scale() const { return 1.0f / std::sqrt(float(dim)); }
};

// P and dS pass through bf16 on their way, so gradients carry two or three
// roundings.
double attention_bound(DType type) {
  return type == DType::f32 ? 1e-11 : 4e-5;
}

void check_batch(DType type, const Heads& h, std::vector<int32_t> cu,
                 std::vector<int32_t> prefix = {}) {
  CAPTURE(h.dim);
  CAPTURE(h.q);
  const int64_t rows = cu.back();
  const Tensor cu_seqlens = ints(cu.data(), int64_t(cu.size()));
  const Tensor prefixes = prefix.empty() ? Tensor{} : ints(prefix.data(), int64_t(prefix.size()));
  Twin q = Twin::random(type, rows, h.wide(), 1), k = Twin::random(type, rows, h.narrow(), 2),
       v = Twin::random(type, rows, h.narrow(), 3);
  Twin out = Twin::output(type, rows, h.wide()), lse = Twin::output(DType::f32, rows, h.q);
  ReferenceOps().attention_forward({q.host(), k.host(), v.host(), out.host(), lse.host(),
                                    cu_seqlens, h.q, h.kv, h.dim, h.scale(), prefixes});
  cuda_ops().attention_forward({q.device(), k.device(), v.device(), out.device(), lse.device(),
                                cu_seqlens, h.q, h.kv, h.dim, h.scale(), prefixes});
  CHECK(out.error() <= attention_bound(type));
  CHECK(lse.error() <= 1e-11);

  Twin dout = Twin::random(type, rows, h.wide(), 4), dq = Twin::output(type, rows, h.wide()),
       dk = Twin::output(type, rows, h.narrow()), dv = Twin::output(type, rows, h.narrow());
  Twin rounded(type, rows, h.wide(),
               out.values());  // the reference's output in the device's type
  lse.put(lse.values());
  ReferenceOps().attention_backward({dout.host(), q.host(), k.host(), v.host(), out.host(),
                                     lse.host(), cu_seqlens, dq.host(), dk.host(), dv.host(), h.q,
                                     h.kv, h.dim, h.scale(), prefixes});
  cuda_ops().attention_backward({dout.device(), q.device(), k.device(), v.device(),
                                 rounded.device(), lse.device(), cu_seqlens, dq.device(),
                                 dk.device(), dv.device(), h.q, h.kv, h.dim, h.scale(), prefixes});
  CHECK(dq.error() <= attention_bound(type));
  CHECK(dk.error() <= attention_bound(type));
  CHECK(dv.error() <= attention_bound(type));
}

TEST_CASE(
    "attention with shared prefixes: three continue one prompt, in part "
    "or whole") {
  check_batch(DType::bf16, {4, 2, 32}, {0, 70, 100, 103, 140, 150}, {0, 70, 65, 7, 0});
  check_batch(DType::bf16, {5, 1, 128}, {0, 40, 60, 70}, {0, 40, 33});
  check_batch(DType::f32, {4, 2, 32}, {0, 40, 60, 63, 70}, {0, 40, 7, 0});
}

TEST_CASE("attention forward and backward, tensor-core kernels") {
  check_batch(DType::bf16, {5, 1, 128}, {0, 1, 70});
  check_batch(DType::bf16, {4, 2, 32}, {0, 129, 130, 147});
  check_batch(DType::bf16, {2, 2, 64}, {0, 66});
}

TEST_CASE(
    "attention forward and backward, simple kernels: fp32, and other "
    "head sizes") {
  check_batch(DType::f32, {4, 2, 32}, {0, 67, 68, 75});
  check_batch(DType::f32, {3, 1, 128}, {0, 5, 40});
  check_batch(DType::bf16, {2, 1, 48}, {0, 37});
}

TEST_CASE("attention: an empty sequence is skipped, a decreasing offset refused") {
  check_batch(DType::bf16, {2, 1, 32}, {0, 0, 3, 3});
  Twin q = Twin::random(DType::bf16, 4, 32, 1), out = Twin::output(DType::bf16, 4, 32),
       lse = Twin::output(DType::f32, 4, 1);
  std::vector<int32_t> cu = {0, 3, 2, 4};
  CHECK_THROWS_WITH_AS(
      cuda_ops().attention_forward({q.device(), q.device(), q.device(), out.device(), lse.device(),
                                    ints(cu.data(), 4), 1, 1, 32, 1.0f}),
      "attention_forward: cu_seqlens decreases at 2", std::invalid_argument);
}

// A cache on both sides, filled by kv_append: sequence s has `lengths[s]`
// tokens.
struct Cache {
  Heads h;
  DType type;
  std::vector<int32_t> lengths, cu, table;
  int64_t max_pages = 0;
  Twin keys, values;  // all tokens, packed
  std::vector<float> host_keys, host_values;
  cuda::DeviceBuffer<unsigned char> device_keys, device_values;

  Cache(const Heads& heads, DType t, std::vector<int32_t> n)
      : h(heads), type(t), lengths(std::move(n)), keys(make(10)), values(make(11)) {
    int32_t pages = 0;
    for (const int32_t l : lengths)
      max_pages = std::max<int64_t>(max_pages, (l + kPageTokens - 1) / kPageTokens);
    table.assign(lengths.size() * size_t(max_pages), -1);
    // Pages in an order that is not the sequence's.
    for (int64_t p = max_pages; p-- > 0;)
      for (size_t s = 0; s < lengths.size(); ++s)
        if (p * kPageTokens < lengths[s]) table[s * size_t(max_pages) + size_t(p)] = pages++;
    const size_t floats = size_t(pages) * size_t(kPageTokens * h.narrow());
    host_keys = poisoned(floats);
    host_values = poisoned(floats);
    device_keys.reserve(floats * size_of(type));
    device_values.reserve(floats * size_of(type));
    const std::vector<int32_t> first(lengths.size(), 0);
    const RowSpans spans{cu.data(), first.data(), int64_t(lengths.size())};
    ReferenceOps().kv_append({keys.host(), values.host(), host(), spans});
    cuda_ops().kv_append({keys.device(), values.device(), device(), spans});
    cuda_ops().synchronize();
  }
  Twin make(uint32_t seed) {
    cu = {0};
    for (const int32_t l : lengths) cu.push_back(cu.back() + l);
    return Twin::random(type, cu.back(), h.narrow(), seed);
  }
  KvPages host() {
    return {host_keys.data(), host_values.data(), table.data(), max_pages, h.kv, h.dim};
  }
  KvPages device() {
    return {reinterpret_cast<float*>(device_keys.data()),
            reinterpret_cast<float*>(device_values.data()),
            table.data(),
            max_pages,
            h.kv,
            h.dim};
  }
};

void check_cached(CudaOps& ops, DType type, const Heads& h, std::vector<int32_t> lengths,
                  const std::vector<int32_t>& rows) {
  CAPTURE(h.dim);
  Cache cache(h, type, std::move(lengths));
  std::vector<int32_t> cu = {0}, first;
  for (size_t s = 0; s < rows.size(); ++s) {
    cu.push_back(cu.back() + rows[s]);
    first.push_back(cache.lengths[s] - rows[s]);
  }
  const RowSpans spans{cu.data(), first.data(), int64_t(rows.size())};
  Twin q = Twin::random(type, cu.back(), h.wide(), 1),
       out = Twin::output(type, cu.back(), h.wide());
  ReferenceOps().attention_cached({q.host(), out.host(), cache.host(), spans, h.q, h.scale()});
  ops.attention_cached({q.device(), out.device(), cache.device(), spans, h.q, h.scale()});
  ops.synchronize();
  CHECK(out.error() <= attention_bound(type));
}

TEST_CASE("attention over pages: prompt chunks and single rows together") {
  for (const bool deterministic : {true, false}) {
    CAPTURE(deterministic);
    CudaOps& ops = cuda_ops(deterministic);
    check_cached(ops, DType::bf16, {10, 2, 128}, {70, 1, 65}, {3, 1, 1});
    check_cached(ops, DType::bf16, {4, 2, 32}, {64, 129, 7, 20}, {1, 66, 0, 1});
    check_cached(ops, DType::f32, {4, 2, 32}, {64, 129, 7}, {1, 2, 1});
  }
}

TEST_CASE("decoding in parts: one key, the edges of parts, several parts") {
  check_cached(cuda_ops(false), DType::bf16, {5, 1, 128}, {1, 17, 511, 512, 513, 1100},
               {1, 1, 1, 1, 1, 1});
  check_cached(cuda_ops(false), DType::bf16, {16, 1, 64}, {600}, {1});
  // More heads to a group than a fragment has rows: another kernel, the same
  // numbers.
  check_cached(cuda_ops(false), DType::bf16, {17, 1, 32}, {70}, {1});
}

TEST_CASE("decoding does not depend on the other sequences, to the bit") {
  const Heads h{5, 1, 128};
  Cache cache(h, DType::bf16, {530, 40, 700});
  Twin q = Twin::random(DType::bf16, 3, h.wide(), 1), all = Twin::output(DType::bf16, 3, h.wide());
  std::vector<int32_t> cu = {0, 1, 2, 3}, first = {529, 39, 699};
  cuda_ops(false).attention_cached(
      {q.device(), all.device(), cache.device(), {cu.data(), first.data(), 3}, h.q, h.scale()});
  cuda_ops(false).synchronize();
  const auto together = all.download();
  for (int32_t s = 0; s < 3; ++s) {
    std::vector<int32_t> alone = {0, 0, 0, 0};
    for (int32_t i = s + 1; i <= 3; ++i) alone[size_t(i)] = 1;
    Twin one(DType::bf16, 1, h.wide(),
             {q.values().begin() + s * h.wide(), q.values().begin() + (s + 1) * h.wide()});
    Twin out = Twin::output(DType::bf16, 1, h.wide());
    cuda_ops(false).attention_cached({one.device(),
                                      out.device(),
                                      cache.device(),
                                      {alone.data(), first.data(), 3},
                                      h.q,
                                      h.scale()});
    cuda_ops(false).synchronize();
    CHECK(same_bits(out.download(),
                    {together.begin() + s * h.wide(), together.begin() + (s + 1) * h.wide()}));
  }
}

TEST_CASE(
    "deterministic: rows from the cache have the bits of the packed "
    "batch's rows") {
  for_each_type([](DType type) {
    const Heads h{4, 2, 32};
    Cache cache(h, type, {150, 3});
    Twin q = Twin::random(type, 153, h.wide(), 1), out = Twin::output(type, 153, h.wide());
    Twin lse = Twin::output(DType::f32, 153, h.q);
    cuda_ops().attention_forward({q.device(), cache.keys.device(), cache.values.device(),
                                  out.device(), lse.device(), ints(cache.cu.data(), 3), h.q, h.kv,
                                  h.dim, h.scale()});
    const auto packed = out.download();
    for (const auto& [row, position] : {std::pair<int32_t, int32_t>{0, 0}, {77, 77}, {149, 149}}) {
      CAPTURE(row);
      Twin one(type, 1, h.wide(),
               {q.values().begin() + row * h.wide(), q.values().begin() + (row + 1) * h.wide()});
      Twin result = Twin::output(type, 1, h.wide());
      std::vector<int32_t> cu = {0, 1, 1}, first = {position, 0};
      cuda_ops().attention_cached({one.device(),
                                   result.device(),
                                   cache.device(),
                                   {cu.data(), first.data(), 2},
                                   h.q,
                                   h.scale()});
      CHECK(same_bits(result.download(),
                      {packed.begin() + row * h.wide(), packed.begin() + (row + 1) * h.wide()}));
    }
  });
}

}  // namespace
}  // namespace kogrpo
