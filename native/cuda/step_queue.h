#pragma once
// The step queue of a GPU (ops/step_queue.h), one stream, no host wait but take()'s. A step is one
// copy of its index arrays from page-locked memory, one graph, one copy of the results and an
// event. The first step of a bucket is launched operation by operation, which also makes whatever
// memory and plans of products are missing; the second is recorded; from then on its graph is
// launched. Graphs hold addresses: when the device's memory has been allocated or given back
// anywhere since, they are made anew.

#include <array>
#include <map>
#include <memory>
#include <vector>

#include "cuda/graph.h"
#include "cuda/step_plan.h"
#include "ops/step_queue.h"

namespace kogrpo::cuda {

class CudaStepQueue final : public StepQueue {
 public:
  explicit CudaStepQueue(Context& context);
  ~CudaStepQueue() override;

  int64_t bucket(int64_t rows, int64_t pages) const override;
  void submit(std::span<const StepRow> rows, std::span<const uint64_t> identity,
              const std::function<void(const StepArrays&)>& body) override;
  std::vector<StepToken> take() override;
  void discard() noexcept override;

 private:
  static constexpr int64_t kMostRows = 512, kMostTable = int64_t{1} << 16, kMostGraphs = 64;
  // The index arrays in one piece; the block table, as long as it has to be, follows.
  struct Inputs {
    std::array<int32_t, kMostRows> source, token, position;
    std::array<SamplingRow, kMostRows> sampling;
  };
  struct Results {
    std::array<int32_t, kMostRows> token;
    std::array<float, kMostRows> logprob;
  };
  // What the host keeps of a step under way.
  struct Slot {
    PinnedBuffer<unsigned char> inputs;
    PinnedBuffer<Results> results;
    Event done;
    bool recorded = false;  // the event, and nobody has waited for it
    size_t rows = 0;
  };
  struct Recorded {
    uint64_t memory = 0;  // Context::memory_changes when it was launched operation by operation
    std::unique_ptr<Graph> graph;
  };

  void run(const std::vector<uint64_t>& key, const std::function<void()>& body);

  Context& context_;
  StepPlan plan_;
  std::array<Slot, kMostUnderWay> slots_;
  int64_t submitted_ = 0, taken_ = 0;
  DeviceBuffer<unsigned char> inputs_;
  DeviceBuffer<Results> results_;
  DeviceBuffer<int32_t> ids_;
  std::map<std::vector<uint64_t>, Recorded> recorded_;
};

}  // namespace kogrpo::cuda
