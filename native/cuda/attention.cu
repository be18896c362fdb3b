// The attention operations of the table: checks, the choice of kernel, and
// writing keys and values into pages ([page][Hkv][64][D] for both; the cache is
// opaque to the engine).

#include "cuda/attention.cuh"
#include "cuda/attention_sm90.h"
#include "cuda/cuda_ops.h"
#include "cuda/step_plan.h"

namespace kogrpo {
namespace cuda {
namespace {

constexpr int kThreads = 128;

AttentionShape shape_of(const char* op, int64_t q_heads, int64_t kv_heads, int64_t head_dim,
                        float scale) {
  if (head_dim < 16 || head_dim > 256 || head_dim % 16 != 0)
    check::fail(
        op, "head_dim is " + std::to_string(head_dim) + "; it must be a multiple of 16 up to 256");
  if (kv_heads < 1 || q_heads < 1 || q_heads % kv_heads != 0)
    check::fail(op, "q_heads is " + std::to_string(q_heads) + ", kv_heads is " +
                        std::to_string(kv_heads) +
                        "; q_heads must be a positive multiple of kv_heads");
  return {int(q_heads), int(kv_heads), int(head_dim), int(q_heads / kv_heads), scale};
}

// Whether the matrix-instruction kernels take it. They copy 16 bytes at a time.
bool matrix_form(const AttentionShape& s, std::initializer_list<Tensor> tensors) {
  const bool size = s.head_dim == 32 || s.head_dim == 64 || s.head_dim == 128;
  for (const Tensor& t : tensors)
    if (t.dtype != DType::bf16) return false;
  return size && wide(s.head_dim, tensors);
}

// Whether the Hopper kernels take what matrix_form takes.
bool hopper_form(Context& context, const AttentionShape& s) {
  return s.head_dim == 128 && hopper_code(context);
}

std::vector<PackedSequence> packed_sequences(const std::vector<Span>& spans) {
  std::vector<PackedSequence> sequences;
  for (const Span& s : spans) sequences.push_back({s.row, s.tokens, s.position, s.root});
  return sequences;
}
bool shares_prefixes(const std::vector<Span>& spans) {
  for (const Span& s : spans)
    if (s.position > 0) return true;
  return false;
}

void check_offsets(const char* op, const char* name, const int32_t* cu, int64_t n, int64_t rows) {
  check::require(cu != nullptr, op, std::string(name) + " is missing");
  check::require(cu[0] >= 0 && cu[n] <= rows, op,
                 std::string(name) + " reaches beyond the " + std::to_string(rows) + " rows");
  for (int64_t i = 0; i < n; ++i)
    check::require(cu[i + 1] >= cu[i], op,
                   std::string(name) + " decreases at " + std::to_string(i + 1));
}

void check_causal(const char* op, bool causal) {
  check::require(
      causal, op,
      "attention that sees the whole sequence is computed on the CPU only; use device cpu");
}

// A prefix is not negative and within its root, the nearest sequence before it
// without a prefix.
const int32_t* check_prefixes(const char* op, const Tensor& prefixes, const Tensor& cu_seqlens) {
  if (!prefixes.data) return nullptr;
  const int64_t sequences = cu_seqlens.cols - 1;
  check::vector(op, "prefixes", prefixes, sequences, DType::i32);
  const int32_t *p = prefixes.i32(), *cu = cu_seqlens.i32();
  int64_t root = -1;
  for (int64_t b = 0; b < sequences; ++b) {
    if (p[b] == 0) root = b;
    check::require(p[b] == 0 || (p[b] > 0 && root >= 0 && p[b] <= cu[root + 1] - cu[root]), op,
                   "prefixes[" + std::to_string(b) + "] = " + std::to_string(p[b]) +
                       " is not within the sequence that it continues");
  }
  return p;
}

// Every page that the spans reach must have an entry in the block table.
std::vector<Span> check_pages(const char* op, const KvPages& pages, const RowSpans& rows,
                              int64_t total) {
  check::require(pages.keys && pages.values && pages.block_table, op,
                 "pages have no keys, values or block table");
  check_offsets(op, "cu_rows", rows.cu_rows, rows.sequences, total);
  check::require(rows.first_position != nullptr, op, "first_position is missing");
  std::vector<Span> spans;
  for (int64_t s = 0; s < rows.sequences; ++s) {
    const int64_t count = rows.cu_rows[s + 1] - rows.cu_rows[s], first = rows.first_position[s];
    if (count == 0) continue;
    const int64_t needed = divide_up(first + count, kPageTokens);
    if (first < 0 || needed > pages.max_pages)
      check::fail(op, "sequence " + std::to_string(s) + " has rows at positions " +
                          std::to_string(first) + " to " + std::to_string(first + count - 1) +
                          ", but its block table holds " + std::to_string(pages.max_pages) +
                          " pages of " + std::to_string(kPageTokens) + " tokens");
    for (int64_t i = 0; i < needed; ++i)
      if (pages.block_table[s * pages.max_pages + i] < 0)
        check::fail(op, "page " + std::to_string(i) + " of sequence " + std::to_string(s) +
                            " is not allocated");
    spans.push_back({rows.cu_rows[s], int32_t(count), int32_t(first), int32_t(s)});
  }
  return spans;
}

// One block per row; row r's place comes from its span.
template <class T>
__global__ void __launch_bounds__(kThreads)
    kv_append_kernel(const T* k, int64_t k_stride, const T* v, int64_t v_stride, T* keys, T* values,
                     const int32_t* table, int64_t max_pages, const AttentionTile* rows,
                     int kv_heads, int dim) {
  const Span s = rows[blockIdx.x].span;
  if (s.tokens == 0) return;  // padding of a step of the queue
  const int64_t row = int64_t(s.row) + rows[blockIdx.x].index;
  const int position = s.position + rows[blockIdx.x].index;
  const int64_t page = table[s.sequence * max_pages + position / kKeys];
  for (int i = int(threadIdx.x); i < kv_heads * dim; i += kThreads) {
    const int64_t at = ((page * kv_heads + i / dim) * kKeys + position % kKeys) * dim + i % dim;
    keys[at] = k[row * k_stride + i];
    values[at] = v[row * v_stride + i];
  }
}

template <class T>
PagedKv<T> paged(Context& context, const KvPages& p, const RowSpans& spans) {
  return {reinterpret_cast<const T*>(p.keys),
          reinterpret_cast<const T*>(p.values),
          spans.resident ? p.block_table
                         : context.upload(p.block_table, size_t(spans.sequences * p.max_pages)),
          p.max_pages,
          int(p.kv_heads),
          int(p.head_dim)};
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::attention_forward(const AttentionForward& a) {
  const char* op = "attention_forward";
  check_causal(op, a.causal);
  const AttentionShape shape = shape_of(op, a.q_heads, a.kv_heads, a.head_dim, a.scale);
  const int64_t rows = a.q.rows, wide = a.q_heads * a.head_dim, narrow = a.kv_heads * a.head_dim;
  const DType type = a.q.dtype;
  check::matrix(op, "q", a.q, rows, wide, type);
  check::matrix(op, "k", a.k, rows, narrow, type);
  check::matrix(op, "v", a.v, rows, narrow, type);
  check::matrix(op, "out", a.out, rows, wide, type);
  check::matrix(op, "lse", a.lse, rows, a.q_heads);
  check_offsets(op, "cu_seqlens", a.cu_seqlens.i32(), a.cu_seqlens.cols - 1, rows);
  const int32_t* prefixes = check_prefixes(op, a.prefixes, a.cu_seqlens);
  const auto spans = spans_of_batch(a.cu_seqlens.i32(), a.cu_seqlens.cols - 1, prefixes);
  if (spans.empty()) return;
  if (!options_.deterministic && hopper_form(*context_, shape) &&
      matrix_form(shape, {a.q, a.k, a.v, a.out}))
    return attention_forward_sm90(*context_, shape.q_heads, shape.kv_heads, shape.scale,
                                  packed_sequences(spans), a.q, a.k, a.v, a.out, a.lse.f32(),
                                  a.lse.stride);
  with_type(op, type, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PackedKv<T> kv{data<T>(a.k), data<T>(a.v), a.k.stride, a.v.stride, int(a.head_dim)};
    if constexpr (std::is_same_v<T, bf16>)
      if (matrix_form(shape, {a.q, a.k, a.v, a.out}))
        return attention_forward_mma(*context_, shape, spans, a.q, kv, a.out, a.lse.f32(),
                                     a.lse.stride);
    attention_forward_simple<T>(*context_, shape, spans, a.q, kv, a.out, a.lse.f32(), a.lse.stride);
  });
}

void CudaOps::attention_backward(const AttentionBackward& a) {
  const char* op = "attention_backward";
  check_causal(op, a.causal);
  const AttentionShape shape = shape_of(op, a.q_heads, a.kv_heads, a.head_dim, a.scale);
  const int64_t rows = a.q.rows, wide = a.q_heads * a.head_dim, narrow = a.kv_heads * a.head_dim;
  const DType type = a.q.dtype;
  check::matrix(op, "dout", a.dout, rows, wide, type);
  check::matrix(op, "q", a.q, rows, wide, type);
  check::matrix(op, "k", a.k, rows, narrow, type);
  check::matrix(op, "v", a.v, rows, narrow, type);
  check::matrix(op, "out", a.out, rows, wide, type);
  check::matrix(op, "lse", a.lse, rows, a.q_heads);
  check::matrix(op, "dq", a.dq, rows, wide, type);
  check::matrix(op, "dk", a.dk, rows, narrow, type);
  check::matrix(op, "dv", a.dv, rows, narrow, type);
  check_offsets(op, "cu_seqlens", a.cu_seqlens.i32(), a.cu_seqlens.cols - 1, rows);
  const int32_t* prefixes = check_prefixes(op, a.prefixes, a.cu_seqlens);
  const auto spans = spans_of_batch(a.cu_seqlens.i32(), a.cu_seqlens.cols - 1, prefixes);
  if (spans.empty()) return;
  const bool matrices = matrix_form(shape, {a.dout, a.q, a.k, a.v, a.out, a.dq, a.dk, a.dv});
  if (matrices && hopper_form(*context_, shape) && !shares_prefixes(spans))
    return attention_backward_sm90(*context_, a);
  if (matrices) return attention_backward_mma(*context_, shape, a, spans);
  with_type(op, type, [&](auto tag) {
    attention_backward_simple<typename decltype(tag)::type>(*context_, shape, a, spans);
  });
}

void CudaOps::kv_append(const KvAppend& a) {
  const char* op = "kv_append";
  const int64_t rows = a.k.rows, narrow = a.pages.kv_heads * a.pages.head_dim;
  check::matrix(op, "k", a.k, rows, narrow, a.k.dtype);
  check::matrix(op, "v", a.v, rows, narrow, a.k.dtype);
  const AttentionTile* places = nullptr;
  int64_t count = rows;
  if (a.spans.resident) {
    places = context_->step->tiles(1);
  } else {
    std::vector<AttentionTile> all;
    for (const Span& s : check_pages(op, a.pages, a.spans, rows))
      for (int32_t i = 0; i < s.tokens; ++i) all.push_back({s, i});
    if (all.empty()) return;
    count = int64_t(all.size());
    places = context_->upload(all.data(), all.size());
  }
  with_type(op, a.k.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PagedKv<T> kv = paged<T>(*context_, a.pages, a.spans);
    launch(context_->stream(), op, {dim3(unsigned(count)), dim3(kThreads)}, kv_append_kernel<T>,
           data<T>(a.k), a.k.stride, data<T>(a.v), a.v.stride, const_cast<T*>(kv.k),
           const_cast<T*>(kv.v), kv.table, kv.max_pages, places, kv.kv_heads, kv.head_dim);
  });
}

void CudaOps::attention_cached(const AttentionCached& a) {
  const char* op = "attention_cached";
  const AttentionShape shape = shape_of(op, a.q_heads, a.pages.kv_heads, a.pages.head_dim, a.scale);
  const int64_t wide = a.q_heads * a.pages.head_dim;
  check::matrix(op, "q", a.q, a.q.rows, wide, a.q.dtype);
  check::matrix(op, "out", a.out, a.q.rows, wide, a.q.dtype);
  std::vector<Span> spans;
  if (!a.spans.resident) {
    spans = check_pages(op, a.pages, a.spans, a.q.rows);
    if (spans.empty()) return;
  }
  with_type(op, a.q.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const PagedKv<T> kv = paged<T>(*context_, a.pages, a.spans);
    const bool split = shape.group <= 16 && !options_.deterministic;
    if (a.spans.resident) {
      if constexpr (std::is_same_v<T, bf16>)
        if (matrix_form(shape, {a.q, a.out}))
          return split ? attention_decode_step(*context_, shape, a.q, kv, a.out)
                       : attention_forward_mma_step(*context_, shape, a.q, kv, a.out);
      return attention_forward_simple_step<T>(*context_, shape, a.q, kv, a.out);
    }
    if constexpr (std::is_same_v<T, bf16>)
      if (matrix_form(shape, {a.q, a.out})) {
        // Prompt chunks have many rows; sequences that continue have one.
        std::vector<Span> one, many;
        for (const Span& s : spans) (s.tokens == 1 && split ? one : many).push_back(s);
        if (!many.empty())
          attention_forward_mma(*context_, shape, many, a.q, kv, a.out, nullptr, 0);
        if (!one.empty()) attention_decode(*context_, shape, one, a.q, kv, a.out);
        return;
      }
    attention_forward_simple<T>(*context_, shape, spans, a.q, kv, a.out, nullptr, 0);
  });
}

}  // namespace kogrpo
