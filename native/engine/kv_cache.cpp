#include "engine/kv_cache.h"

#include <cstring>
#include <stdexcept>

namespace kogrpo {

void KvCache::reserve(int64_t pages) {
  if (free_pages() != capacity()) throw std::logic_error("KvCache::reserve: pages are in use");
  if (pages <= capacity()) return;
  keys_.resize(static_cast<size_t>(config_.num_layers));
  values_.resize(static_cast<size_t>(config_.num_layers));
  for (auto* side : {&keys_, &values_})
    for (Buffer<float>& layer : *side) layer.reserve(static_cast<size_t>(pages * page_floats()));
  references_.assign(static_cast<size_t>(pages), 0);
  free_.clear();
  for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
}

int32_t KvCache::allocate() {
  if (free_.empty()) throw std::logic_error("KvCache::allocate: no free page");
  const int32_t page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

void KvCache::release(int32_t page) {
  if (--references_[static_cast<size_t>(page)] == 0) free_.push_back(page);
}

int32_t KvCache::clone(int32_t page) {
  const int32_t copy = allocate();
  const auto n = static_cast<size_t>(page_floats());
  for (auto* side : {&keys_, &values_})
    for (Buffer<float>& layer : *side)
      std::memcpy(layer.data() + static_cast<size_t>(copy) * n,
                  layer.data() + static_cast<size_t>(page) * n, n * sizeof(float));
  return copy;
}

KvPages KvCache::layer(int64_t index, const int32_t* block_table, int64_t max_pages) {
  return {keys_[static_cast<size_t>(index)].data(),
          values_[static_cast<size_t>(index)].data(),
          block_table,
          max_pages,
          config_.num_kv_heads,
          config_.head_dim};
}

}  // namespace kogrpo
