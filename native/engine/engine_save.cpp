// The model's parameters as the bytes of files. Of weights in pieces (engine_weights.cpp) saving is
// a collective: one block of the model at a time is gathered, handed over where it is wanted, and
// dropped, so that no rank has more than a block's weights beside its pieces. Every rank walks the
// same names; which of them writes is no business of the others.

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>

#include "engine/blocks.h"
#include "engine/engine.h"
#include "engine/tensor_file.h"

namespace kogrpo {

void Engine::save_parameters(const std::string& path, std::span<const uint8_t> header,
                             const std::vector<std::string>& names, DType dtype,
                             const std::string& label) {
  if (path.empty()) return visit_parameters(names, label, {});
  std::optional<TensorFileWriter> file;
  visit_parameters(names, label, [&](const float* values, int64_t n) {
    if (!file) file.emplace(path, header);
    file->append(values, n, dtype);
  });
  if (file) file->finish();
}

std::vector<Buffer<uint8_t>> Engine::snapshot_parameters(const std::vector<std::string>& names,
                                                         DType dtype, bool keep,
                                                         const std::string& label) {
  if (!keep) {
    visit_parameters(names, label, {});
    return {};
  }
  int64_t elements = 0;
  for (const std::string& name : names) elements += layout_.find(name).size();
  std::optional<Blocks> blocks;
  visit_parameters(names, label, [&](const float* values, int64_t n) {
    if (!blocks) blocks.emplace(elements * static_cast<int64_t>(size_of(dtype)));
    encode_tensor(values, n, dtype,
                  [&](const void* data, size_t bytes) { blocks->write(data, bytes); });
  });
  return blocks ? blocks->take() : std::vector<Buffer<uint8_t>>();
}

void Engine::visit_parameters(const std::vector<std::string>& names, const std::string& label,
                              const std::function<void(const float*, int64_t)>& see) {
  std::vector<const Parameter*> all;
  for (const std::string& name : names) all.push_back(&find_in_full(name));
  if (!weights_in_pieces() || parameters_.there()) {
    if (see)
      for (const Parameter* p : all) parameters_.visit(p->offset, p->size(), see);
    return;
  }
  ranks_->require_no_turn("saving parameters");
  // The others wait for this rank in every block: what fails here is told when all are through.
  std::exception_ptr failed;
  for (size_t i = 0; i < all.size();) {
    size_t end = i;
    while (end < all.size() && all[end]->block == all[i]->block) ++end;
    const std::span<const Parameter* const> block(all.data() + i, end - i);
    const GatheredBlock gathered = gather_block(block, label);
    if (see && !failed) try {
        for (const Parameter* p : block) gathered.store.visit(gathered.at(*p), p->size(), see);
      } catch (...) {
        failed = std::current_exception();
      }
    i = end;
  }
  if (failed) std::rethrow_exception(failed);
}

// The units that have any of these parameters, which are of one block, in memory of their own.
Engine::GatheredBlock Engine::gather_block(std::span<const Parameter* const> block,
                                           const std::string& label) {
  struct Place {
    const WeightRun& of;
    size_t unit;
    Slice run;
    int64_t at;
  };
  const auto runs = weight_runs();
  std::vector<Place> places;
  int64_t size = 0;
  bool masters = false;
  for (const WeightRun& w : runs)
    for (size_t u = 0; u < w.partition.units().size(); ++u) {
      const Slice run = w.partition.units()[u].run;
      const bool wanted = std::any_of(block.begin(), block.end(), [&](const Parameter* p) {
        const std::optional<int64_t> in = w.run.find(*p);
        return in && *in >= run.begin && *in < run.end;
      });
      if (!wanted) continue;
      places.push_back({w, u, run, size});
      size += run.size();
      masters = masters || w.pieces.remainders(0);
    }
  GatheredBlock gathered{ParameterStore(*device_, type_, size, masters ? 0 : size), {}};
  most_gathered_ = std::max(most_gathered_, gathered.store.bytes());
  for (const Place& place : places) {
    const WeightRun& w = place.of;
    const Held mine = w.partition.held(ranks_->rank())[place.unit];
    const int64_t own = mine.run.size(), n = place.run.size();
    ranks_->gather(w.partition, place.unit, w.pieces.flat().columns(mine.at, own),
                   gathered.store.flat().columns(place.at, n), label);
    if (w.pieces.remainders(0))
      ranks_->gather(w.partition, place.unit, w.pieces.rest(mine.at, own),
                     gathered.store.rest(place.at, n), label);
    for (const Parameter* p : block)
      if (const std::optional<int64_t> in = w.run.find(*p))
        gathered.places.emplace_back(p, place.at + *in - place.run.begin);
  }
  return gathered;
}

int64_t Engine::GatheredBlock::at(const Parameter& parameter) const {
  for (const auto& [p, place] : places)
    if (p == &parameter) return place;
  throw std::logic_error("'" + parameter.name + "' has not been gathered");
}

}  // namespace kogrpo
