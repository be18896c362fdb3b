#include "engine/trainable.h"

#include <algorithm>
#include <stdexcept>

#include "ops/transfer.h"

namespace kogrpo {
namespace {

std::vector<uint8_t> chosen(const std::string& name, const char* what,
                            const std::vector<int32_t>& indices, int64_t size) {
  std::vector<uint8_t> flags(static_cast<size_t>(size));
  int64_t last = -1;
  for (const int32_t i : indices) {
    if (i <= last || i >= size)
      throw std::invalid_argument("trainable: '" + name + "': " + what + " " + std::to_string(i) +
                                  " is not ascending or outside the " + std::to_string(size) +
                                  " of the matrix");
    flags[static_cast<size_t>(i)] = 1;
    last = i;
  }
  return flags;
}

}  // namespace

Trainable::Trainable(const ParameterLayout& layout) {
  const std::vector<Parameter>& all = layout.all();
  const bool adapters = layout.total() > layout.model_total();
  std::vector<uint8_t> trained;
  for (const Parameter& p : all) trained.push_back(p.adapter == adapters);
  build(layout, trained, std::vector<int>(all.size(), -1));
}

Trainable::Trainable(const ParameterLayout& layout, std::span<const std::string> names,
                     std::span<const TrainedPart> parts) {
  const std::vector<Parameter>& all = layout.all();
  std::vector<uint8_t> trained(all.size());
  std::vector<int> part_of(all.size(), -1);
  for (const std::string& name : names) trained[layout.index(layout.find(name))] = 1;
  if (names.empty()) throw std::invalid_argument("trainable: no parameter is named");
  for (const TrainedPart& part : parts) {
    const size_t i = layout.index(layout.find(part.name));
    const Parameter& p = all[i];
    if (!trained[i] || part_of[i] >= 0 || p.rows == 1 || part.rows.empty() == part.columns.empty())
      throw std::invalid_argument("trainable: '" + part.name +
                                  "' must be a matrix that is trained, and have either rows or "
                                  "columns, once");
    part_of[i] = static_cast<int>(parts_.size());
    Part& own = parts_.emplace_back(Part{p.rows, p.cols, {}, {}});
    if (!part.rows.empty()) own.row_trained = chosen(part.name, "row", part.rows, p.rows);
    if (!part.columns.empty())
      own.column_trained = chosen(part.name, "column", part.columns, p.cols);
  }
  // Of matrices that are read jointly with a trained one, no row is.
  for (size_t first = 0; first < all.size();) {
    size_t end = first + 1;
    while (end < all.size() && all[end].joined) ++end;
    const bool any = std::any_of(trained.begin() + static_cast<std::ptrdiff_t>(first),
                                 trained.begin() + static_cast<std::ptrdiff_t>(end),
                                 [](uint8_t t) { return t != 0; });
    for (size_t i = first; any && i < end; ++i) {
      if (trained[i]) continue;
      trained[i] = 1;
      part_of[i] = static_cast<int>(parts_.size());
      parts_.push_back(
          {all[i].rows, all[i].cols, std::vector<uint8_t>(static_cast<size_t>(all[i].rows)), {}});
    }
    first = end;
  }
  build(layout, trained, part_of);
}

Trainable Trainable::rest(const ParameterLayout& layout) const {
  std::vector<uint8_t> frozen;
  for (const Parameter& p : layout.all()) frozen.push_back(!p.integers && !find(p));
  Trainable rest;
  rest.build(layout, frozen, std::vector<int>(frozen.size(), -1));
  return rest;
}

void Trainable::build(const ParameterLayout& layout, std::span<const uint8_t> trained,
                      std::span<const int> parts) {
  const std::vector<Parameter>& all = layout.all();
  const auto align = [&] {
    total_ = (total_ + layout.alignment() - 1) / layout.alignment() * layout.alignment();
  };
  for (size_t i = 0; i < all.size(); ++i) {
    const Parameter& p = all[i];
    if (p.integers) {
      if (trained[i])
        throw std::invalid_argument("trainable: '" + p.name +
                                    "' is kept as 8-bit integers, which have no gradient");
      continue;
    }
    if (trained[i] && !p.joined) align();
    offset_.push_back(p.offset);
    at_.push_back(trained[i] ? total_ : -1);
    if (!trained[i]) continue;
    Piece* last = pieces_.empty() ? nullptr : &pieces_.back();
    if (last && last->part < 0 && parts[i] < 0 && last->decay == p.decay &&
        last->parameter + last->size == p.offset && last->at + last->size == total_)
      last->size += p.size();
    else
      pieces_.push_back({p.offset, total_, p.size(), p.decay, parts[i]});
    total_ += p.size();
  }
  align();
}

std::optional<int64_t> Trainable::find(const Parameter& parameter) const {
  if (parameter.integers || at_.empty()) return std::nullopt;
  const auto found = std::lower_bound(offset_.begin(), offset_.end(), parameter.offset);
  const int64_t at = at_[static_cast<size_t>(found - offset_.begin())];
  return at < 0 ? std::nullopt : std::optional(at);
}

std::optional<int64_t> Trainable::shift() const {
  if (pieces_.empty()) return 0;
  const int64_t shift = pieces_.front().parameter - pieces_.front().at;
  for (const Piece& p : pieces_)
    if (p.parameter - p.at != shift) return std::nullopt;
  return shift;
}

std::vector<Unit> Trainable::units(const ParameterLayout& layout) const {
  std::vector<Unit> units;
  bool adapter = false;
  for (const Parameter& p : layout.all()) {
    const std::optional<int64_t> at = find(p);
    if (!at) continue;
    if (units.empty() || units.back().block != p.block || adapter != p.adapter) {
      if (!units.empty()) units.back().run.end = *at;
      units.push_back({{units.empty() ? 0 : *at, total_}, p.block});
    }
    adapter = p.adapter;
  }
  return units;
}

void Trainable::clear_frozen(Device& device, Slice of, const Tensor& gradient) const {
  for (const Piece& p : pieces_)
    if (p.part >= 0 && p.at >= of.begin && p.at < of.end)
      scale(device, parts_[static_cast<size_t>(p.part)], 0, p.size,
            gradient.columns(p.at - of.begin, p.size), nullptr, 1.0f, 0.0f);
}

void Trainable::decay(Device& device, const Piece& piece, int64_t begin, int64_t end,
                      const Tensor& values, int16_t* remainder, float factor) const {
  scale(device, parts_[static_cast<size_t>(piece.part)], begin, end, values, remainder, factor,
        1.0f);
}

void Trainable::scale(Device& device, const Part& part, int64_t begin, int64_t end,
                      const Tensor& values, int16_t* remainder, float yes, float no) {
  if (device.memory().total == 0)
    return scale_on_host(device.ops(), part, begin, end, values.f32(), yes, no);
  const bool by_rows = part.column_trained.empty();
  const std::vector<uint8_t>& trained = by_rows ? part.row_trained : part.column_trained;
  const auto n = static_cast<int64_t>(trained.size());
  if (part.mask.empty())
    to_device(device, std::vector<float>(trained.begin(), trained.end()).data(),
              part.mask.reserve(device, DType::f32, 1, n));
  device.ops().scale_part(
      {values, remainder, part.mask.view(DType::f32, 1, n), by_rows, part.cols, begin, yes, no});
}

void Trainable::scale_on_host(Ops& ops, const Part& part, int64_t begin, int64_t end, float* values,
                              float yes, float no) {
  float* const origin = values - begin;
  const int64_t cols = part.cols;
  if (part.column_trained.empty()) {
    for (int64_t row = begin / cols; row * cols < end;) {
      const uint8_t trained = part.row_trained[static_cast<size_t>(row)];
      int64_t next = row + 1;
      while (next < part.rows && part.row_trained[static_cast<size_t>(next)] == trained) ++next;
      const int64_t from = std::max(begin, row * cols), to = std::min(end, next * cols);
      const float factor = trained ? yes : no;
      if (factor != 1.0f) ops.scale(origin + from, to - from, factor);
      row = next;
    }
    return;
  }
  Buffer<float> factors(static_cast<size_t>(cols));
  for (int64_t c = 0; c < cols; ++c)
    factors.data()[c] = part.column_trained[static_cast<size_t>(c)] ? yes : no;
  // The first and the last row may begin or end within the stretch.
  for (int64_t at = begin; at < end;) {
    const int64_t column = at % cols;
    const int64_t rows = column == 0 ? std::max<int64_t>((end - at) / cols, 1) : 1;
    const int64_t width = std::min(cols - column, end - at);
    ops.scale_columns({{origin + at, DType::f32, rows, width, cols, Precision::f32},
                       vector(factors.data() + column, width)});
    at += column == 0 && width == cols ? rows * cols : width;
  }
}

}  // namespace kogrpo
