#pragma once
// Floats on a cache-line boundary, uninitialised; grows on demand and is kept. Large ones ask for
// huge pages: a packed weight is read front to back at every generated token, and a page walk per
// 4 KB costs about a tenth of that.

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace kogrpo {

class AlignedBuffer {
 public:
  // At least `floats`, the contents lost when it grows. Throws std::bad_alloc.
  float* reserve(size_t floats) {
    if (floats > size_) {
      data_.reset();
      size_ = 0;
      const size_t alignment = floats * sizeof(float) >= 2 * kHugePage ? kHugePage : 64;
      const size_t bytes = (floats * sizeof(float) + alignment - 1) / alignment * alignment;
      data_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
      if (!data_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
      if (alignment == kHugePage) madvise(data_.get(), bytes, MADV_HUGEPAGE);  // a hint only
#endif
      size_ = bytes / sizeof(float);
    }
    return data_.get();
  }
  const float* data() const {
    return data_.get();
  }
  size_t size() const {
    return size_;
  }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> data_;
  size_t size_ = 0;
};

}  // namespace kogrpo
