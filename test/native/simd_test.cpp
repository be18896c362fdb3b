// The exponential, logarithm and Gumbel noise of the vector vocabulary, through the kernel tables:
// accuracy in units of the last place, edge cases, and the same bits from every instruction set.

#include <cstdlib>
#include <string>

#include "op_testing.h"
#include "ops/philox.h"

namespace kogrpo {
namespace {

using namespace testing;

// |value − exact| in units of exact's last place as a float (denormal spacing at the bottom).
double ulps(float value, double exact) {
  const int exponent = std::max(std::ilogb(exact), -126);
  return std::fabs(double(value) - exact) / std::ldexp(1.0, exponent - 23);
}

std::vector<float> sweep(float low, float high, size_t n) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> x(n);
  for (float& v : x) v = uniform(engine);
  return x;
}

TEST_CASE("the instruction set that is asked for comes first; one that is not there is named") {
  const std::vector<const KernelTable*> usual = available_kernels();
  CHECK(usual.back()->isa == std::string("scalar"));
  const char* given = std::getenv("KOGRPO_CPU_ISA");
  const std::string before = given ? given : "";
  setenv("KOGRPO_CPU_ISA", "scalar", 1);
  const std::vector<const KernelTable*> asked = available_kernels();
  CHECK(asked.front()->isa == std::string("scalar"));
  CHECK(asked.size() == usual.size());
  setenv("KOGRPO_CPU_ISA", "sse", 1);
  CHECK_THROWS_WITH_AS(
      available_kernels(),
      doctest::Contains("KOGRPO_CPU_ISA=sse cannot run on this processor; it has "),
      std::runtime_error);
  setenv("KOGRPO_CPU_ISA", before.c_str(), 1);  // an empty one counts as none
}

TEST_CASE("exp is within 2 ulp, the same on every instruction set") {
  auto x = sweep(-103.0f, 88.7f, 400001);
  const auto near = sweep(-1.0f, 1.0f, 200000);
  x.insert(x.end(), near.begin(), near.end());
  x.insert(x.end(), {0.0f, -0.0f, 88.72f, -87.33f, -87.34f});
  std::vector<float> first;
  for (const KernelTable* kernels : available_kernels()) {
    const std::string isa = kernels->isa;
    CAPTURE(isa);
    auto y = poisoned(x.size());
    kernels->exponentials(x.data(), y.data(), int64_t(x.size()));
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, ulps(y[i], std::exp(double(x[i]))));
    MESSAGE("exp on ", isa, ": worst error ", worst, " ulp");
    CHECK(worst <= 2.0);
    if (first.empty()) first = y;
    CHECK(same_bits(first, y));
  }
}

TEST_CASE("exp at the ends of its range") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {-inf, -1e30f, -110.0f, 0.0f, 89.0f, 1e30f, inf};
  for (const KernelTable* kernels : available_kernels()) {
    auto y = poisoned(x.size());
    kernels->exponentials(x.data(), y.data(), int64_t(x.size()));
    CHECK(y == std::vector<float>{0, 0, 0, 1, inf, inf, inf});
  }
}

TEST_CASE("log is within 2 ulp, the same on every instruction set") {
  auto x = sweep(0.0f, 1.0f, 60000);
  for (float wide : sweep(-80.0f, 80.0f, 60000)) x.push_back(std::exp(wide));
  for (float near : sweep(0.99f, 1.01f, 60000)) x.push_back(near);
  x.insert(x.end(), {0x1p-24f, 0x1p-25f, 1.0f, 1.0f - 0x1p-24f, 151936.0f});
  std::vector<float> first;
  for (const KernelTable* kernels : available_kernels()) {
    const std::string isa = kernels->isa;
    CAPTURE(isa);
    std::vector<float> y;
    double worst = 0;
    for (float v : x) {
      if (v < std::numeric_limits<float>::min()) continue;
      y.push_back(kernels->logarithm(v));
      if (v == 1.0f)
        CHECK(y.back() == 0.0f);
      else
        worst = std::max(worst, ulps(y.back(), std::log(double(v))));
    }
    MESSAGE("log on ", isa, ": worst error ", worst, " ulp");
    CHECK(worst <= 2.0);
    if (first.empty()) first = y;
    CHECK(same_bits(first, y));
  }
}

TEST_CASE("Gumbel noise follows −log(−log u) up to both ends, the same on every instruction set") {
  std::mt19937 engine(11);
  std::vector<uint32_t> words = {0,           0xffffffffu, 0xfffffe00u,
                                 0xffffff00u, 0x7fffffffu, 0x80000000u};
  for (int i = 0; i < 200000; ++i) words.push_back(engine());
  for (uint32_t i = 0; i < 5000; ++i) words.push_back(0xffffffffu - (i << 8));
  std::vector<float> first;
  for (const KernelTable* kernels : available_kernels()) {
    const std::string isa = kernels->isa;
    CAPTURE(isa);
    auto y = poisoned(words.size());
    kernels->minus_gumbels(words.data(), y.data(), int64_t(words.size()));
    double worst = 0, low = 0, high = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      const double exact = -std::log(-std::log(uniform24(words[i])));
      worst = std::max(worst, std::fabs(-double(y[i]) - exact));
      low = std::min(low, -double(y[i]));
      high = std::max(high, -double(y[i]));
    }
    CHECK(worst <= 2e-6);
    // The bounds that the sampler's shortcut relies on, reached by the extreme words above.
    CHECK(low > -2.86);
    CHECK(low < -2.85);
    CHECK(high < 17.4);
    CHECK(high > 17.3);
    if (first.empty()) first = y;
    CHECK(same_bits(first, y));
  }
}

}  // namespace
}  // namespace kogrpo
