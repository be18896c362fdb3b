#include <cuda_runtime.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "cuda_emulation/device_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

namespace kogrpo::emulation {
namespace {

constexpr size_t kMost = size_t{1} << 30, kSpace = size_t{2} << 30, kHuge = size_t{2} << 20;
constexpr size_t kAlignment = 256, kRedZone = 256;

size_t up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

// First fit. Huge pages, because opening and closing them is quick.
class Memory {
 public:
  Memory() {
    void* p = mmap(nullptr, kSpace + kHuge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    base_ = reinterpret_cast<char*>(up(reinterpret_cast<uintptr_t>(p), kHuge));
#if defined(MADV_HUGEPAGE)
    madvise(base_, kSpace, MADV_HUGEPAGE);  // a hint only
#endif
    ASAN_POISON_MEMORY_REGION(base_, kSpace);
  }

  bool contains(const void* p) const {
    const char* c = static_cast<const char*>(p);
    return c >= base_ && c < base_ + kSpace;
  }

  void* allocate(size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (used_ + bytes > limit) return nullptr;
    const size_t wanted = up(bytes, kAlignment) + kRedZone;
    size_t at = 0;
    for (const auto& [begin, block] : blocks_) {
      if (begin - at >= wanted) break;
      at = begin + up(block, kAlignment) + kRedZone;
    }
    if (at + wanted > kSpace) return nullptr;
    blocks_[at] = bytes;
    used_ += bytes;
    if (at + wanted > high_) {
      const size_t high = up(at + wanted, kHuge);
      if (open_ > 0) protect(high_, high, true);
      high_ = high;
    }
    ASAN_UNPOISON_MEMORY_REGION(base_ + at, bytes);
    Access access;
    std::memset(base_ + at, 0xff, bytes);
    return base_ + at;
  }

  bool release(void* p) {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(static_cast<size_t>(static_cast<char*>(p) - base_));
    if (!contains(p) || found == blocks_.end()) return false;
    {
      Access access;
      std::memset(p, 0xff, found->second);
    }
    ASAN_POISON_MEMORY_REGION(p, found->second);
    used_ -= found->second;
    blocks_.erase(found);
    return true;
  }

  void open() {
    const std::lock_guard lock(mutex_);
    if (open_++ == 0) protect(0, high_, true);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) protect(0, high_, false);
  }
  size_t used() const {
    const std::lock_guard lock(mutex_);
    return used_;
  }

  size_t limit = kMost;

 private:
  void protect(size_t begin, size_t end, bool open) {
    if (end > begin)
      mprotect(base_ + begin, end - begin, open ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  mutable std::recursive_mutex mutex_;  // ranks are threads of one process
  char* base_ = nullptr;
  std::map<size_t, size_t> blocks_;  // from offset to bytes
  size_t used_ = 0, high_ = 0;
  int open_ = 0;
};

// Made at the first use and never destroyed: a backend that is static frees what it holds when the
// process ends, in an order that nobody chose.
template <class T>
T& immortal() {
  alignas(T) static std::byte place[sizeof(T)];
  static T* const instance = new (place) T;
  return *instance;
}

Memory& memory() {
  return immortal<Memory>();
}

}  // namespace

Access::Access() {
  memory().open();
}
Access::~Access() {
  memory().close();
}
bool is_device(const void* p) {
  return memory().contains(p);
}
size_t memory_in_use() {
  return memory().used();
}
void limit_memory(size_t bytes) {
  memory().limit = bytes < kMost ? bytes : kMost;
}

}  // namespace kogrpo::emulation

using namespace kogrpo::emulation;

// For the stand-in of cuBLASLt, which is a library of its own.
extern "C" __attribute__((visibility("default"))) void kogrpo_emulation_open(int open) {
  if (open)
    memory().open();
  else
    memory().close();
}

const char* cudaGetErrorName(cudaError_t e) {
  switch (e) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    default:
      return "cudaErrorInvalidValue";
  }
}
const char* cudaGetErrorString(cudaError_t e) {
  switch (e) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    default:
      return "invalid argument";
  }
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = memory().limit;
  *free = *total > memory().used() ? *total - memory().used() : 0;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** p, size_t bytes) {
  if (forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  *p = memory().allocate(bytes);
  return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* p) {
  if (forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  finish_operations();
  return p == nullptr || memory().release(p) ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  if (is_device(to) != (kind != cudaMemcpyDeviceToHost) ||
      is_device(from) != (kind != cudaMemcpyHostToDevice))
    return cudaErrorInvalidValue;
  const void* const host = kind == cudaMemcpyHostToDevice ? from : to;
  const bool pageable = kind != cudaMemcpyDeviceToDevice && !is_page_locked(host);
  if (!stream) {
    if (pageable && forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
    count_copy();
  }
  if (kind == cudaMemcpyHostToDevice && pageable) {  // read before the call returns
    const auto* bytes = static_cast<const unsigned char*>(from);
    on_stream(stream, [to, n, copy = std::vector<unsigned char>(bytes, bytes + n)] {
      const Access access;
      std::memcpy(to, copy.data(), n);
    });
  } else if (kind == cudaMemcpyDeviceToHost && !stream) {
    copy_from_operations(to, from, n);
  } else {
    if (kind == cudaMemcpyDeviceToHost) std::memset(to, 0xff, n);
    on_stream(stream, [to, from, n] {
      const Access access;
      std::memcpy(to, from, n);
    });
  }
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t stream) {
  if (n == 0) return cudaSuccess;
  if (!is_device(p)) return cudaErrorInvalidValue;
  on_stream(stream, [p, value, n] {
    const Access access;
    std::memset(p, value, n);
  });
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream) return stream->finish() ? cudaSuccess : cudaErrorLaunchFailure;
  if (forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  ++counters().stream_waits;
  finish_operations();
  return cudaSuccess;
}
