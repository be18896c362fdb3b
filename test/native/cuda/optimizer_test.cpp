// The optimizer on the CUDA backend: fp32 against the reference, the exact master behind bf16
// weights, and moments of 16 and 8 bits.

#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& values) : size_(values.size()), memory_(values.size()) {
    KOGRPO_CUDA(cudaMemcpyAsync(memory_.data(), values.data(), size_ * sizeof(T),
                                cudaMemcpyHostToDevice, cuda_ops().context().stream()));
    cuda_ops().synchronize();
  }
  T* data() { return memory_.data(); }
  std::vector<T> download() {
    std::vector<T> out(size_);
    KOGRPO_CUDA(cudaMemcpyAsync(out.data(), memory_.data(), size_ * sizeof(T),
                                cudaMemcpyDeviceToHost, cuda_ops().context().stream()));
    cuda_ops().synchronize();
    return out;
  }

 private:
  size_t size_;
  cuda::DeviceBuffer<T> memory_;
};

template <class A>
A with_rates(A a, int64_t n, int64_t step, float lr) {
  a.n = n, a.lr = lr, a.beta1 = 0.9f, a.beta2 = 0.95f, a.eps = 1e-8f, a.weight_decay = 0.1f;
  a.grad_scale = 0.5f, a.step = step;
  return a;
}

TEST_CASE("AdamW in fp32 against the reference") {
  for (const size_t n : {size_t(1003), size_t(4096)}) {
    const auto p0 = random_floats(n, 2), g = random_floats(n, 3), m0 = random_floats(n, 4, 0.1f);
    auto v0 = random_floats(n, 5, 0.1f);
    for (float& v : v0) v *= v;
    auto p = p0, m = m0, v = v0;
    ReferenceOps().adamw(
        with_rates(AdamW{.param = p.data(), .grad = g.data(), .m = m.data(), .v = v.data()},
                   int64_t(n), 7, 3e-3f));
    Array<float> dp(p0), dg(g), dm(m0), dv(v0);
    cuda_ops().adamw(
        with_rates(AdamW{.param = dp.data(), .grad = dg.data(), .m = dm.data(), .v = dv.data()},
                   int64_t(n), 7, 3e-3f));
    CHECK(nmse(dp.download(), p) <= 1e-13);
    CHECK(nmse(dm.download(), m) <= 1e-12);
    CHECK(nmse(dv.download(), v) <= 1e-12);
  }
}

std::vector<bf16> rounded(const std::vector<float>& values) {
  std::vector<bf16> out;
  for (const float v : values) out.push_back(round_to_bf16(v));
  return out;
}
std::vector<float> widened(const std::vector<bf16>& values) {
  std::vector<float> out;
  for (const bf16 v : values) out.push_back(widen(v));
  return out;
}

// A mixed optimizer on the device and its fp32 twin, fed with the same bf16 gradients.
struct Pair {
  size_t n;
  std::vector<float> start;
  Array<bf16> weight;
  Array<int16_t> remainder;
  Array<unsigned char> m, v;
  Array<float> m_scale, v_scale, p32, m32, v32;

  explicit Pair(size_t count, uint32_t seed = 1)
      : n(count),
        start(widened(rounded(random_floats(count, seed, 0.02f)))),
        weight(rounded(start)),
        remainder(std::vector<int16_t>(count, 0)),
        m(std::vector<unsigned char>(4 * count, 0)),
        v(m.download()),
        m_scale(std::vector<float>(count / 256 + 1, 0.0f)),
        v_scale(std::vector<float>(count / 256 + 1, 0.0f)),
        p32(start),
        m32(std::vector<float>(count, 0.0f)),
        v32(std::vector<float>(count, 0.0f)) {}

  void step(MomentType type, int64_t t, float lr, const std::vector<float>& gradient) {
    Array<bf16> g(rounded(gradient));
    Array<float> g32(widened(rounded(gradient)));
    MixedAdamW a;
    a.param = weight.data(), a.remainder = remainder.data(), a.grad = g.data(), a.moments = type;
    a.m = m.data(), a.v = v.data(), a.m_scale = m_scale.data(), a.v_scale = v_scale.data();
    a.seed = 11;
    cuda_ops().mixed_adamw(with_rates(a, int64_t(n), t, lr));
    cuda_ops().adamw(
        with_rates(AdamW{.param = p32.data(), .grad = g32.data(), .m = m32.data(), .v = v32.data()},
                   int64_t(n), t, lr));
  }
  // The master that weight and remainder stand for.
  std::vector<float> master() {
    const auto w = weight.download();
    const auto r = remainder.download();
    std::vector<float> out(n);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t u = (uint32_t(w[i].bits) << 16) + uint32_t(int32_t(r[i]));
      std::memcpy(&out[i], &u, 4);
    }
    return out;
  }
};

TEST_CASE("bf16 weights with a remainder are an fp32 master, to the bit, over twenty steps") {
  Pair pair(2048 + 8);
  for (int64_t t = 1; t <= 20; ++t)
    pair.step(MomentType::f32, t, 3e-3f, random_floats(pair.n, uint32_t(100 + t)));
  CHECK(same_bits(pair.master(), pair.p32.download()));
  // The bf16 weight is the master to within half a unit of its last place.
  const auto w = widened(pair.weight.download());
  const auto p = pair.p32.download();
  for (size_t i = 0; i < pair.n; ++i) CHECK(std::fabs(w[i] - p[i]) <= std::fabs(p[i]) * 0x1p-8f);
}

TEST_CASE("at a learning rate of 1e-6 bf16 alone learns nothing; with the remainder all is kept") {
  Pair pair(2048);
  std::vector<bf16> plain = rounded(pair.start);
  const auto gradient = random_floats(pair.n, 7);
  std::vector<float> m(pair.n, 0.0f), v(pair.n, 0.0f);
  for (int64_t t = 1; t <= 50; ++t) {
    pair.step(MomentType::f32, t, 1e-6f, gradient);
    auto p = widened(plain);
    const auto g = widened(rounded(gradient));
    AdamW a = with_rates(AdamW{.param = p.data(), .grad = g.data(), .m = m.data(), .v = v.data()},
                         int64_t(pair.n), t, 1e-6f);
    ReferenceOps().adamw(a);
    plain = rounded(p);
  }
  size_t stuck = 0;
  double moved = 0;
  const auto master = pair.master();
  for (size_t i = 0; i < pair.n; ++i) {
    stuck += widen(plain[i]) == pair.start[i];
    moved += std::fabs(double(master[i]) - pair.start[i]);
  }
  moved /= double(pair.n);
  MESSAGE("bf16 alone: ", stuck, " of ", pair.n, " weights never moved; the master moved ", moved);
  CHECK(double(stuck) >= 0.9 * double(pair.n));
  CHECK(moved >= 4.5e-5);  // 50 steps of about 1e-6
  CHECK(moved <= 5.5e-5);
}

TEST_CASE("moments of 16 and 8 bits: the path stays with the fp32 optimizer's") {
  for (const MomentType type : {MomentType::bf16, MomentType::eight_bit}) {
    Pair pair(4096);
    for (int64_t t = 1; t <= 30; ++t) {
      auto g = random_floats(pair.n, uint32_t(200 + t));
      for (size_t i = 0; i < g.size(); ++i) g[i] = 0.3f * g[i] + (i % 2 ? 1.0f : -0.5f);
      pair.step(type, t, 1e-3f, g);
    }
    const auto master = pair.master(), exact = pair.p32.download();
    double difference = 0, moved = 0;
    for (size_t i = 0; i < pair.n; ++i) {
      difference += std::fabs(double(master[i]) - exact[i]);
      moved += std::fabs(double(exact[i]) - pair.start[i]);
    }
    MESSAGE("relative distance of the paths: ", difference / moved);
    CHECK(difference / moved <= (type == MomentType::bf16 ? 0.002 : 0.05));
  }
}

TEST_CASE("8-bit second moments follow a slow average instead of freezing, and never become 0") {
  // A gradient that drops by 8: v must fall by 64 over time although one step changes it by 5 %.
  Pair pair(2048);
  for (int64_t t = 1; t <= 160; ++t) {
    std::vector<float> g(pair.n);
    for (size_t i = 0; i < g.size(); ++i)
      g[i] = (t <= 40 ? 1.0f : 0.125f) * (i % 256 ? 1e-3f : 1.0f);
    pair.step(MomentType::eight_bit, t, 1e-6f, g);
  }
  const auto v = pair.v32.download();
  const auto code = pair.v.download();
  const auto scale = pair.v_scale.download();
  double decoded = 0, exact = 0;
  for (size_t i = 0; i < pair.n; ++i) {
    CHECK(code[i] > 0);
    const uint32_t e = code[i] >> 4, mantissa = code[i] & 15;
    const double root = std::ldexp(e ? 16 + mantissa : mantissa, int(e ? e : 1) - 19) / 1.75;
    const double value = root * root * double(scale[i / 256]);
    if (i % 256) decoded += value, exact += double(v[i]);
  }
  MESSAGE("mean of decoded over exact: ", decoded / exact);
  CHECK(decoded / exact == doctest::Approx(1.0).epsilon(0.05));
}

TEST_CASE("sum of squares, scaling and interpolation") {
  const auto host = [](const std::vector<float>& x) { return const_cast<float*>(x.data()); };
  for (const size_t n : {size_t(1), size_t(1000), size_t(70001)}) {
    CAPTURE(n);
    const auto x = random_floats(n, 8), y = random_floats(n, 9);
    Array<float> dx(x), dy(y);
    const auto count = int64_t(n);
    const double expected = ReferenceOps().sum_of_squares(vector(host(x), count));
    CHECK(std::fabs(cuda_ops().sum_of_squares(vector(dx.data(), count)) - expected) <=
          1e-13 * expected);
    Array<bf16> half(rounded(x));
    const auto wide = widened(rounded(x));
    const double expected16 = ReferenceOps().sum_of_squares(vector(host(wide), count));
    CHECK(std::fabs(cuda_ops().sum_of_squares(matrix(half.data(), DType::bf16, 1, count)) -
                    expected16) <= 1e-13 * expected16);

    auto lerped = x;
    ReferenceOps().lerp(vector(lerped.data(), count), vector(host(y), count), 0.3f);
    cuda_ops().lerp(vector(dx.data(), count), vector(dy.data(), count), 0.3f);
    CHECK(nmse(dx.download(), lerped) <= 1e-13);
    cuda_ops().lerp(vector(dx.data(), count), vector(dy.data(), count), 1.0f);
    CHECK(same_bits(dx.download(), y));
    auto scaled = y;
    ReferenceOps().scale(scaled.data(), count, 0.7f);
    cuda_ops().scale(dx.data(), count, 0.7f);
    CHECK(same_bits(dx.download(), scaled));
  }
}

}  // namespace
}  // namespace kogrpo
