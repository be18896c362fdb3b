#include "engine/kv_cache.h"

#include <algorithm>
#include <stdexcept>

#include "ops/transfer.h"

namespace kogrpo {

void KvCache::reserve(int64_t pages, Storage* lent) {
  forget();
  if (available() != capacity()) throw std::logic_error("KvCache::reserve: pages are in use");
  if (!lent && pages <= capacity() && pool_ == own_.data()) return;
  const int64_t rows = 2 * config_.num_layers * pages;
  const size_t bytes = static_cast<size_t>(pages * page_bytes());
  if (lent && lent->bytes() >= bytes) {
    pool_ = lent->data();
  } else {
    if (lent) lent->release();
    pool_ = own_.reserve(device_, type_, rows, page_elements()).data;
  }
  references_.assign(static_cast<size_t>(pages), 0);
  pages_.assign(static_cast<size_t>(pages), {});
  free_.clear();
  for (int64_t page = pages; page-- > 0;) free_.push_back(static_cast<int32_t>(page));
}

void KvCache::release() {
  forget();
  if (available() != capacity()) throw std::logic_error("KvCache::release: pages are in use");
  own_.release();
  pool_ = nullptr;
  references_.clear();
  pages_.clear();
  free_.clear();
}

// Keys (0) or values (1) of a layer, a page a row.
Tensor KvCache::side(int64_t layer, int64_t which) const {
  return matrix(pool_, type_, 2 * config_.num_layers * capacity(), page_elements())
      .row_range((2 * layer + which) * capacity(), capacity());
}

int32_t KvCache::allocate() {
  if (free_.empty()) {
    if (kept_.empty()) throw std::logic_error("KvCache::allocate: no free page");
    const int32_t oldest = kept_.front();
    kept_.pop_front();
    Page& page = pages_[static_cast<size_t>(oldest)];
    known_.erase(known_.find(page.known->first));
    page.known = nullptr;
    free_.push_back(oldest);
  }
  const int32_t page = free_.back();
  free_.pop_back();
  references_[static_cast<size_t>(page)] = 1;
  return page;
}

void KvCache::share(int32_t page) {
  if (references_[static_cast<size_t>(page)]++ == 0)
    kept_.erase(pages_[static_cast<size_t>(page)].kept);
}

void KvCache::release(int32_t page) {
  if (--references_[static_cast<size_t>(page)] > 0) return;
  Page& p = pages_[static_cast<size_t>(page)];
  if (p.known)
    p.kept = kept_.insert(kept_.end(), page);
  else
    free_.push_back(page);
}

int32_t KvCache::clone(int32_t page) {
  const int32_t copy = allocate();
  for (int64_t layer = 0; layer < config_.num_layers; ++layer)
    for (const int64_t which : {0, 1}) {
      const Tensor all = side(layer, which);
      kogrpo::copy(device_, all.row_range(page, 1), all.row_range(copy, 1));
    }
  return copy;
}

// FNV-1a over the words; equality decides, so a collision costs a comparison and nothing else.
size_t KvCache::KeyHash::operator()(const Key& key) const {
  uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&](uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
  mix(static_cast<uint64_t>(key.before));
  for (const int32_t token : key.tokens) mix(static_cast<uint32_t>(token));
  return hash ^ (hash >> 32);
}

KvCache::Key KvCache::key(int64_t before, std::span<const int32_t> tokens) {
  if (tokens.size() != kPageTokens) throw std::logic_error("KvCache: only full pages have a key");
  Key key{before, {}};
  std::copy(tokens.begin(), tokens.end(), key.tokens.begin());
  return key;
}

std::optional<KvCache::Prefix> KvCache::find(int64_t before,
                                             std::span<const int32_t> tokens) const {
  const auto found = known_.find(key(before, tokens));
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

KvCache::Prefix KvCache::remember(int64_t before, std::span<const int32_t> tokens, int32_t page) {
  const auto [entry, fresh] = known_.try_emplace(key(before, tokens), Prefix{next_id_, page});
  if (fresh) {
    ++next_id_;
    pages_[static_cast<size_t>(page)].known = &*entry;
  } else if (entry->second.page != page) {
    share(entry->second.page);
    release(page);
  }
  return entry->second;
}

void KvCache::forget() {
  for (const auto& [key, prefix] : known_) pages_[static_cast<size_t>(prefix.page)].known = nullptr;
  known_.clear();
  free_.insert(free_.end(), kept_.begin(), kept_.end());
  kept_.clear();
}

KvPages KvCache::layer(int64_t index, const int32_t* block_table, int64_t max_pages) {
  return {static_cast<float*>(side(index, 0).data),
          static_cast<float*>(side(index, 1).data),
          block_table,
          max_pages,
          config_.num_kv_heads,
          config_.head_dim,
          type_};
}

}  // namespace kogrpo
