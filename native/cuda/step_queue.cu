#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/step_queue.h"
#include "ops/op_checks.h"

namespace kogrpo::cuda {
namespace {

constexpr int kThreads = 128;

// A token that could not be sampled (−1) is the host's to complain about; the row goes on with id
// 0.
__global__ void __launch_bounds__(kThreads)
    step_ids_kernel(const int32_t* source, const int32_t* token, const int32_t* sampled,
                    int32_t* ids, int rows) {
  const int r = int(blockIdx.x) * kThreads + int(threadIdx.x);
  if (r >= rows) return;
  const int32_t id = source[r] < 0 ? token[r] : sampled[source[r]];
  ids[r] = id < 0 ? 0 : id;
}

Tensor resident(Tensor t) {
  t.resident = true;
  return t;
}

}  // namespace

CudaStepQueue::CudaStepQueue(Context& context) : context_(context), plan_(context) {}

CudaStepQueue::~CudaStepQueue() {
  // Copies into the slots may be under way.
  for (Slot& s : slots_)
    if (s.recorded) cudaStreamSynchronize(context_.stream());
}

// Some padding is cheap, since a decoding step reads the weights whatever its rows; another graph
// costs its recording.
int64_t CudaStepQueue::bucket(int64_t rows, int64_t pages) const {
  const int64_t step = rows <= 8 ? 1 : rows <= 32 ? 8 : rows <= 128 ? 16 : rows <= 256 ? 32 : 64;
  const int64_t n =
      rows <= 8 ? int64_t(std::bit_ceil(uint64_t(rows))) : divide_up(rows, step) * step;
  const auto table = n * int64_t(std::bit_ceil(uint64_t(pages)));
  return rows < 1 || n > kMostRows || table > kMostTable ? 0 : n;
}

void CudaStepQueue::submit(std::span<const StepRow> rows, std::span<const uint64_t> identity,
                           const std::function<void(const StepArrays&)>& body) {
  size_t longest = 1;
  for (const StepRow& r : rows) longest = std::max(longest, r.pages.size());
  const int64_t n = bucket(int64_t(rows.size()), int64_t(longest));
  if (n == 0 || submitted_ - taken_ >= kMostUnderWay)
    throw std::logic_error("StepQueue: " + std::to_string(rows.size()) + " rows behind " +
                           std::to_string(submitted_ - taken_) + " steps");
  const auto pages = std::max<size_t>(std::bit_ceil(longest), 8);
  Slot& slot = slots_[size_t(submitted_ % kMostUnderWay)];
  if (slot.recorded) slot.done.wait();  // discarded, perhaps still under way
  slot.recorded = false;

  const size_t bytes = sizeof(Inputs) + size_t(n) * pages * sizeof(int32_t);
  unsigned char* const host = slot.inputs.reserve(std::bit_ceil(bytes));
  Inputs& in = *reinterpret_cast<Inputs*>(host);
  auto* table = reinterpret_cast<int32_t*>(host + sizeof(Inputs));
  std::fill(table, table + size_t(n) * pages, -1);
  for (size_t r = 0; r < size_t(n); ++r) {
    const StepRow row = r < rows.size() ? rows[r] : StepRow{};
    in.source[r] = row.source;
    in.token[r] = row.token;
    in.position[r] = row.position;
    check::sampling_params("sample", row.sampling, int64_t(r));
    in.sampling[r] = sampling_row(row.sampling);
    std::copy(row.pages.begin(), row.pages.end(), table + r * pages);
  }
  unsigned char* const device = context_.reserve(inputs_, std::bit_ceil(bytes));
  const auto& there = *reinterpret_cast<const Inputs*>(device);  // addresses only
  Results* const results = context_.reserve(results_, 1);
  int32_t* const ids = context_.reserve(ids_, size_t(kMostRows));
  KOGRPO_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, context_.stream()));

  StepArrays arrays;
  arrays.ids = resident(ints(ids, n));
  arrays.positions = resident(ints(const_cast<int32_t*>(there.position.data()), n));
  arrays.spans = {nullptr, there.position.data(), n, true};
  arrays.block_table = reinterpret_cast<const int32_t*>(device + sizeof(Inputs));
  arrays.max_pages = int64_t(pages);
  arrays.tokens = resident(ints(results->token.data(), n));
  arrays.logprobs = resident(vector(results->logprob.data(), n));
  const StepPlan::Inputs planned{there.position.data(), arrays.block_table, there.sampling.data(),
                                 int(n), int(pages)};
  std::vector<uint64_t> key{uint64_t(n), uint64_t(pages)};
  key.insert(key.end(), identity.begin(), identity.end());
  run(key, [&] {
    plan_.begin(planned);
    launch(context_.stream(), "step: ids", {dim3(unsigned(divide_up(n, kThreads))), dim3(kThreads)},
           step_ids_kernel, there.source.data(), there.token.data(), results->token.data(), ids,
           int(n));
    body(arrays);
  });

  slot.rows = rows.size();
  KOGRPO_CUDA(cudaMemcpyAsync(slot.results.reserve(1), results, sizeof(Results),
                              cudaMemcpyDeviceToHost, context_.stream()));
  slot.done.record(context_.stream());
  slot.recorded = true;
  ++submitted_;
}

void CudaStepQueue::run(const std::vector<uint64_t>& key, const std::function<void()>& body) {
  struct During {
    Context& context;
    ~During() {
      context.step = nullptr;
      context.recording = false;
    }
  } during{context_};
  context_.step = &plan_;
  if (recorded_.size() >= size_t(kMostGraphs) && !recorded_.contains(key)) recorded_.clear();
  Recorded& recorded = recorded_[key];
  if (recorded.memory != context_.memory_changes) {
    recorded.graph.reset();
    body();
    recorded.memory = context_.memory_changes;
    return;
  }
  if (!recorded.graph) {
    context_.recording = true;
    recorded.graph = std::make_unique<Graph>(context_.stream(), body);
  }
  recorded.graph->launch(context_.stream());
}

std::vector<StepToken> CudaStepQueue::take() {
  if (taken_ == submitted_) throw std::logic_error("StepQueue: no step is under way");
  Slot& slot = slots_[size_t(taken_ % kMostUnderWay)];
  ++taken_;
  slot.done.wait();
  slot.recorded = false;
  const Results& results = *slot.results.data();
  std::vector<StepToken> tokens;
  for (size_t r = 0; r < slot.rows; ++r) tokens.push_back({results.token[r], results.logprob[r]});
  return tokens;
}

void CudaStepQueue::discard() noexcept {
  taken_ = submitted_;
}

}  // namespace kogrpo::cuda
