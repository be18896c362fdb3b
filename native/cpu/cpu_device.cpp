// The CPU as a device: tensors lie in the host's memory, so copies are copies.

#include <cstdlib>
#include <cstring>
#include <new>

#include "cpu/cpu_lane.h"
#include "cpu/cpu_ops.h"
#include "cpu/cpuid.h"
#include "ops/buffer.h"
#include "ops/device.h"

namespace kogrpo {
namespace {

class CpuDevice final : public Device {
 public:
  explicit CpuDevice(int threads)
      : ops_(*available_kernels().front(), threads > 0 ? threads : default_threads()) {}

  Ops& ops() override { return ops_; }
  std::string name() const override { return "cpu (" + std::string(ops_.name()) + ")"; }
  DType storage(Precision) const override { return DType::f32; }
  DType operands(DType stored, Precision precision) const override {
    return precision == Precision::bf16 ? DType::bf16 : stored;
  }

  void* allocate(size_t bytes) override {
    return Buffer<unsigned char>(bytes > 0 ? bytes : 1).take();
  }
  void deallocate(void* p) noexcept override { std::free(p); }
  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void zero(void* to, size_t bytes) override {
    if (bytes > 0) std::memset(to, 0, bytes);
  }
  void host_parallel(int64_t n, int64_t grain,
                     const std::function<void(int64_t, int64_t)>& body) override {
    ops_.pool().run(n, grain, [&](Range range, int) { body(range.begin, range.end); });
  }
  std::unique_ptr<Lane> make_lane(bool beside) override { return make_cpu_lane(*this, beside); }

 private:
  CpuOps ops_;
};

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  return std::make_unique<CpuDevice>(threads);
}

}  // namespace kogrpo
