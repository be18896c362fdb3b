#pragma once
// The parameters of a model as one flat run of fp32: norms, clipping, AdamW and sharding work on
// the run, the transformer on views into it. q, k, v are adjacent (one product makes all three),
// gate and up too. lib/model/parameters.ts states the same order; a test holds them together.

#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "ops/buffer.h"
#include "ops/tensor.h"

namespace kogrpo {

struct Parameter {
  std::string name;  // Hugging Face's
  int64_t rows = 1, cols = 0;
  int64_t offset = 0;  // elements from the start of the run
  bool decay = true;   // weight decay applies (not to norm weights)

  int64_t size() const { return rows * cols; }
};

class ParameterLayout {
 public:
  explicit ParameterLayout(const ModelConfig& config);

  const std::vector<Parameter>& all() const { return parameters_; }
  int64_t total() const { return total_; }
  // Throws std::invalid_argument with the name if there is none.
  const Parameter& find(std::string_view name) const;

 private:
  void add(std::string name, int64_t rows, int64_t cols, bool decay);

  std::vector<Parameter> parameters_;
  int64_t total_ = 0;
};

struct LayerView {
  Tensor input_norm /*[1,H]*/, qkv /*[(Hq+2Hkv)D,H]*/, q_norm /*[1,D]*/, k_norm, o /*[H,HqD]*/,
      post_norm, gate_up /*[2I,H]*/, down /*[H,I]*/;
};

// Views into a flat run of parameters or of their gradients.
struct ModelView {
  // `precision` is that of the matrices in products; norm weights stay fp32.
  ModelView(const ModelConfig& config, const ParameterLayout& layout, float* base,
            Precision precision = Precision::f32);

  Tensor embed /*[V,H]*/, final_norm /*[1,H]*/, head /*[V,H], the embedding itself when tied*/;
  std::vector<LayerView> layers;
};

struct InitOptions {
  uint64_t seed = 0;
  double std = 0.02;      // of every matrix
  double norm_scale = 0;  // norm weights are 1 + norm_scale · normal
};

// Element i of a tensor: Philox4x32-10 with key `seed` and counter (i/4 low, i/4 high, FNV-1a of
// the name, 0) gives four uniforms, two Box–Muller pairs, four normals. It depends on nothing but
// seed, name and index, so any part of a model can be made anywhere (test/golden/make_parity.py
// does).
void initialize(const Parameter& parameter, const InitOptions& options, float* out, int64_t begin,
                int64_t end);

}  // namespace kogrpo
