#include "engine/parameter_store.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "ops/transfer.h"

namespace kogrpo {
namespace {

constexpr int64_t kPiece = int64_t{1} << 22;  // elements that are on their way at a time
constexpr int64_t kGrain = int64_t{1} << 16;

float join(bf16 weight, int16_t remainder) {
  const uint32_t bits = (uint32_t{weight.bits} << 16) + static_cast<uint32_t>(int32_t{remainder});
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Half up, as mixed_adamw rounds: to nearest even could leave a remainder that 16 bits do not hold.
void split(float value, bf16& weight, int16_t& remainder) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  weight.bits = static_cast<uint16_t>((bits + 0x8000u) >> 16);
  remainder = static_cast<int16_t>(static_cast<uint16_t>(bits));
}

}  // namespace

ParameterStore::ParameterStore(Device& device, DType type, int64_t total, int64_t master_from)
    : device_(&device), type_(type), total_(total), master_from_(master_from) {
  const Tensor flat = weights_.reserve(device, type_, 1, total_);
  if (type_ == DType::f32) return;
  zero(device, flat);  // what lies between parameters stays 0
  if (master_from < total)
    zero(device, remainders_.reserve(device, DType::bf16, 1, total - master_from));
}

void ParameterStore::keep_masters() {
  if (has_masters()) return;
  if (!remainders_.empty()) throw std::logic_error("ParameterStore: some masters are kept already");
  zero(*device_, remainders_.reserve(*device_, DType::bf16, 1, total_));
  master_from_ = 0;
}

void ParameterStore::release() {
  weights_.release();
  remainders_.release();
}

bool ParameterStore::in_place() const {
  return type_ == DType::f32 && device_->memory().total == 0;
}

void ParameterStore::fill(int64_t offset, int64_t n,
                          const std::function<void(float*, int64_t, int64_t)>& make) {
  if (in_place()) return make(flat().f32() + offset, 0, n);
  std::vector<float> values(static_cast<size_t>(std::min(n, kPiece)));
  std::vector<bf16> weights;
  std::vector<int16_t> remainders;
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t count = std::min(kPiece, n - at);
    make(values.data(), at, count);
    void* const to = flat().element(offset + at);
    const auto bytes = static_cast<size_t>(count) * size_of(type_);
    if (type_ == DType::f32) {
      device_->upload(to, values.data(), bytes);
      continue;
    }
    weights.resize(values.size());
    remainders.resize(values.size());
    int16_t* const rest = this->remainders(offset + at);
    device_->host_parallel(count, kGrain, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
        if (!rest)
          weights[i] = round_to_bf16(values[i]);
        else
          split(values[i], weights[i], remainders[i]);
    });
    device_->upload(to, weights.data(), bytes);
    if (rest) device_->upload(rest, remainders.data(), bytes);
  }
}

void ParameterStore::visit(int64_t offset, int64_t n,
                           const std::function<void(const float*, int64_t)>& see) const {
  if (in_place()) return see(flat().f32() + offset, n);
  std::vector<float> values(static_cast<size_t>(std::min(n, kPiece)));
  std::vector<bf16> weights;
  std::vector<int16_t> remainders;
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t count = std::min(kPiece, n - at);
    const void* const from = flat().element(offset + at);
    const auto bytes = static_cast<size_t>(count) * size_of(type_);
    if (type_ == DType::f32) {
      device_->download(values.data(), from, bytes);
    } else {
      weights.resize(values.size());
      remainders.assign(values.size(), 0);
      device_->download(weights.data(), from, bytes);
      if (const int16_t* rest = this->remainders(offset + at))
        device_->download(remainders.data(), rest, bytes);
      device_->host_parallel(count, kGrain, [&](int64_t begin, int64_t end) {
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
          values[i] = join(weights[i], remainders[i]);
      });
    }
    see(values.data(), count);
  }
}

}  // namespace kogrpo
