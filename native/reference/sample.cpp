// Sampling, spelled out: sort the vocabulary, cut it by top_k, min_p, top_p, and take the largest
// z + Gumbel noise of what is left. Everything in double, noise from ops/philox.h.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/philox.h"
#include "reference/reference_ops.h"

namespace kogrpo {

namespace {

struct Entry {
  int64_t id;
  double z;
};

double gumbel(const SamplingParams& p, int64_t id) {
  const auto words = philox(uint32_t(id / 4), uint32_t(p.position), uint32_t(p.stream),
                            uint32_t(p.stream >> 32), p.seed);
  return -std::log(-std::log(uniform24(words[size_t(id % 4)])));
}

// Σ e^(z − top) over the entries.
double mass(const std::vector<Entry>& entries, double top) {
  double sum = 0;
  for (const Entry& e : entries) sum += std::exp(e.z - top);
  return sum;
}

}  // namespace

void ReferenceOps::sample(const Sample& a) {
  for (int64_t r = 0; r < a.logits.rows; ++r) {
    const SamplingParams& p = a.params[r];
    const bool greedy = p.temperature == 0;
    std::vector<Entry> entries;
    for (int64_t i = 0; i < a.vocab_limit; ++i)
      entries.push_back({i, a.logits.row(r)[i] / (greedy ? 1.0 : double(p.temperature))});
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& x, const Entry& y) { return x.z > y.z; });
    const double top = entries.front().z;

    if (greedy) {
      a.token.i32()[r] = int32_t(entries.front().id);
      a.logprob.f32()[r] = float(-std::log(mass(entries, top)));
      continue;
    }
    if (p.top_k > 0 && size_t(p.top_k) < entries.size()) entries.resize(size_t(p.top_k));
    while (std::exp(entries.back().z - top) < double(p.min_p)) entries.pop_back();
    if (p.top_p < 1) {
      const double wanted = double(p.top_p) * mass(entries, top);
      double cumulative = 0;
      size_t kept = 0;
      while (kept < entries.size() && cumulative < wanted)
        cumulative += std::exp(entries[kept++].z - top);
      entries.resize(kept);
    }
    const Entry* best = nullptr;
    double best_score = 0;
    for (const Entry& e : entries) {
      const double score = e.z + gumbel(p, e.id);
      if (!best || score > best_score || (score == best_score && e.id < best->id)) {
        best = &e;
        best_score = score;
      }
    }
    a.token.i32()[r] = int32_t(best->id);
    a.logprob.f32()[r] = float(best->z - top - std::log(mass(entries, top)));
  }
}

void ReferenceOps::top_logprobs(const TopLogprobs& a) {
  for (int64_t r = 0; r < a.logits.rows; ++r) {
    std::vector<Entry> entries;
    for (int64_t i = 0; i < a.vocab_limit; ++i) entries.push_back({i, a.logits.row(r)[i]});
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& x, const Entry& y) { return x.z > y.z; });
    const double top = entries.front().z, log_sum = std::log(mass(entries, top));
    for (int64_t k = 0; k < a.ids.cols; ++k) {
      const Entry& e = entries[size_t(k)];
      a.ids.i32()[r * a.ids.stride + k] = int32_t(e.id);
      a.logprobs.row(r)[k] = float(e.z - top - log_sum);
    }
  }
}

}  // namespace kogrpo
