// Sampling on the CPU: rows are independent. Unrestricted and greedy rows are one kernel call; a
// row with top_k, min_p or top_p first collects the few ids that can survive, by lowering a
// threshold, and then works on those alone.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/cpu_ops.h"
#include "ops/op_checks.h"
#include "ops/philox.h"

namespace kogrpo {

namespace {

bool restricted(const SamplingParams& p, int64_t vocab_limit) {
  return p.temperature > 0 &&
         ((p.top_k > 0 && p.top_k < vocab_limit) || p.top_p < 1 || p.min_p > 0);
}

struct Candidate {
  float z;  // logit over temperature
  int32_t id;
  float e = 0;  // exp(z − max), proportional to the probability
};
// Most probable first, lower id first on a tie.
bool before(const Candidate& a, const Candidate& b) {
  return a.z != b.z ? a.z > b.z : a.id < b.id;
}

class RestrictedSampler {
 public:
  // `ids`: scratch of vocab_limit.
  RestrictedSampler(const KernelTable& kernels, const float* logits, int64_t vocab_limit,
                    const SamplingParams& params, int32_t* ids)
      : kernels_(kernels),
        ids_(ids),
        logits_(logits),
        vocab_(vocab_limit),
        params_(params),
        inverse_(1.0f / params.temperature),
        sums_(kernels.softmax_sums(logits, vocab_limit, inverse_)) {}

  // −1 and NaN if the row is not finite.
  void draw(int32_t& token, float& logprob) {
    token = -1;
    logprob = std::numeric_limits<float>::quiet_NaN();
    if (std::isnan(sums_.weighted)) return;
    collect();
    keep_top_k();
    keep_min_p();
    keep_top_p();
    pick(token, logprob);
  }

 private:
  bool top_k_on() const { return params_.top_k > 0 && params_.top_k < vocab_; }

  // Lowers the threshold until the candidates include every id that the first restriction keeps.
  // They lie shell below shell; only the last one can hold ids that the restriction drops.
  void collect() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    float ceiling = kInfinity;
    for (float depth = 3;; depth *= 1.5f) {
      const bool all = depth > 64;
      const float floor = all ? -kInfinity : sums_.max - depth;
      const int64_t count = kernels_.ids_between(logits_, vocab_, inverse_, floor, ceiling, ids_);
      shell_ = candidates_.size();
      mass_above_shell_ = mass();
      for (int64_t i = 0; i < count; ++i)
        candidates_.push_back({logits_[ids_[i]] * inverse_, ids_[i]});
      exponentiate_shell();
      if (all || enough(depth)) return;
      ceiling = floor;
    }
  }

  bool enough(float depth) const {
    if (top_k_on()) return int64_t(candidates_.size()) >= params_.top_k;
    if (params_.min_p > 0) return std::exp(-double(depth)) < 0.99 * double(params_.min_p);
    return mass() >= double(params_.top_p) * sums_.sum;
  }

  void exponentiate_shell() {
    const size_t count = candidates_.size() - shell_;
    buffer_.resize(count);
    for (size_t i = 0; i < count; ++i) buffer_[i] = candidates_[shell_ + i].z - sums_.max;
    kernels_.exponentials(buffer_.data(), buffer_.data(), int64_t(count));
    for (size_t i = 0; i < count; ++i) candidates_[shell_ + i].e = buffer_[i];
  }

  double mass() const {
    double total = 0;
    for (const Candidate& c : candidates_) total += c.e;
    return total;
  }

  void keep_top_k() {
    if (!top_k_on()) return;
    const auto end = candidates_.begin() + params_.top_k;
    std::nth_element(candidates_.begin() + int64_t(shell_), end, candidates_.end(), before);
    candidates_.erase(end, candidates_.end());
  }

  // The most probable id has e = 1.
  void keep_min_p() {
    if (params_.min_p > 0)
      std::erase_if(candidates_, [&](const Candidate& c) { return c.e < params_.min_p; });
  }

  // Quickselect by mass: narrows [low, high) around the last candidate to keep; everything before
  // `low` is kept, everything from `high` on is not.
  void keep_top_p() {
    if (params_.top_p >= 1) return;
    const bool whole_row = !top_k_on() && params_.min_p == 0;
    double wanted = double(params_.top_p) * (whole_row ? sums_.sum : mass());
    auto low = candidates_.begin(), high = candidates_.end();
    if (whole_row) {
      low += int64_t(shell_);
      wanted -= mass_above_shell_;
    }
    while (high - low > 1) {
      const auto middle = low + (high - low) / 2;
      std::nth_element(low, middle, high, before);
      double upper = 0;
      for (auto c = low; c < middle; ++c) upper += c->e;
      if (upper >= wanted) {
        high = middle;
      } else {
        wanted -= upper;
        low = middle;
      }
    }
    candidates_.erase(high, candidates_.end());
  }

  // Gumbel-max with the noise that the unrestricted draw would use, id by id.
  void pick(int32_t& token, float& logprob) {
    std::vector<uint32_t> words;
    words.reserve(candidates_.size());
    for (const Candidate& c : candidates_)
      words.push_back(philox(uint32_t(c.id) / 4, uint32_t(params_.position),
                             uint32_t(params_.stream), uint32_t(params_.stream >> 32),
                             params_.seed)[size_t(c.id) % 4]);
    buffer_.resize(words.size());
    kernels_.minus_gumbels(words.data(), buffer_.data(), int64_t(words.size()));
    size_t best = 0;
    float best_score = candidates_[0].z - buffer_[0];
    for (size_t i = 1; i < words.size(); ++i) {
      const float score = candidates_[i].z - buffer_[i];
      if (score > best_score || (score == best_score && candidates_[i].id < candidates_[best].id)) {
        best = i;
        best_score = score;
      }
    }
    token = candidates_[best].id;
    logprob = (candidates_[best].z - sums_.max) - kernels_.logarithm(float(mass()));
  }

  const KernelTable& kernels_;
  int32_t* ids_;
  const float* logits_;
  const int64_t vocab_;
  const SamplingParams& params_;
  const float inverse_;
  const SoftmaxSums sums_;
  std::vector<Candidate> candidates_;
  size_t shell_ = 0;  // where the last shell begins
  double mass_above_shell_ = 0;
  std::vector<float> buffer_;
};

}  // namespace

void CpuOps::sample(const Sample& a) {
  check::sample(a);
  const int64_t rows = a.logits.rows;
  pool_.run(rows, grain(6 * a.vocab_limit), [&](Range range, int) {
    std::vector<int32_t> ids;
    for (int64_t r = range.begin; r < range.end; ++r) {
      if (!restricted(a.params[r], a.vocab_limit)) {
        kernels_.sample(a, {r, r + 1});
        continue;
      }
      ids.resize(size_t(a.vocab_limit));
      RestrictedSampler sampler(kernels_, a.logits.row(r), a.vocab_limit, a.params[r], ids.data());
      sampler.draw(a.token.i32()[r], a.logprob.f32()[r]);
    }
  });
}

}  // namespace kogrpo
