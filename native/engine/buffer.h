#pragma once
// Memory for tensors: 64-byte aligned, uninitialised, grows and is kept.

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace kogrpo {

template <class T>
class Buffer {
  static_assert(std::is_trivial_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(size_t n) { reserve(n); }

  // At least n elements; the contents are lost when it grows.
  T* reserve(size_t n) {
    if (n > size_) {
      data_.reset();
      size_ = 0;
      const size_t bytes = (n * sizeof(T) + 63) / 64 * 64;
      data_.reset(static_cast<T*>(std::aligned_alloc(64, bytes)));
      if (!data_) throw std::bad_alloc();
      size_ = n;
    }
    return data_.get();
  }
  void release() {
    data_.reset();
    size_ = 0;
  }
  T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
  size_t size_ = 0;
};

}  // namespace kogrpo
