#include "engine/request.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace kogrpo {

constexpr int64_t kMostPositions = INT32_MAX;  // a token's place in its sequence is an int32

void check_request(const GenerateRequest& r, const std::string& name, int64_t vocab_size) {
  const auto require = [&](bool valid, const std::string& complaint) {
    if (!valid) throw std::invalid_argument(name + complaint);
  };
  require(!r.prompt.empty(), ": the prompt is empty");
  require(r.max_new_tokens >= 1 || (r.max_new_tokens == 0 && r.prompt_logprobs),
          ".maxNewTokens must be at least 1");
  require(r.max_new_tokens <= kMostPositions - static_cast<int64_t>(r.prompt.size()),
          ".maxNewTokens must leave prompt and completion below 2^31 tokens");
  require(!r.prompt_logprobs || r.logprobs >= 0, ".promptLogprobs needs logprobs");
  require(r.logprobs >= -1 && r.logprobs <= vocab_size,
          ".logprobs must be at most the vocabulary's size");
  for (const int32_t token : r.prompt)
    require(token >= 0 && token < vocab_size, ": prompt token " + std::to_string(token) +
                                                  " is outside the vocabulary of " +
                                                  std::to_string(vocab_size));
  const SamplingParams& s = r.sampling;
  // Below it logits of common size would be infinite, and a step of all requests would fail.
  constexpr float kLeastTemperature = 1e-30f;
  require(
      s.temperature == 0 || (s.temperature >= kLeastTemperature && std::isfinite(s.temperature)),
      ".temperature must be 0 or a positive number with a finite inverse (at least 1e-30)");
  require(s.top_k >= 0, ".topK must be 0 (off) or positive");
  require(s.top_p > 0 && s.top_p <= 1, ".topP must be in (0, 1]");
  require(s.min_p >= 0 && s.min_p <= 1, ".minP must be in [0, 1]");
}

}  // namespace kogrpo
