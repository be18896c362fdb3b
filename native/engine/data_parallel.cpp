#include "engine/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

namespace kogrpo {
namespace {

// Slices begin at multiples of a unit, of which there are at most kUnits.
constexpr int64_t kUnits = 4096, kSmallestUnit = 1024;
// Floats of all ranks together that are under way at a time.
constexpr int64_t kStaging = int64_t{8} << 20;

int64_t unit_of(int64_t total) {
  const int64_t unit = (total + kUnits - 1) / kUnits;
  return std::max(kSmallestUnit, (unit + 15) / 16 * 16);
}

}  // namespace

DataParallel::DataParallel(std::unique_ptr<Communicator> communicator, Ops& ops, int64_t total,
                           Shard shard)
    : communicator_(std::move(communicator)),
      ops_(ops),
      chunk_(std::max<int64_t>(kStaging / communicator_->size(), 1024)),
      shard_(shard) {
  resize(total);
}

void DataParallel::resize(int64_t total) {
  total_ = total;
  unit_ = unit_of(total);
  units_ = (total + unit_ - 1) / unit_;
  sum_.release();
  summed_ = false;
}

Slice DataParallel::slice(int rank) const {
  const int64_t size = communicator_->size();
  const auto bound = [&](int64_t r) { return std::min(total_, unit_ * (units_ * r / size)); };
  return {bound(rank), bound(rank + 1)};
}

void DataParallel::add(const float* gradient, int contributors, const std::string& label) {
  const int size = communicator_->size();
  if (contributors < 1 || contributors > size)
    throw std::invalid_argument("contributors must be between 1 and " + std::to_string(size));
  float* sum = sum_.reserve(static_cast<size_t>(std::max<int64_t>(own().size(), 1)));
  if (!summed_) std::memset(sum, 0, static_cast<size_t>(own().size()) * sizeof(float));
  summed_ = true;
  int64_t longest = 0;
  for (int r = 0; r < size; ++r) longest = std::max(longest, slice(r).size());
  for (int64_t at = 0; at < longest; at += chunk_) {
    const int64_t block = std::min(chunk_, longest - at);
    const auto all = static_cast<size_t>(block * size);
    float *send = send_.reserve(all), *receive = receive_.reserve(all);
    for (int r = 0; r < size; ++r) {
      const Slice s = slice(r);
      const int64_t n = std::clamp<int64_t>(s.size() - at, 0, block);
      std::copy_n(gradient + s.begin + std::min(at, s.size()), n, send + r * block);
    }
    communicator_->all_to_all(send, receive, static_cast<size_t>(block) * sizeof(float), label);
    const int64_t n = std::clamp<int64_t>(own().size() - at, 0, block);
    for (int r = 0; r < contributors; ++r) {
      const float* part = receive + r * block;
      for (int64_t i = 0; i < n; ++i) sum[at + i] += part[i];
    }
  }
}

double DataParallel::norm(const std::string& label) {
  const int size = communicator_->size();
  const auto units = [&](int r) { return (slice(r).size() + unit_ - 1) / unit_; };
  int64_t most = 0;
  for (int r = 0; r < size; ++r) most = std::max(most, units(r));
  std::vector<double> mine(static_cast<size_t>(most)), all(static_cast<size_t>(most * size));
  const float* g = sum();
  for (int64_t u = 0; u < units(communicator_->rank()); ++u) {
    const int64_t n = std::min(unit_, own().size() - u * unit_);
    mine[static_cast<size_t>(u)] =
        ops_.sum_of_squares(vector(const_cast<float*>(g) + u * unit_, n));
  }
  communicator_->all_gather(mine.data(), all.data(), mine.size() * sizeof(double), label);
  double squares = 0;
  for (int r = 0; r < size; ++r)
    for (int64_t u = 0; u < units(r); ++u) squares += all[static_cast<size_t>(r * most + u)];
  return std::sqrt(squares);
}

const float* DataParallel::sum() {
  float* sum = sum_.reserve(static_cast<size_t>(std::max<int64_t>(own().size(), 1)));
  if (!summed_) std::memset(sum, 0, static_cast<size_t>(own().size()) * sizeof(float));
  return sum;
}

void DataParallel::clear() {
  summed_ = false;
}

void DataParallel::gather(const float* mine, float* whole, const std::string& label) {
  const int size = communicator_->size();
  int64_t longest = 0;
  for (int r = 0; r < size; ++r) longest = std::max(longest, slice(r).size());
  for (int64_t at = 0; at < longest; at += chunk_) {
    const int64_t block = std::min(chunk_, longest - at);
    float* send = send_.reserve(static_cast<size_t>(block * size));
    float* receive = receive_.reserve(static_cast<size_t>(block * size));
    const int64_t n = std::clamp<int64_t>(own().size() - at, 0, block);
    if (n > 0) std::copy_n(mine + at, n, send);
    communicator_->all_gather(send, receive, static_cast<size_t>(block) * sizeof(float), label);
    for (int r = 0; r < size; ++r) {
      const Slice s = slice(r);
      const int64_t part = std::clamp<int64_t>(s.size() - at, 0, block);
      if (part > 0) std::copy_n(receive + r * block, part, whole + s.begin + at);
    }
  }
}

void DataParallel::stream(const float* mine, const std::string& label,
                          const std::function<void(const float*, int64_t)>& piece) {
  for (int r = 0; r < communicator_->size(); ++r) {
    const int64_t length = slice(r).size();
    for (int64_t at = 0; at < length; at += chunk_) {
      const int64_t n = std::min(chunk_, length - at);
      float* buffer = send_.reserve(static_cast<size_t>(n));
      if (r == communicator_->rank()) std::copy_n(mine + at, n, buffer);
      communicator_->broadcast(buffer, static_cast<size_t>(n) * sizeof(float), r, label);
      piece(buffer, n);
    }
  }
}

}  // namespace kogrpo
