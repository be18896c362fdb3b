#include "engine/data_parallel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include "ops/transfer.h"

namespace kogrpo {
namespace {

// Parts begin where 16 bytes do, whatever the elements.
constexpr int64_t kPart = 1024;

char* bytes_of(const Storage& storage) {
  return static_cast<char*>(storage.data());
}

}  // namespace

DataParallel::DataParallel(std::unique_ptr<Communicator> communicator, Device& device, DType type,
                           Partition partition, Shard shard)
    : communicator_(std::move(communicator)),
      device_(device),
      type_(type),
      partition_(std::move(partition)),
      frozen_(std::vector<Unit>(), communicator_->size()),
      shard_(shard),
      lane_(device.make_lane(communicator_->size() > 1)) {
  communicator_->attach(*lane_);
  resize(partition_, frozen_);
}

DataParallel::~DataParallel() {
  communicator_->detach();
}

Communicator& DataParallel::communicator() {
  lane_->finish();
  communicator_->check();
  return *communicator_;
}

void DataParallel::resize(Partition partition, Partition frozen) {
  lane_->finish();
  partition_ = std::move(partition);
  frozen_ = std::move(frozen);
  own_ = partition_.held(communicator_->rank());
  held_ = own_.empty() ? 0 : own_.back().at + own_.back().run.size();
  order_ = backward_order();
  sum_.release();
  make_staging();
  clear();
}

int64_t DataParallel::chunk(DType type) const {
  const int64_t each = kStaging / static_cast<int64_t>(size_of(type)) / size();
  return std::max(each / kPart, int64_t{1}) * kPart;
}

void DataParallel::make_staging() {
  int64_t longest = 1;
  for (const Partition* of : {&partition_, &frozen_})
    for (size_t u = 0; u < of->units().size(); ++u)
      longest = std::max(longest, of->longest_piece(u));
  for (Storage* staging : {&send_, &receive_}) {
    staging->release();
    staging->reserve(device_, DType::f32, size(), std::min(longest, chunk(DType::f32)));
  }
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
  if (contributors < 1 || contributors > size())
    throw std::invalid_argument("contributors must be between 1 and " + std::to_string(size()));
  lane_->wait_all();
  contributors_ = contributors;
  label_ = label;
  next_ = 0;
  gathers_ = 0;
  in_turn_ = true;
  sum();
  summed_ = true;
}

void DataParallel::require_no_turn(const char* what) const {
  if (in_turn_)
    throw std::invalid_argument(std::string(what) + ": " + label_ +
                                " is under way: accumulate first");
}

void DataParallel::begin_pass(const std::string& label) {
  label_ = label;
}

uint64_t DataParallel::exchange(size_t unit, const void* gradient) {
  if (!in_turn_ || next_ == order_.size() || order_[next_] != unit)
    throw std::invalid_argument("a turn has one micro-batch: begin the next one first");
  const Label label(label_,
                    "part " + std::to_string(++next_) + " of " + std::to_string(order_.size()));
  return lane_->post([this, unit, gradient, label] { add(unit, gradient, label); });
}

void DataParallel::end_turn() {
  if (!in_turn_) throw std::invalid_argument("there is no turn to end: begin it first");
  if (contributes() && next_ < order_.size())
    throw std::invalid_argument(label_ + ": this rank's micro-batch has had no backward");
  while (next_ < order_.size()) exchange(order_[next_], nullptr);
  lane_->wait_all();
  in_turn_ = false;
}

void DataParallel::add(size_t unit, const void* gradient, const Label& label) {
  const Slice run = partition_.units()[unit].run;
  const Held mine = own_[unit];
  const auto element = static_cast<int64_t>(size_of(type_));
  const int64_t longest = partition_.longest_piece(unit), most = chunk(type_);
  float* const sum = static_cast<float*>(sum_.data()) + mine.at;
  char *const send = bytes_of(send_), *const receive = bytes_of(receive_);
  for (int64_t at = 0; at < longest; at += most) {
    const int64_t part = std::min(most, longest - at);
    for (int r = 0; r < size() && gradient; ++r) {
      const Slice s = partition_.piece(unit, r);
      const int64_t n = std::clamp<int64_t>(s.size() - at, 0, part);
      const int64_t from = (s.begin - run.begin) + std::min(at, s.size());
      lane_->copy(send + r * part * element, static_cast<const char*>(gradient) + from * element,
                  static_cast<size_t>(n * element));
    }
    communicator_->all_to_all(send, receive, static_cast<size_t>(part * element), label);
    const int64_t n = std::clamp<int64_t>(mine.run.size() - at, 0, part);
    if (n > 0) lane_->add(sum + at, {receive, type_, contributors_, n, part, Precision::f32});
  }
}

double DataParallel::norm(const std::string& label) {
  lane_->wait_all();
  const auto grains = [&](size_t u, int r) {
    return (partition_.piece(u, r).size() + partition_.grain(u) - 1) / partition_.grain(u);
  };
  const size_t units = partition_.units().size();
  int64_t most = 0;
  for (int r = 0; r < size(); ++r) {
    int64_t theirs = 0;
    for (size_t u = 0; u < units; ++u) theirs += grains(u, r);
    most = std::max(most, theirs);
  }
  std::vector<double> mine;
  const Tensor g = sum();
  for (size_t u = 0; u < units; ++u) {
    const auto n = static_cast<size_t>(grains(u, rank()));
    if (n == 0) continue;
    mine.resize(mine.size() + n);
    device_.ops().sums_of_squares(g.columns(own_[u].at, own_[u].run.size()), partition_.grain(u),
                                  mine.data() + mine.size() - n);
  }
  mine.resize(static_cast<size_t>(most));  // what is sent has one size
  const auto all = communicator().all_gather_bytes(
      {reinterpret_cast<const uint8_t*>(mine.data()), mine.size() * sizeof(double)}, label);
  std::vector<size_t> next(all.size());
  double squares = 0;
  for (size_t u = 0; u < units; ++u)
    for (int r = 0; r < size(); ++r)
      for (int64_t i = grains(u, r); i > 0; --i) {
        const auto rank = static_cast<size_t>(r);
        double grain = 0;
        std::memcpy(&grain, all[rank].data() + next[rank]++ * sizeof grain, sizeof grain);
        squares += grain;
      }
  return std::sqrt(squares);
}

Tensor DataParallel::sum() {
  const Tensor sum = sum_.reserve(device_, DType::f32, 1, std::max<int64_t>(held_, 1));
  if (!summed_) zero(device_, sum);
  return sum.columns(0, held_);
}

void DataParallel::clear() {
  lane_->wait_all();
  summed_ = in_turn_ = false;
}

void DataParallel::gather(const Partition& of, size_t unit, const Tensor& mine, const Tensor& whole,
                          const std::string& label) {
  lane_->wait(lane_->post(
      [this, &of, unit, mine, whole, label] { gather_now(of, unit, mine, whole, label); }));
}

uint64_t DataParallel::gather_ahead(const Partition& of, size_t unit, const Tensor& mine,
                                    const Tensor& whole) {
  // The steps of sampling are many and short: one meeting each is enough.
  const Label label(label_, in_turn_ ? "weights " + std::to_string(++gathers_) : std::string());
  return lane_->post(
      [this, &of, unit, mine, whole, label] { gather_now(of, unit, mine, whole, label); });
}

void DataParallel::gather_now(const Partition& of, size_t unit, const Tensor& mine,
                              const Tensor& whole, const Label& label) {
  const Slice run = of.units()[unit].run;
  const auto element = static_cast<int64_t>(size_of(whole.dtype));
  const int64_t longest = of.longest_piece(unit), most = chunk(whole.dtype);
  const int64_t own = of.piece(unit, rank()).size();
  char *const send = bytes_of(send_), *const receive = bytes_of(receive_);
  for (int64_t at = 0; at < longest; at += most) {
    const int64_t part = std::min(most, longest - at);
    const int64_t n = std::clamp<int64_t>(own - at, 0, part);
    if (n > 0) lane_->copy(send, mine.element(at), static_cast<size_t>(n * element));
    communicator_->all_gather(send, receive, static_cast<size_t>(part * element), label);
    for (int r = 0; r < size(); ++r) {
      const Slice s = of.piece(unit, r);
      const int64_t theirs = std::clamp<int64_t>(s.size() - at, 0, part);
      if (theirs > 0)
        lane_->copy(whole.element(s.begin - run.begin + at), receive + r * part * element,
                    static_cast<size_t>(theirs * element));
    }
  }
}

}  // namespace kogrpo
