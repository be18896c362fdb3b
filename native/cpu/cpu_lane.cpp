#include "cpu/cpu_lane.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "comm/job_queue.h"

namespace kogrpo {
namespace {

class CpuLane final : public Lane {
 public:
  CpuLane(Device& device, bool beside) : device_(device), queue_(beside) {}

  Device& device() override { return device_; }
  uint64_t post(Job job) override { return queue_.post(std::move(job)); }
  void wait(uint64_t job) override { queue_.wait(job); }
  void finish() override { queue_.wait_all(); }
  uint64_t posted() const override { return queue_.posted(); }

  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0 && to != from) std::memmove(to, from, bytes);
  }
  void add(float* sum, const Tensor& parts) override {
    if (parts.dtype != DType::f32) throw std::logic_error("add: a CPU keeps fp32 gradients");
    for (int64_t r = 0; r < parts.rows; ++r) {
      const float* const from = parts.row(r);
      for (int64_t i = 0; i < parts.cols; ++i) sum[i] += from[i];
    }
  }
  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }

 private:
  Device& device_;
  JobQueue queue_;
};

}  // namespace

std::unique_ptr<Lane> make_cpu_lane(Device& device, bool beside) {
  return std::make_unique<CpuLane>(device, beside);
}

}  // namespace kogrpo
