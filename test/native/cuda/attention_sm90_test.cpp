// The Hopper attention kernels against the reference, on the emulation or on a GPU of compute
// capability 9.0: lengths around the edges of tiles, grouped heads, shared prefixes, and what a
// row's bits may depend on.

#include "cuda/attention_sm90.h"

#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;
using cuda::PackedSequence;

constexpr int64_t kDim = 128;

bool hopper() {
  if (cuda::hopper_code(cuda_ops().context())) return true;
  MESSAGE("skipped: needs compute capability 9.0 and code for sm_90a");
  return false;
}

std::vector<PackedSequence> sequences(const std::vector<int32_t>& cu) {
  std::vector<PackedSequence> out;
  for (size_t s = 0; s + 1 < cu.size(); ++s) out.push_back({cu[s], cu[s + 1] - cu[s], 0, 0});
  return out;
}

struct Forward {
  int q_heads, kv_heads;
  Twin q, k, v, out, lse;
  Forward(int64_t rows, int hq, int hkv)
      : q_heads(hq),
        kv_heads(hkv),
        q(Twin::random(DType::bf16, rows, hq * kDim, 1)),
        k(Twin::random(DType::bf16, rows, hkv * kDim, 2)),
        v(Twin::random(DType::bf16, rows, hkv * kDim, 3)),
        out(Twin::output(DType::bf16, rows, hq * kDim)),
        lse(Twin::output(DType::f32, rows, hq)) {}
  float scale() const { return 1.0f / std::sqrt(float(kDim)); }
  void run(const std::vector<PackedSequence>& s) {
    const Tensor l = lse.device();
    cuda::attention_forward_sm90(cuda_ops().context(), q_heads, kv_heads, scale(), s, q.device(),
                                 k.device(), v.device(), out.device(), l.f32(), l.stride);
    cuda_ops().synchronize();
  }
};

void check_forward(std::vector<int32_t> cu, int q_heads, int kv_heads) {
  CAPTURE(cu.back());
  Forward f(cu.back(), q_heads, kv_heads);
  ReferenceOps().attention_forward({f.q.host(), f.k.host(), f.v.host(), f.out.host(), f.lse.host(),
                                    ints(cu.data(), int64_t(cu.size())), q_heads, kv_heads, kDim,
                                    f.scale()});
  f.run(sequences(cu));
  CHECK(f.out.error() <= 2e-5);
  CHECK(f.lse.error() <= 1e-11);
}

TEST_CASE("sm_90a attention forward: lengths around the edges of tiles") {
  if (!hopper()) return;
  check_forward({0, 1}, 1, 1);
  check_forward({0, 127, 255, 384}, 1, 1);  // 127, 128, 129
  check_forward({0, 257}, 2, 1);
  check_forward({0, 3, 387, 388}, 1, 1);  // three tiles and their neighbours
}

TEST_CASE("sm_90a attention forward: five query heads to a key/value head, two of those") {
  if (!hopper()) return;
  check_forward({0, 130, 190}, 10, 2);
}

TEST_CASE("sm_90a attention forward: a row's bits do not depend on its neighbours") {
  if (!hopper()) return;
  Forward f(300, 2, 1);
  f.run({{0, 40, 0, 0}, {40, 200, 0, 0}, {240, 60, 0, 0}});
  const auto together = f.out.download();
  // The middle sequence alone; what stands around it is NaN now, as keys and as values.
  for (Twin* t : {&f.k, &f.v}) {
    std::vector<float> values = t->values();
    for (size_t i = 0; i < values.size(); ++i)
      if (i < 40 * kDim || i >= 240 * kDim) values[i] = std::nanf("");
    t->put(values);
  }
  f.run({{40, 200, 0, 0}});
  const auto alone = f.out.download();
  const auto middle = [](const std::vector<float>& x) {
    return std::vector<float>(x.begin() + 40 * 2 * kDim, x.begin() + 240 * 2 * kDim);
  };
  CHECK(same_bits(middle(alone), middle(together)));
}

TEST_CASE("sm_90a attention forward: a shared prefix gives the bits of the sequence in full") {
  if (!hopper()) return;
  for (const int32_t prefix : {128, 70, 150}) {
    CAPTURE(prefix);
    const int32_t tail = 90, length = prefix + tail;
    // Full: [root and tail]. Shared: rows [0, prefix) root, then a stranger, then the tail alone.
    Forward full(length, 2, 1), shared(length + 33, 2, 1);
    full.run({{0, length, 0, 0}});
    const auto rearrange = [&](Twin& from, Twin& to, int64_t width) {
      std::vector<float> values = to.values();
      std::copy_n(from.values().begin(), prefix * width, values.begin());
      std::copy_n(from.values().begin() + prefix * width, tail * width,
                  values.begin() + (prefix + 33) * width);
      to.put(values);
    };
    rearrange(full.q, shared.q, 2 * kDim);
    rearrange(full.k, shared.k, kDim);
    rearrange(full.v, shared.v, kDim);
    shared.run({{0, prefix, 0, 0}, {prefix, 33, 0, 0}, {prefix + 33, tail, prefix, 0}});
    auto a = full.out.download(), b = shared.out.download();
    a.erase(a.begin(), a.begin() + prefix * 2 * kDim);
    b.erase(b.begin(), b.begin() + (prefix + 33) * 2 * kDim);
    CHECK(same_bits(a, b));
  }
}

TEST_CASE("attention_forward on Hopper takes shared prefixes, and refuses one that is too long") {
  if (!hopper()) return;
  std::vector<int32_t> cu = {0, 100, 140, 150, 181}, prefixes = {0, 100, 0, 10};
  Forward f(181, 2, 1);
  const Tensor offsets = ints(cu.data(), 5), shared = ints(prefixes.data(), 4);
  ReferenceOps().attention_forward({f.q.host(), f.k.host(), f.v.host(), f.out.host(), f.lse.host(),
                                    offsets, 2, 1, kDim, f.scale(), shared});
  cuda_ops(false).attention_forward({f.q.device(), f.k.device(), f.v.device(), f.out.device(),
                                     f.lse.device(), offsets, 2, 1, kDim, f.scale(), shared});
  cuda_ops(false).synchronize();
  CHECK(f.out.error() <= 2e-5);
  CHECK(f.lse.error() <= 1e-11);
  prefixes[3] = 11;
  CHECK_THROWS_WITH_AS(
      cuda_ops(false).attention_forward({f.q.device(), f.k.device(), f.v.device(), f.out.device(),
                                         f.lse.device(), offsets, 2, 1, kDim, f.scale(), shared}),
      "attention_forward: prefixes[3] = 11 is not within the sequence that it continues",
      std::invalid_argument);
}

struct Backward {
  Forward f;
  Twin dout, dq, dk, dv;
  std::vector<int32_t> cu;
  Backward(std::vector<int32_t> cu_seqlens, int hq, int hkv)
      : f(cu_seqlens.back(), hq, hkv),
        dout(Twin::random(DType::bf16, cu_seqlens.back(), hq * kDim, 4)),
        dq(Twin::output(DType::bf16, cu_seqlens.back(), hq * kDim)),
        dk(Twin::output(DType::bf16, cu_seqlens.back(), hkv * kDim)),
        dv(Twin::output(DType::bf16, cu_seqlens.back(), hkv * kDim)),
        cu(std::move(cu_seqlens)) {}
  // The reference's numbers on the host, its output and lse on the device too.
  void reference() {
    const Tensor offsets = ints(cu.data(), int64_t(cu.size()));
    ReferenceOps().attention_forward({f.q.host(), f.k.host(), f.v.host(), f.out.host(),
                                      f.lse.host(), offsets, f.q_heads, f.kv_heads, kDim,
                                      f.scale()});
    ReferenceOps().attention_backward({dout.host(), f.q.host(), f.k.host(), f.v.host(),
                                       f.out.host(), f.lse.host(), offsets, dq.host(), dk.host(),
                                       dv.host(), f.q_heads, f.kv_heads, kDim, f.scale()});
    f.out.put(f.out.values());
    f.lse.put(f.lse.values());
  }
  void run(std::vector<int32_t>& offsets) {
    cuda::attention_backward_sm90(
        cuda_ops().context(),
        {dout.device(), f.q.device(), f.k.device(), f.v.device(), f.out.device(), f.lse.device(),
         ints(offsets.data(), int64_t(offsets.size())), dq.device(), dk.device(), dv.device(),
         f.q_heads, f.kv_heads, kDim, f.scale()});
    cuda_ops().synchronize();
  }
};

void check_backward(std::vector<int32_t> cu, int q_heads, int kv_heads) {
  CAPTURE(cu.back());
  Backward b(std::move(cu), q_heads, kv_heads);
  b.reference();
  b.run(b.cu);
  CHECK(b.dq.error() <= 2e-5);
  CHECK(b.dk.error() <= 2e-5);
  CHECK(b.dv.error() <= 2e-5);
}

TEST_CASE("sm_90a attention backward: lengths around the edges of tiles") {
  if (!hopper()) return;
  check_backward({0, 1}, 1, 1);
  check_backward({0, 63, 127, 192}, 1, 1);  // 63, 64, 65
  check_backward({0, 129, 257}, 2, 1);
  check_backward({0, 3, 259}, 1, 1);
}

TEST_CASE("sm_90a attention backward: five query heads to a key/value head, two of those") {
  if (!hopper()) return;
  check_backward({0, 130, 190}, 10, 2);
}

TEST_CASE("sm_90a attention backward: a sequence's bits do not depend on its neighbours") {
  if (!hopper()) return;
  Backward b({0, 40, 240, 300}, 2, 1);
  b.reference();
  b.run(b.cu);
  const auto middle = [](Twin& t) {
    const auto x = t.download();
    const size_t width = x.size() / 300;
    return std::vector<float>(x.begin() + int64_t(40 * width), x.begin() + int64_t(240 * width));
  };
  const auto dq = middle(b.dq), dk = middle(b.dk), dv = middle(b.dv);
  for (Twin* t : {&b.f.q, &b.f.k, &b.f.v, &b.dout}) {  // everything around it becomes NaN
    std::vector<float> values = t->values();
    const size_t width = values.size() / 300;
    for (size_t i = 0; i < values.size(); ++i)
      if (i < 40 * width || i >= 240 * width) values[i] = std::nanf("");
    t->put(values);
  }
  std::vector<int32_t> alone = {40, 240};
  b.run(alone);
  CHECK(same_bits(middle(b.dq), dq));
  CHECK(same_bits(middle(b.dk), dk));
  CHECK(same_bits(middle(b.dv), dv));
}

}  // namespace
}  // namespace kogrpo
