// Packed batches as JavaScript gives them: refused, or computed with finite values; shared prefixes
// give the same bits as none.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "targets.h"
#include "tiny_engine.h"

namespace kogrpo::fuzz {
namespace {

constexpr size_t kMostTokens = 48;

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

void check(const TokenValues& values, size_t tokens) {
  KOGRPO_REQUIRE(values.logprobs.size() == tokens && values.entropies.size() == tokens);
  for (const float x : values.logprobs)
    KOGRPO_REQUIRE(x <= 1e-5f);  // −∞ for an id beyond the limit
  for (const float x : values.entropies) KOGRPO_REQUIRE(std::isfinite(x) && x >= -1e-4f);
}

}  // namespace

void batch(Input input) {
  Engine& engine = tiny_engine();
  Reader in(input);
  const uint8_t kind = in.take<uint8_t>();
  std::vector<int32_t> tokens, cu{0}, prefixes;
  if (kind & 1) {  // whatever the bytes say
    tokens = in.many<int32_t>(in.below(8));
    cu = in.many<int32_t>(in.below(8));
    prefixes = in.many<int32_t>(in.below(8));
  } else {  // near to what is right
    const uint32_t sequences = 1 + in.below(5);
    for (uint32_t b = 0; b < sequences && tokens.size() < kMostTokens; ++b) {
      const uint32_t length = 1 + in.below(12);
      for (uint32_t i = 0; i < length; ++i)
        tokens.push_back(static_cast<int32_t>(in.below(kVocabulary)));
      cu.push_back(static_cast<int32_t>(tokens.size()));
      if (kind & 2) prefixes.push_back(static_cast<int32_t>(in.below(12)));
    }
  }
  std::vector<uint8_t> mask;
  if (kind & 4) mask = in.many<uint8_t>(kind & 8 ? tokens.size() : in.below(40));
  BatchArguments arguments{tokens,
                           cu,
                           mask,
                           kind & 16 ? in.take<float>() : 1.0f,
                           kind & 32 ? in.number(kVocabulary) : 0,
                           prefixes};
  const std::vector<float> coef =
      kind & 64 ? in.many<float>(in.below(60)) : std::vector<float>(tokens.size(), 0.0f);
  const AbortFlag abort;
  try {
    int64_t handle = 0;
    const TokenValues values = engine.forward(arguments, "policy", kind & 128, &handle, abort);
    check(values, tokens.size());
    if (!prefixes.empty()) {
      arguments.prefixes = {};
      const TokenValues plain = engine.forward(arguments, "policy", false, nullptr, abort);
      KOGRPO_REQUIRE(same_bits(values.logprobs, plain.logprobs));
      KOGRPO_REQUIRE(same_bits(values.entropies, plain.entropies));
      arguments.prefixes = prefixes;
    }
    if (kind & 128) {
      try {
        engine.backward(handle, coef, {}, abort);
      } catch (const std::invalid_argument&) {
        engine.release(handle);
      }
    }
    engine.forward_backward(arguments, coef, {}, abort);
  } catch (const std::invalid_argument&) {
  }
  engine.zero_gradients();
  try {
    const std::vector<int32_t> positions = in.many<int32_t>(in.below(3));
    const std::vector<float> z = engine.logits(tokens, positions);
    KOGRPO_REQUIRE(z.size() == positions.size() * size_t{kVocabulary});
    KOGRPO_REQUIRE(std::all_of(z.begin(), z.end(), [](float x) { return std::isfinite(x); }));
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace kogrpo::fuzz
