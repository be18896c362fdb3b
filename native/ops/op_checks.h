#pragma once
// Checks of single operations, the same on every device (check.h).

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "ops/check.h"
#include "ops/ops.h"

namespace kogrpo::check {

inline void vocab_limit(const char* op, int64_t limit, int64_t vocab) {
  require(
      limit > 0 && limit <= vocab, op,
      "vocab_limit = " + std::to_string(limit) + ", must be in [1, " + std::to_string(vocab) + "]");
}

// What LogitsForward and LogitsBackward share.
template <class Args>
void logits(const char* op, const Args& a) {
  const int64_t rows = a.logits.rows, vocab = a.logits.cols;
  matrix(op, "logits", a.logits, rows, vocab);
  vocab_limit(op, a.vocab_limit, vocab);
  require(
      a.inv_temperature > 0 && std::isfinite(a.inv_temperature), op,
      "inv_temperature = " + std::to_string(a.inv_temperature) + ", must be positive and finite");
  vector(op, "targets", a.targets, rows, DType::i32);
  indices(op, "targets", a.targets, -1, a.vocab_limit);
  vector(op, "entropy", a.entropy, rows);
  vector(op, "lse", a.lse, rows);
}

inline void sampling_params(const char* op, const SamplingParams& p, int64_t row) {
  const auto field = [&](bool valid, const char* name, double value, const char* rule) {
    if (!valid)
      fail(op, "row " + std::to_string(row) + ": " + name + " = " + std::to_string(value) +
                   ", must be " + rule);
  };
  field(p.temperature >= 0 && std::isfinite(p.temperature) &&
            (p.temperature == 0 || std::isfinite(1.0f / p.temperature)),
        "temperature", p.temperature, "0 or a positive number with a finite inverse");
  field(p.top_k >= 0, "top_k", p.top_k, "0 (off) or positive");
  field(p.top_p > 0 && p.top_p <= 1, "top_p", p.top_p, "in (0, 1]");
  field(p.min_p >= 0 && p.min_p <= 1, "min_p", p.min_p, "in [0, 1]");
  field(p.position >= 0 && p.position <= std::numeric_limits<uint32_t>::max(), "position",
        double(p.position), "in [0, 2^32)");
}

inline void sample(const Sample& a) {
  const char* op = "sample";
  const int64_t rows = a.logits.rows;
  matrix(op, "logits", a.logits, rows, a.logits.cols);
  vector(op, "token", a.token, rows, DType::i32);
  vector(op, "logprob", a.logprob, rows);
  vocab_limit(op, a.vocab_limit, a.logits.cols);
  if (a.token.resident) return;  // the parameters are the queue's
  require(a.params || rows == 0, op, "params has no data");
  for (int64_t r = 0; r < rows; ++r) sampling_params(op, a.params[r], r);
}

inline void top_logprobs(const TopLogprobs& a) {
  const char* op = "top_logprobs";
  const int64_t rows = a.logits.rows, k = a.ids.cols;
  matrix(op, "logits", a.logits, rows, a.logits.cols);
  vocab_limit(op, a.vocab_limit, a.logits.cols);
  require(k >= 1 && k <= a.vocab_limit, op,
          std::to_string(k) + " ids a row are wanted, must be in [1, vocab_limit]");
  matrix(op, "ids", a.ids, rows, k, DType::i32);
  matrix(op, "logprobs", a.logprobs, rows, k);
}

// Of AdamW and MixedAdamW.
template <class Args>
void adamw(const char* op, const Args& a) {
  require(a.n >= 0, op, "n = " + std::to_string(a.n) + ", must not be negative");
  require(a.n == 0 || (a.param && a.grad && a.m && a.v), op, "param, grad, m and v must have data");
  require(a.step >= 1, op, "step = " + std::to_string(a.step) + ", steps count from 1");
  require(a.beta1 >= 0 && a.beta1 < 1, op,
          "beta1 = " + std::to_string(a.beta1) + ", must be in [0, 1)");
  require(a.beta2 >= 0 && a.beta2 < 1, op,
          "beta2 = " + std::to_string(a.beta2) + ", must be in [0, 1)");
}

}  // namespace kogrpo::check
