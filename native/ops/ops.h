#pragma once
// The one table of operations. Every backend (the readable reference, the CPU, CUDA) implements all
// of it; the engine above knows nothing else of the hardware, and nothing here knows a model.
//
// Conventions
//   T tokens of a packed batch, B sequences, H hidden size, Hq query heads, Hkv key/value heads,
//   D head dimension, I intermediate size, V vocabulary, R rows of a chunk.
//   Sequences lie one behind the other; sequence b is rows [cu_seqlens[b], cu_seqlens[b+1]).
//   Gradient outputs called d* of *parameters* accumulate; those of activations overwrite, except
//   where the struct has an `accumulate` flag.
//   Floating-point tensors lie in the memory of the backend's device. Index arrays (ids, positions,
//   targets, cu_seqlens, prefixes, page tables, spans), sampling parameters and what sample and
//   top_logprobs give lie in the host's, where they are checked. Of a step that a device's queue
//   takes (ops/step_queue.h) they are `resident`: in the device's memory, and unchecked.
//   Tensors of one call are all fp32 or, on a device that stores them so (ops/device.h), all bf16;
//   lse, rstd, rotary tables, logits, log-probs and entropies are fp32 always. On a device that
//   stores fp32, what nothing but products in bf16 reads may be bf16 (Device::operands): they would
//   round it anyway. So they take x and dy of either type; y of RmsNormForward and SwigluForward,
//   dgate_up and y of SwigluBackward, and the gradient of LogitsBackward are of the type that is
//   asked for, and EmbeddingForward gathers rows of either.
//
// Contract of every backend that calls itself deterministic (reference and CPU do):
// - a row's result depends on that row's inputs alone: not on the number of rows, their order, the
//   thread count or the split into calls (batch invariance);
// - sums over tokens run in token order from the accumulator's present value, so two calls on the
//   halves of a batch leave the same bits as one call on the whole.
//
// Source of the formulas: the Qwen3 model as defined in Hugging Face transformers (modeling_qwen3);
// attention: FlashAttention (arXiv 2205.14135, 2307.08691); AdamW: arXiv 1711.05101.

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "ops/tensor.h"

namespace kogrpo {

struct bf16;  // 16 bits: the upper half of a float

// A weight in the layout that the backend's matrix product streams fastest. Made by Ops::pack;
// valid while the weight it was made from is unchanged.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  virtual size_t bytes() const = 0;
  // Of the contents: equal packs of equal weights have equal digests.
  virtual uint64_t digest() const = 0;
  // Rows [begin, begin + count) of the weight as products take them, [count, columns]. Of int8
  // alone, whose pack may be all there is; std::logic_error otherwise.
  virtual void values(int64_t, int64_t, float*) const {
    throw std::logic_error("values: the weight itself has them");
  }
};

// y[M,N] = x[M,K] w[N,K]ᵀ, or y += with accumulate. 2·M·N·K operations. In w's precision, as is
// LinearBackwardInput. Of int8 with `packed` the weight's own memory is not read: w may be without.
struct Linear {
  Tensor x, w, y;
  const PackedWeight* packed = nullptr;  // optional: Ops::pack(w)
  bool accumulate = false;
};
// dx[M,K] = dy[M,N] w[N,K], or dx +=. Of int8 weights: fp32 products with the values that the
// integers stand for.
struct LinearBackwardInput {
  Tensor dy, w, dx;
  bool accumulate = false;
  const PackedWeight* packed = nullptr;  // as in Linear; read for int8 alone
};
// dw[N,K] += dy[M,N]ᵀ x[M,K]: one chain over the M tokens in order, continued from dw's value. In
// dw's precision.
struct LinearBackwardWeight {
  Tensor dy, x, dw;
};

// out[t] = table[ids[t]]
struct EmbeddingForward {
  Tensor ids /*[1,T] i32*/, table /*[V,H]*/, out /*[T,H]*/;
};
// dtable[ids[t]] += dout[t], in token order
struct EmbeddingBackward {
  Tensor ids, dout, dtable;
};

// y = x · rstd · weight with rstd = 1/√(mean(x²) + eps); rstd[T] is kept for the backward.
struct RmsNormForward {
  Tensor x /*[T,H]*/, weight /*[1,H]*/, y /*[T,H]*/, rstd /*[1,T]*/;
  float eps = 1e-6f;
};
// dx = rstd·(dy·w − x·rstd²·mean(dy·w·x)), overwritten or accumulated; dweight += Σ_t dy·x·rstd.
struct RmsNormBackward {
  Tensor dy, x, weight, rstd, dx, dweight;
  bool accumulate = false;
};

// Per-head RMSNorm of q and k (weights [D]), then rotary embedding (the "rotate half" form).
// qkv [T,(Hq+2Hkv)·D] holds the raw projections; out [T,(Hq+Hkv)·D] receives normed, rotated q and
// k. cos, sin [P, D/2] are tables over positions; positions [1,T] i32 picks their rows.
struct QkNormRopeForward {
  Tensor qkv, q_norm, k_norm, positions, cos, sin, out;
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  float eps = 1e-6f;
};
// dqkv's q and k columns are overwritten (v's are left alone); dq_norm, dk_norm accumulate.
struct QkNormRopeBackward {
  Tensor dout, qkv, q_norm, k_norm, positions, cos, sin, dqkv, dq_norm, dk_norm;
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  float eps = 1e-6f;
};

// Causal attention over a packed batch. q [T,Hq·D], k and v [T,Hkv·D] (strided views allowed);
// out [T,Hq·D]; lse [T,Hq] = log Σ exp(scale·q·k), kept for the backward. Query head h reads
// key/value head h / (Hq/Hkv). Scores never exist beyond one tile.
//
// With `prefixes`, sequence b continues the first p = prefixes[b] rows of its root, the nearest
// sequence before it whose prefix is 0: its own rows stand at positions p, p+1, … and attend to
// those p rows' keys, then to their own. Bit-equal to the same rows of a sequence written in full.
struct AttentionForward {
  Tensor q, k, v, out, lse, cu_seqlens /*[1,B+1] i32*/;
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 1.0f;
  Tensor prefixes = {};  // [1,B] i32, optional: all 0
  bool causal = true;    // false: every row sees its whole sequence; then without prefixes
  Precision precision = Precision::f32;  // of its products; bf16 where KvPages' type is that
};
// dq [T,Hq·D], dk and dv [T,Hkv·D] are overwritten (strided views allowed). A shared key's gradient
// is summed over the rows of its own sequence, then over those that continue it, in their order.
struct AttentionBackward {
  Tensor dout, q, k, v, out, lse, cu_seqlens, dq, dk, dv;
  int64_t q_heads = 0, kv_heads = 0, head_dim = 0;
  float scale = 1.0f;
  Tensor prefixes = {};  // as in AttentionForward
  bool causal = true;
  Precision precision = Precision::f32;
};

// Keys and values of running generations, in pages of kPageTokens tokens. One layer's pool: keys
// [page][Hkv][D][kPageTokens], token index fastest, so that a tile of scores is D fused steps;
// values [page][Hkv][kPageTokens][D].
// Of type bf16 the CPU has pairs in 32-bit words: keys [page][Hkv][D/2][kPageTokens], of two d;
// values [page][Hkv][kPageTokens/2][D], of two tokens. A backend may order a page otherwise
// (cuda/attention.cu does): the pointers are its own business. block_table[seq · max_pages + i] is
// the page of that sequence's tokens [i·kPageTokens, …).
constexpr int64_t kPageTokens = 64;
struct KvPages {
  float* keys = nullptr;
  float* values = nullptr;
  const int32_t* block_table = nullptr;
  int64_t max_pages = 0;  // row length of block_table
  int64_t kv_heads = 0, head_dim = 0;
  DType type = DType::f32;  // of keys and values
};
// Rows of a generation step: sequence s owns rows [cu_rows[s], cu_rows[s+1]); its first row stands
// at position first_position[s] of the sequence (a prompt chunk has many rows, a decode step one).
struct RowSpans {
  const int32_t* cu_rows = nullptr;
  const int32_t* first_position = nullptr;
  int64_t sequences = 0;
  bool resident = false;  // a row a sequence, cu_rows is null; so is the block table
};
// Writes k, v [R,Hkv·D] (k rotated already) into their pages.
struct KvAppend {
  Tensor k, v;
  KvPages pages;
  RowSpans spans;
};
// out[R,Hq·D]: each row attends to all positions ≤ its own, which KvAppend has written. Bit-equal
// to AttentionForward on the same sequence.
struct AttentionCached {
  Tensor q, out;
  KvPages pages;
  RowSpans spans;
  int64_t q_heads = 0;
  float scale = 1.0f;
};

// y[T,I] = silu(gate)·up with gate_up [T,2I] = [gate | up].
struct SwigluForward {
  Tensor gate_up, y;
};
struct SwigluBackward {
  Tensor dy, gate_up, dgate_up;
  Tensor y = {};  // optional: y of the forward again, in dgate_up's type
};

// Dropout on rows that have an identity: out[t,c] (+)= x[t,c]·f, where f is 0 if the upper 24 bits
// of word c%4 of Philox4x32-10 with `key` and counter (c/4, place, identity low, identity high) are
// below p·2²⁴ rounded to an integer (dropout_threshold), else 1/(1 − p). The same call on a
// gradient is its backward. identities[t] lies in the host's memory; out may be x.
struct Dropout {
  Tensor x, out;
  const uint64_t* identities = nullptr;
  uint32_t place = 0;
  uint64_t key = 0;
  double p = 0;
  bool accumulate = false;
};
inline uint32_t dropout_threshold(double p) {
  return uint32_t(p * 0x1p24 + 0.5);
}
inline float dropout_scale(double p) {
  return float(1 / (1 - p));
}

// One chunk of logits [R,V] → per row, with z = logits·inv_temperature over ids < vocab_limit:
//   lse = log Σ exp z,  logprob = z[target] − lse,  entropy = lse − Σ p z.
struct LogitsForward {
  Tensor logits, targets /*[1,R] i32*/, logprob /*[1,R]*/, entropy /*[1,R]*/, lse /*[1,R]*/;
  float inv_temperature = 1.0f;
  int64_t vocab_limit = 0;  // ids at or above it have probability 0
  Tensor correct = {};      // [1,R], optional: 1 where no id is likelier than the target, else 0
};
// In place: logits become ∂L/∂logits = inv_temperature·( c·(onehot − p) − e·p·(log p + entropy) )
// with c = coef_logprob[r] = ∂L/∂logprob, e = coef_entropy[r] = ∂L/∂entropy (null: 0). Columns from
// vocab_limit on become 0.
//
// With gradient = bf16 the result lies over the logits' own memory, row r where row r of the fp32
// logits began, so its stride is twice theirs.
struct LogitsBackward {
  Tensor logits, targets, entropy, lse, coef_logprob, coef_entropy;
  float inv_temperature = 1.0f;
  int64_t vocab_limit = 0;
  DType gradient = DType::f32;
};

// x[r, v] *= scale[v], in place: logits under a factor per vocabulary id (lib/smooth), and the same
// on their gradient.
struct ScaleColumns {
  Tensor x /*[R,V]*/, scale /*[1,V]*/;
};

// How one row of logits is sampled. The Gumbel noise of vocabulary id i is Philox4x32-10 with key
// `seed` and counter (i/4, position, stream low, stream high), word i%4: it depends on nothing
// else.
struct SamplingParams {
  float temperature =
      1.0f;            // 0: the most probable id (lowest id on a tie), log-prob at temperature 1
  int32_t top_k = 0;   // 0: off
  float top_p = 1.0f;  // 1: off
  float min_p = 0.0f;  // 0: off
  uint64_t seed = 0;
  uint64_t stream = 0;   // sequence id
  int64_t position = 0;  // index of the sampled token in its sequence
};
// token[r] ~ softmax(logits/temperature) over ids < vocab_limit, restricted by top_k, then min_p,
// then top_p (each on the distribution left by the one before, renormalised). logprob[r] is the
// token's log-probability under exactly that distribution; without restrictions it is bit-equal to
// LogitsForward's. A row whose logits/temperature hold NaN or +∞, or nothing but −∞, gets token −1
// and log-prob NaN: whose row it is the caller knows. An id at −∞ is never drawn. Where token and
// logprob are resident nobody waits.
struct Sample {
  Tensor logits, token /*[1,R] i32*/, logprob /*[1,R]*/;
  const SamplingParams* params = nullptr;  // R of them; null where token is resident: the queue's
  int64_t vocab_limit = 0;
};

// The K likeliest ids < vocab_limit of each row of logits [R,V], likeliest first (lower id first on
// a tie), and their log-probabilities at temperature 1, bit-equal to LogitsForward's.
struct TopLogprobs {
  Tensor logits, ids /*[R,K] i32*/, logprobs /*[R,K]*/;
  int64_t vocab_limit = 0;
};

// Decoupled AdamW on n consecutive elements, step counted from 1; grad is multiplied by grad_scale
// first (clipping). p −= lr·(m̂/(√v̂+eps) + weight_decay·p), torch's order of operations.
struct AdamW {
  float* param = nullptr;
  const float* grad = nullptr;
  float* m = nullptr;
  float* v = nullptr;
  int64_t n = 0;
  float lr = 0, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0, grad_scale = 1;
  int64_t step = 1;
};

// AdamW on bf16 weights with an exact fp32 master, kept as the 16 bits that the weight lacks: the
// master's bits are (weight << 16) + remainder. The moments are fp32, bf16, or 8-bit codes with one
// fp32 scale per kMomentBlock elements and stochastic rounding, keyed by seed, step and the
// element's place in the parameters' run. n is a multiple of 8, every array begins on 16 bytes, and
// element 0 is element `first` of the run, a multiple of kMomentBlock.
constexpr int64_t kMomentBlock = 256;
enum class MomentType : uint8_t { f32, bf16, eight_bit };
struct MixedAdamW {
  bf16* param = nullptr;
  int16_t* remainder = nullptr;
  const void* grad = nullptr;  // bf16, or fp32: a sum over ranks
  DType grad_type = DType::bf16;
  MomentType moments = MomentType::eight_bit;
  void *m = nullptr, *v = nullptr;
  float *m_scale = nullptr, *v_scale = nullptr;  // eight_bit: [⌈n/kMomentBlock⌉]
  int64_t n = 0, first = 0;
  float lr = 0, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0, grad_scale = 1;
  int64_t step = 1;
  uint64_t seed = 0;
};

// lerp on fp32 masters kept as MixedAdamW keeps them. n elements; a remainder of src that is null
// counts as 0.
struct MixedLerp {
  bf16* dst = nullptr;
  int16_t* dst_remainder = nullptr;
  const bf16* src = nullptr;
  const int16_t* src_remainder = nullptr;
  int64_t n = 0;
  float alpha = 1;
};

// Of a matrix with `cols` columns some rows or some columns are trained: their elements *= yes, the
// others *= no, where 0 clears whatever they were. x [1,n] are the elements from `first` on.
struct ScalePart {
  Tensor x;
  int16_t* remainder = nullptr;  // of bf16 masters, which are scaled then
  Tensor trained;                // [1,rows] or [1,cols], fp32: 1 or 0
  bool by_rows = false;
  int64_t cols = 0, first = 0;
  float yes = 1, no = 1;
};

// What a step of either AdamW multiplies with (ops/adamw.h).
struct AdamWFactors {
  float decay = 1;       // 1 − lr·weight_decay
  float step_size = 0;   // lr / (1 − beta1^step)
  float sqrt_bias2 = 1;  // √(1 − beta2^step)
  float beta1 = 0, one_minus_beta1 = 1;
  float beta2 = 0, one_minus_beta2 = 1;
  float eps = 0;
  float grad_scale = 1;
};

class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string_view name() const = 0;

  // nullptr where the backend's product has no better layout than the weight's own.
  virtual std::unique_ptr<PackedWeight> pack(const Tensor& weight) = 0;

  virtual void linear(const Linear&) = 0;
  virtual void linear_backward_input(const LinearBackwardInput&) = 0;
  virtual void linear_backward_weight(const LinearBackwardWeight&) = 0;
  virtual void embedding_forward(const EmbeddingForward&) = 0;
  virtual void embedding_backward(const EmbeddingBackward&) = 0;
  virtual void rmsnorm_forward(const RmsNormForward&) = 0;
  virtual void rmsnorm_backward(const RmsNormBackward&) = 0;
  virtual void qk_norm_rope_forward(const QkNormRopeForward&) = 0;
  virtual void qk_norm_rope_backward(const QkNormRopeBackward&) = 0;
  virtual void attention_forward(const AttentionForward&) = 0;
  virtual void attention_backward(const AttentionBackward&) = 0;
  virtual void kv_append(const KvAppend&) = 0;
  virtual void attention_cached(const AttentionCached&) = 0;
  virtual void swiglu_forward(const SwigluForward&) = 0;
  virtual void swiglu_backward(const SwigluBackward&) = 0;
  virtual void dropout(const Dropout&) = 0;
  virtual void logits_forward(const LogitsForward&) = 0;
  // The gradient, over the memory of the logits.
  virtual Tensor logits_backward(const LogitsBackward&) = 0;
  virtual void scale_columns(const ScaleColumns&) = 0;
  virtual void sample(const Sample&) = 0;
  virtual void top_logprobs(const TopLogprobs&) = 0;
  virtual void adamw(const AdamW&) = 0;
  // Of backends that store bf16; the others throw std::logic_error.
  virtual void mixed_adamw(const MixedAdamW&) {
    throw std::logic_error("mixed_adamw: this backend keeps fp32 weights");
  }
  // Of backends whose tensors are not in the host's memory; the others throw std::logic_error.
  virtual void mixed_lerp(const MixedLerp&) {
    throw std::logic_error("mixed_lerp: this backend keeps fp32 weights");
  }
  virtual void scale_part(const ScalePart&) {
    throw std::logic_error("scale_part: this backend's tensors are the host's to scale");
  }
  // Σ x² of a vector in double precision, blocks of fixed size in fixed order.
  virtual double sum_of_squares(const Tensor& x) = 0;
  // The same of each grain of x: sums[i] of elements [i·grain, (i + 1)·grain), the last one
  // shorter.
  virtual void sums_of_squares(const Tensor& x, int64_t grain, double* sums) {
    for (int64_t at = 0; at < x.cols; at += grain)
      *sums++ = sum_of_squares(x.columns(at, x.cols - at < grain ? x.cols - at : grain));
  }
  // x *= factor
  virtual void scale(float* x, int64_t n, float factor) = 0;
  // dst = (1 − alpha)·dst + alpha·src on vectors: a parameter slot follows another (alpha = 1
  // copies exactly)
  virtual void lerp(const Tensor& dst, const Tensor& src, float alpha) = 0;
};

}  // namespace kogrpo
