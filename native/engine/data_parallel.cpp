#include "engine/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace kogrpo {
namespace {

// Floats of all ranks together that are under way at a time.
constexpr int64_t kStaging = int64_t{8} << 20;

}  // namespace

DataParallel::DataParallel(std::unique_ptr<Communicator> communicator, Ops& ops,
                           Partition partition, Shard shard)
    : communicator_(std::move(communicator)),
      ops_(ops),
      partition_(std::move(partition)),
      shard_(shard),
      chunk_(std::max<int64_t>(kStaging / communicator_->size(), 1024)),
      queue_(communicator_->size() > 1) {
  resize(partition_);
}

Communicator& DataParallel::communicator() {
  queue_.wait_all();
  return *communicator_;
}

void DataParallel::resize(Partition partition) {
  queue_.wait_all();
  partition_ = std::move(partition);
  own_ = partition_.held(communicator_->rank());
  held_ = own_.empty() ? 0 : own_.back().at + own_.back().run.size();
  order_ = backward_order();
  sum_.release();
  clear();
}

std::vector<size_t> DataParallel::backward_order() const {
  const std::vector<Unit>& units = partition_.units();
  std::vector<size_t> order(units.size());
  for (size_t u = 0; u < order.size(); ++u) order[u] = u;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return units[a].block > units[b].block; });
  return order;
}

void DataParallel::begin_turn(int contributors, const std::string& label) {
  const int size = communicator_->size();
  if (contributors < 1 || contributors > size)
    throw std::invalid_argument("contributors must be between 1 and " + std::to_string(size));
  queue_.wait_all();
  contributors_ = contributors;
  label_ = label;
  next_ = 0;
  gathers_ = 0;
  in_turn_ = true;
  sum();
  summed_ = true;
}

uint64_t DataParallel::exchange(size_t unit, const float* gradient) {
  if (!in_turn_ || next_ == order_.size() || order_[next_] != unit)
    throw std::invalid_argument("a turn has one micro-batch: begin the next one first");
  const std::string label =
      label_ + ", part " + std::to_string(++next_) + " of " + std::to_string(order_.size());
  return queue_.post([this, unit, gradient, label] { add(unit, gradient, label); });
}

void DataParallel::end_turn() {
  if (!in_turn_) throw std::invalid_argument("there is no turn to end: begin it first");
  if (contributes() && next_ < order_.size())
    throw std::invalid_argument(label_ + ": this rank's micro-batch has had no backward");
  while (next_ < order_.size()) exchange(order_[next_], nullptr);
  queue_.wait_all();
  in_turn_ = false;
}

void DataParallel::add(size_t unit, const float* gradient, const std::string& label) {
  const int size = communicator_->size();
  const Slice run = partition_.units()[unit].run;
  const Held mine = own_[unit];
  const int64_t longest = partition_.longest_piece(unit);
  float* const sum = sum_.data() + mine.at;
  for (int64_t at = 0; at < longest; at += chunk_) {
    const int64_t part = std::min(chunk_, longest - at);
    const auto all = static_cast<size_t>(part * size);
    float *send = send_.reserve(all), *receive = receive_.reserve(all);
    for (int r = 0; r < size && gradient; ++r) {
      const Slice s = partition_.piece(unit, r);
      const int64_t n = std::clamp<int64_t>(s.size() - at, 0, part);
      std::copy_n(gradient + (s.begin - run.begin) + std::min(at, s.size()), n, send + r * part);
    }
    communicator_->all_to_all(send, receive, static_cast<size_t>(part) * sizeof(float), label);
    const int64_t n = std::clamp<int64_t>(mine.run.size() - at, 0, part);
    for (int r = 0; r < contributors_; ++r) {
      const float* const from = receive + r * part;
      for (int64_t i = 0; i < n; ++i) sum[at + i] += from[i];
    }
  }
}

double DataParallel::norm(const std::string& label) {
  queue_.wait_all();
  const int size = communicator_->size();
  const auto grains = [&](size_t u, int r) {
    return (partition_.piece(u, r).size() + partition_.grain(u) - 1) / partition_.grain(u);
  };
  const size_t units = partition_.units().size();
  int64_t most = 0;
  for (int r = 0; r < size; ++r) {
    int64_t theirs = 0;
    for (size_t u = 0; u < units; ++u) theirs += grains(u, r);
    most = std::max(most, theirs);
  }
  std::vector<double> mine, all(static_cast<size_t>(most * size));
  const float* const g = sum();
  for (size_t u = 0; u < units; ++u) {
    const int64_t grain = partition_.grain(u);
    for (int64_t at = 0; at < own_[u].run.size(); at += grain)
      mine.push_back(ops_.sum_of_squares(vector(const_cast<float*>(g) + own_[u].at + at,
                                                std::min(grain, own_[u].run.size() - at))));
  }
  mine.resize(static_cast<size_t>(most));
  communicator_->all_gather(mine.data(), all.data(), mine.size() * sizeof(double), label);
  std::vector<const double*> next;
  for (int r = 0; r < size; ++r) next.push_back(all.data() + r * most);
  double squares = 0;
  for (size_t u = 0; u < units; ++u)
    for (int r = 0; r < size; ++r)
      for (int64_t i = grains(u, r); i > 0; --i) squares += *next[static_cast<size_t>(r)]++;
  return std::sqrt(squares);
}

const float* DataParallel::sum() {
  const auto n = static_cast<size_t>(std::max<int64_t>(held_, 1));
  float* const sum = sum_.reserve(n);
  if (!summed_) std::memset(sum, 0, n * sizeof(float));
  return sum;
}

void DataParallel::clear() {
  queue_.wait_all();
  summed_ = in_turn_ = false;
}

void DataParallel::gather(size_t unit, const float* mine, float* whole, const std::string& label) {
  queue_.wait_all();
  gather_now(unit, mine, whole, label);
}

uint64_t DataParallel::gather_ahead(size_t unit, const float* mine, float* whole) {
  const std::string label = label_ + ", weights " + std::to_string(++gathers_);
  return queue_.post([this, unit, mine, whole, label] { gather_now(unit, mine, whole, label); });
}

void DataParallel::gather_now(size_t unit, const float* mine, float* whole,
                              const std::string& label) {
  const int size = communicator_->size();
  const Slice run = partition_.units()[unit].run;
  const int64_t longest = partition_.longest_piece(unit);
  for (int64_t at = 0; at < longest; at += chunk_) {
    const int64_t part = std::min(chunk_, longest - at);
    float* const send = send_.reserve(static_cast<size_t>(part * size));
    float* const receive = receive_.reserve(static_cast<size_t>(part * size));
    const int64_t n = std::clamp<int64_t>(own_[unit].run.size() - at, 0, part);
    if (n > 0) std::copy_n(mine + at, n, send);
    communicator_->all_gather(send, receive, static_cast<size_t>(part) * sizeof(float), label);
    for (int r = 0; r < size; ++r) {
      const Slice s = partition_.piece(unit, r);
      const int64_t theirs = std::clamp<int64_t>(s.size() - at, 0, part);
      if (theirs > 0) std::copy_n(receive + r * part, theirs, whole + (s.begin - run.begin) + at);
    }
  }
}

void DataParallel::stream(const float* mine, const std::string& label,
                          const std::function<void(const float*, int64_t)>& see) {
  queue_.wait_all();
  for (size_t u = 0; u < partition_.units().size(); ++u)
    for (int r = 0; r < communicator_->size(); ++r) {
      const int64_t length = partition_.piece(u, r).size();
      for (int64_t at = 0; at < length; at += chunk_) {
        const int64_t n = std::min(chunk_, length - at);
        float* const buffer = send_.reserve(static_cast<size_t>(n));
        if (r == communicator_->rank()) std::copy_n(mine + own_[u].at + at, n, buffer);
        communicator_->broadcast(buffer, static_cast<size_t>(n) * sizeof(float), r, label);
        see(buffer, n);
      }
    }
}

}  // namespace kogrpo
