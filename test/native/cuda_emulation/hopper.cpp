#include "cuda_emulation/hopper.h"

#include <stdexcept>

namespace kogrpo::cuda {

using emulation::PendingProduct;
using emulation::require;

// ---- mbarriers (PTX ISA, "mbarrier": contents, phases, tracking of asynchronous transactions). A
// phase ends when no arrival is pending and tx-count is 0; the next one expects as many arrivals.

namespace {

struct Barrier {
  int32_t transactions;
  int16_t pending;
  uint16_t arrivals_and_phase;  // phase is the lowest bit

  int arrivals() const { return arrivals_and_phase >> 1; }
  uint32_t phase() const { return arrivals_and_phase & 1u; }
  void end_if_complete() {
    if (pending != 0 || transactions != 0) return;
    arrivals_and_phase ^= 1;
    pending = int16_t(arrivals());
  }
};
static_assert(sizeof(Barrier) == 8);
constexpr uint16_t kNever = 0xffff;  // shared memory as it starts

Barrier& at(uint32_t address) {
  require(address % 8 == 0, "an mbarrier is not on 8 bytes");
  auto* b = reinterpret_cast<Barrier*>(shared_pointer(address));
  require(b->arrivals_and_phase != kNever, "an mbarrier was not initialised");
  return *b;
}

}  // namespace

void barrier_init(uint32_t barrier, int arrivals) {
  require(barrier % 8 == 0, "an mbarrier is not on 8 bytes");
  *reinterpret_cast<Barrier*>(shared_pointer(barrier)) = {0, int16_t(arrivals),
                                                          uint16_t(arrivals << 1)};
}
void barrier_arrive_expect(uint32_t barrier, int bytes) {
  at(barrier).transactions += bytes;
  barrier_arrive(barrier);
}
void barrier_arrive(uint32_t barrier) {
  Barrier& b = at(barrier);
  require(b.pending > 0, "an mbarrier has more arrivals than it expects");
  --b.pending;
  b.end_if_complete();
}
void barrier_wait(uint32_t barrier, uint32_t parity) {
  Barrier& b = at(barrier);
  emulation::wait_until("an mbarrier", [&b, parity] { return b.phase() != parity; });
}

// ---- tensor copies: "Tensor-based asynchronous copy", swizzle modes: 128 bytes. Elements outside
// the tensor are 0 and count as copied.

void load_box(uint32_t to, const TensorMap& map, int column, int row, uint32_t barrier) {
  require(to % 1024 == 0, "a swizzled box does not begin on 1,024 bytes");
  Barrier& b = at(barrier);
  char* const base = emulation::current().shared;
  const auto copy = [to, map, column, row, &b, base] {
    for (uint32_t r = 0; r < map.box[1]; ++r)
      for (uint32_t c = 0; c < map.box[0]; ++c) {
        const int64_t y = int64_t(row) + r, x = int64_t(column) + c;
        const bool inside =
            y >= 0 && x >= 0 && uint64_t(y) < map.size[1] && uint64_t(x) < map.size[0];
        uint32_t address = to + r * map.box[0] * 2 + c * 2;
        address ^= (address >> 7 & 7) << 4;
        if (inside)
          std::memcpy(base + address, map.data + uint64_t(y) * map.stride + uint64_t(x) * 2, 2);
        else
          std::memset(base + address, 0, 2);
      }
    b.transactions -= int32_t(map.box[0] * map.box[1] * 2);
    b.end_if_complete();
  };
  if (emulation::block().late)
    emulation::block().transfers.emplace_back(copy);
  else
    copy();
}

// ---- named barriers

namespace {

emulation::NamedBarrier& arrive(int id, int threads) {
  require(id >= 1 && id <= 15 && threads % 32 == 0, "bar: no such barrier, or not whole warps");
  emulation::NamedBarrier& b = emulation::block().named[id];
  require(b.arrived == 0 || b.expected == threads, "bar: threads disagree on their number");
  b.expected = threads;
  if (++b.arrived == threads) {
    b.arrived = 0;
    ++b.generation;
  }
  return b;
}

}  // namespace

void named_arrive(int id, int threads) {
  arrive(id, threads);
}
void named_sync(int id, int threads) {
  const unsigned before = emulation::block().named[id].generation;
  emulation::NamedBarrier& b = arrive(id, threads);
  emulation::wait_until("a named barrier", [&b, before] { return b.generation != before; });
}

// ---- warpgroup products. A warp's 16 rows of the result need only that warp's rows of A, so the
// four warps of a warpgroup are computed one by one.

namespace {

float widen_half(uint32_t word, int half) {
  return bits_to_float(half ? word & 0xffff0000u : word << 16);
}

// "Strides": element (mn, k) of an operand in shared memory with the 128-byte swizzle. K-major:
// rows of 64 elements of K, 8 of them to an atom, atoms `stride` apart. MN-major: atoms of 64
// elements of M or N by 8 of K, `leading` apart in M or N and `stride` apart in K. The swizzle
// exchanges address bits 4 to 6 by exclusive or with bits 7 to 9.
float element(const char* shared, uint64_t descriptor, bool mn_major, int mn, int k) {
  const uint32_t start = uint32_t(descriptor & 0x3fff) << 4,
                 leading = uint32_t(descriptor >> 16 & 0x3fff) << 4,
                 stride = uint32_t(descriptor >> 32 & 0x3fff) << 4;
  uint32_t address =
      mn_major ? start + uint32_t(mn / 64) * leading + uint32_t(mn % 64) * 2 +
                     uint32_t(k / 8) * stride + uint32_t(k % 8) * 128
               : start + uint32_t(mn / 8) * stride + uint32_t(mn % 8) * 128 + uint32_t(k) * 2;
  address ^= (address >> 7 & 7) << 4;
  bf16 x;
  std::memcpy(&x, shared + address, 2);
  return widen(x);
}

void multiply(PendingProduct* const* lanes) {
  const char* const shared = emulation::block().shared;
  const PendingProduct& first = *lanes[0];
  const int n = first.n;
  float a[16][16];
  for (int r = 0; r < 16; ++r)
    for (int k = 0; k < 16; ++k)
      if (first.a) {
        const int word = r / 8 + k / 8 * 2, lane = r % 8 * 4 + k % 8 / 2;
        a[r][k] = widen_half(lanes[lane]->a[word], k % 2);
      } else {
        a[r][k] =
            element(shared, first.a_descriptor, first.transpose_a, 16 * first.warp_rank + r, k);
      }
  for (int column0 = 0; column0 < n; column0 += 8) {
    float b[16][8];
    for (int k = 0; k < 16; ++k)
      for (int c = 0; c < 8; ++c)
        b[k][c] = element(shared, first.b_descriptor, first.transpose_b, column0 + c, k);
    for (int r = 0; r < 16; ++r) {
      const auto d = [&](int c) -> float& {
        return lanes[r % 8 * 4 + c / 2]->d[column0 / 2 + r / 8 * 2 + c % 2];
      };
      float sums[8];  // vectors to the compiler
      for (int c = 0; c < 8; ++c) sums[c] = first.accumulate ? d(c) : 0.0f;
      for (int k = 0; k < 16; k += 8) emulation::add_products(sums, a[r] + k, b + k);
      for (int c = 0; c < 8; ++c) d(c) = sums[c];
    }
  }
}

void check_descriptor(uint64_t d) {
  require(d >> 62 == 1, "wgmma: a descriptor's swizzle is not 128 bytes");
  require((d >> 49 & 7) == 0, "wgmma: a descriptor has a base offset");
}

}  // namespace

void wgmma_issue(const PendingProduct& product) {
  require(threadIdx.x % 128 / 32 == threadIdx.x / 32 % 4, "wgmma: not a warpgroup");
  if (!product.a) check_descriptor(product.a_descriptor);
  check_descriptor(product.b_descriptor);
  emulation::Thread& thread = emulation::current();
  thread.products.push_back(product);
  thread.products.back().warp_rank = int(threadIdx.x / 32 % 4);
  if (emulation::block().late) return;
  PendingProduct& mine = thread.products.back();
  emulation::warp_collective(mine, multiply);
}

void wgmma_commit() {
  for (PendingProduct& p : emulation::current().products) ++p.group;
}

void wgmma_wait_groups(int pending) {
  struct Waiting {
    std::vector<PendingProduct>* products;
    int pending;
  } mine{&emulation::current().products, pending};
  emulation::warp_collective(mine, [](Waiting* const* lanes) {
    size_t finished = 0;
    const auto& order = *lanes[0]->products;
    while (finished < order.size() && order[finished].group > lanes[0]->pending) ++finished;
    for (size_t i = 0; i < finished; ++i) {
      PendingProduct* all[32];
      for (int l = 0; l < 32; ++l) {
        if (lanes[l]->products->size() != order.size())
          throw std::runtime_error("wgmma: lanes have issued different products");
        all[l] = &(*lanes[l]->products)[i];
      }
      if (emulation::block().late) multiply(all);
    }
    for (int l = 0; l < 32; ++l)
      lanes[l]->products->erase(lanes[l]->products->begin(),
                                lanes[l]->products->begin() + std::ptrdiff_t(finished));
  });
}

}  // namespace kogrpo::cuda
