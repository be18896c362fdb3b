#pragma once
// Pages of keys and values for running generations, reference-counted so that the completions of
// one prompt share its pages. Layout: ops/ops.h, KvPages.

#include <cstdint>
#include <vector>

#include "engine/config.h"
#include "ops/buffer.h"
#include "ops/ops.h"

namespace kogrpo {

class KvCache {
 public:
  explicit KvCache(const ModelConfig& config) : config_(config) {}

  // Room for `pages` pages; throws std::logic_error if any page is in use.
  void reserve(int64_t pages);
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  int64_t capacity() const { return static_cast<int64_t>(references_.size()); }

  int32_t allocate();  // throws std::logic_error if none is free
  void share(int32_t page) { ++references_[static_cast<size_t>(page)]; }
  void release(int32_t page);
  // A new page with the contents of `page` in every layer.
  int32_t clone(int32_t page);

  KvPages layer(int64_t index, const int32_t* block_table, int64_t max_pages);

  static int64_t pages_for(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }
  // Floats of one page in one layer, keys or values.
  int64_t page_floats() const { return config_.kv_size() * kPageTokens; }

 private:
  const ModelConfig& config_;
  std::vector<Buffer<float>> keys_, values_;  // one per layer
  std::vector<int32_t> references_, free_;
};

}  // namespace kogrpo
