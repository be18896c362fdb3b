#include "engine/int8_base.h"

#include <algorithm>
#include <stdexcept>

namespace kogrpo {

Int8Base::Int8Base(Ops& ops, const ParameterLayout& layout, const ModelView& view)
    : ops_(ops), layout_(layout), view_(view), packed_(view.layers.size()) {
  std::vector<std::unique_ptr<PackedWeight>*> packs;
  for (PackedModel::Layer& l : packed_.layers)
    packs.insert(packs.end(), {&l.qkv, &l.o, &l.gate_up, &l.down});
  packs.push_back(&packed_.head);
  const std::vector<Parameter>& all = layout.all();
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].integers) continue;
    if (!all[i].joined)
      matrices_.push_back({.first = i, .cols = all[i].cols, .pack = packs[matrices_.size()]});
    Matrix& m = matrices_.back();
    m.rows += all[i].rows;
    m.there.resize(++m.count);
  }
}

std::pair<size_t, int64_t> Int8Base::place(const Parameter& p) const {
  const size_t i = layout_.index(p);
  size_t m = matrices_.size();
  while (matrices_[m - 1].first > i) --m;
  int64_t row = 0;
  for (size_t k = matrices_[m - 1].first; k < i; ++k) row += layout_.all()[k].rows;
  return {m - 1, row};
}

void Int8Base::fill(const Parameter& p, const std::function<void(float*, int64_t, int64_t)>& make) {
  const auto [place, row] = this->place(p);
  Matrix& m = matrices_[place];
  if (m.taken.empty()) {
    m.taken.resize(static_cast<size_t>(m.rows * m.cols));
    m.pack->reset();
  }
  make(m.taken.data() + row * m.cols, 0, p.size());
  m.there[layout_.index(p) - m.first] = 1;
  if (std::find(m.there.begin(), m.there.end(), 0) != m.there.end()) return;
  Tensor whole = matrix(m.taken.data(), m.rows, m.cols);
  whole.precision = Precision::int8;
  *m.pack = ops_.pack(whole);
  m.taken = std::vector<float>();  // "= {}" would keep the memory
  m.there.assign(m.count, 0);
}

std::vector<float> Int8Base::values(const Parameter& p) const {
  const auto [place, row] = this->place(p);
  const Matrix& m = matrices_[place];
  if (!*m.pack) throw std::invalid_argument("'" + p.name + "' has no values yet");
  std::vector<float> out(static_cast<size_t>(p.size()));
  (*m.pack)->values(row, p.rows, out.data());
  return out;
}

const PackedModel& Int8Base::packed() {
  for (const Matrix& m : matrices_) {
    if (*m.pack) continue;
    const auto missing = std::find(m.there.begin(), m.there.end(), 0) - m.there.begin();
    throw std::invalid_argument("'" + layout_.all()[m.first + static_cast<size_t>(missing)].name +
                                "' has no values yet: 8-bit matrices are loaded whole");
  }
  if (!packed_.head) packed_.head = ops_.pack(view_.head);  // tied
  return packed_;
}

void Int8Base::forget_head() {
  if (view_.head.data) packed_.head.reset();
}

int64_t Int8Base::bytes() const {
  size_t bytes = packed_.head ? packed_.head->bytes() : 0;
  for (const PackedModel::Layer& l : packed_.layers)
    for (const auto* w : {&l.qkv, &l.o, &l.gate_up, &l.down}) bytes += *w ? (*w)->bytes() : 0;
  for (const Matrix& m : matrices_) bytes += m.taken.capacity() * sizeof(float);
  return static_cast<int64_t>(bytes);
}

}  // namespace kogrpo
