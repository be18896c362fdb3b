#pragma once
// Host memory for tensors: on a cache-line boundary, uninitialised, grows on demand and is kept.
// Large buffers ask for huge pages: packed weights and key/value pages are read front to back at
// every generated token, and walking 4 KB pages costs a tenth to a third of that.

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace kogrpo {

template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(size_t n) { reserve(n); }

  // At least n elements, the contents lost when it grows. Throws std::bad_alloc.
  T* reserve(size_t n) {
    if (n > size_) {
      release();
      const size_t alignment = n * sizeof(T) >= 2 * kHugePage ? kHugePage : kCacheLine;
      const size_t bytes = (n * sizeof(T) + alignment - 1) / alignment * alignment;
      data_.reset(static_cast<T*>(std::aligned_alloc(alignment, bytes)));
      if (!data_) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
      if (alignment == kHugePage) madvise(data_.get(), bytes, MADV_HUGEPAGE);  // a hint only
#endif
      size_ = n;
    }
    return data_.get();
  }
  void release() {
    data_.reset();
    size_ = 0;
  }
  // Hands the memory over; it is freed by std::free.
  T* take() {
    size_ = 0;
    return data_.release();
  }
  T* data() const {
    return data_.get();
  }
  // Elements that were asked for, not what the alignment adds.
  size_t size() const {
    return size_;
  }
  bool empty() const {
    return size_ == 0;
  }

 private:
  static constexpr size_t kCacheLine = 64, kHugePage = size_t{2} << 20;
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

}  // namespace kogrpo
