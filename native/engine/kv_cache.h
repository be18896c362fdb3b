#pragma once
// Pages of keys and values for running generations. Layout: ops/ops.h, KvPages.
//
// A page is in use (counted references: the completions of one prompt share its full pages), free,
// or kept: nobody uses it, but its contents are known under the tokens that lead to it, and a later
// sequence that starts with these may take it up (the prefix cache). Kept pages are given away,
// least recently used first, only when no page is free, so they cost nothing. Since a row depends
// on its own sequence alone (batch invariance, ops.h) a page found again holds the very bits that
// computing it again would give.
//
// A prefix is found by its tokens and not by a hash of them: entry = (entry of the page before, the
// page's 64 tokens), compared in full. Only full pages are ever shared, and nobody writes to them.
// A page is kPageTokens long because the attention kernels' key tiles are, and the tiles fix the
// order of their sums: another length would be another model, to the bit, and is no parameter.

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/config.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

class KvCache {
 public:
  KvCache(Device& device, const ModelConfig& config, DType type)
      : device_(device), config_(config), type_(type) {}

  // Room for `pages` pages; forgets all prefixes. Throws std::logic_error if any page is in use.
  // `lent`: memory that is idle until release(), or null. The pages lie there if it is large
  // enough; if it is not, it is given up for the pages' own.
  void reserve(int64_t pages, Storage* lent = nullptr);
  // Gives all memory back. No page may be in use.
  void release();
  int64_t capacity() const { return static_cast<int64_t>(references_.size()); }
  // Pages that allocate() can give: free ones and kept ones.
  int64_t available() const { return static_cast<int64_t>(free_.size() + kept_.size()); }
  int64_t kept() const { return static_cast<int64_t>(kept_.size()); }

  int32_t allocate();  // throws std::logic_error if none is available
  void share(int32_t page);
  void release(int32_t page);
  bool in_use(int32_t page) const { return references_[static_cast<size_t>(page)] > 0; }
  // A new page with the contents of `page` in every layer.
  int32_t clone(int32_t page);

  // An entry of the prefix cache: `id` stands for all tokens up to this page's last.
  struct Prefix {
    int64_t id = kNoPrefix;
    int32_t page = -1;
  };
  static constexpr int64_t kNoPrefix = 0;  // the entry before the first page

  // The page with these kPageTokens tokens behind entry `before`, if it is known. The caller has to
  // share() it before it allocates anything.
  std::optional<Prefix> find(int64_t before, std::span<const int32_t> tokens) const;
  // Makes a full page in use known, and returns its entry. If the same content is known already
  // the caller's page is released and the known one shared in its place.
  Prefix remember(int64_t before, std::span<const int32_t> tokens, int32_t page);
  // Forgets every prefix: the weights have changed. Pages in use stay in use.
  void forget();

  KvPages layer(int64_t index, const int32_t* block_table, int64_t max_pages);

  static int64_t pages_for(int64_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }
  // Elements of one page in one layer, keys or values.
  int64_t page_elements() const { return config_.kv_size() * kPageTokens; }
  // Bytes of one page in all layers.
  int64_t page_bytes() const {
    return page_elements() * 2 * config_.num_layers * static_cast<int64_t>(size_of(type_));
  }

 private:
  struct Key {
    int64_t before;
    std::array<int32_t, kPageTokens> tokens;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  using Known = std::unordered_map<Key, Prefix, KeyHash>;
  struct Page {
    const Known::value_type* known = nullptr;  // its entry in known_
    std::list<int32_t>::iterator kept;         // its place in kept_, where it is kept
  };
  static Key key(int64_t before, std::span<const int32_t> tokens);

  Device& device_;
  const ModelConfig& config_;
  DType type_;
  Storage own_;
  void* pool_ = nullptr;  // [layer][keys, values][page][page_elements()]
  Tensor side(int64_t layer, int64_t which) const;
  std::vector<int32_t> references_, free_;
  std::vector<Page> pages_;
  Known known_;
  std::list<int32_t> kept_;  // least recently used first
  int64_t next_id_ = kNoPrefix + 1;
};

}  // namespace kogrpo
