#pragma once
// What is asked of generation, and what comes of it.

#include <cstdint>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace kogrpo {

struct GenerateRequest {
  std::vector<int32_t> prompt;
  int64_t max_new_tokens = 0;
  SamplingParams sampling;  // position is set here: the index of each token in its sequence
  std::vector<int32_t> stop_tokens;
  // The model's own log-probs (temperature 1, the whole vocabulary, as Engine::forward gives them):
  // −1: none; k ≥ 0: of each token, and of the k likeliest ids at its place.
  int32_t logprobs = -1;
  // And of the prompt's tokens, its first apart; needs logprobs ≥ 0.
  bool prompt_logprobs = false;
};

enum class FinishReason : uint8_t { stop, length };

// One thing that a step made of a request: a prompt token's log-prob (in order, from the second
// token on), a token, or the end.
struct Event {
  enum class Kind : uint8_t { prompt, token, finish };
  int64_t request = 0;
  Kind kind = Kind::token;
  int32_t token = -1;
  float logprob = 0;        // token: under the distribution it was sampled from
  float model_logprob = 0;  // where log-probs were asked for
  std::vector<int32_t> top_ids;
  std::vector<float> top_logprobs;
  FinishReason reason = FinishReason::length;
};

// Throws std::invalid_argument that begins with `name`.
void check_request(const GenerateRequest& request, const std::string& name, int64_t vocab_size);

}  // namespace kogrpo
