#pragma once
// The parameters of a model as one flat run: norms, clipping, AdamW and sharding work on the run,
// the transformer on views into it. q, k, v are adjacent (one product makes all three), gate and up
// too. lib/model/parameters.ts states the same order; a test holds them together.
//
// Adapters (LoRA, arXiv 2106.09685) follow the model in the same run: of each target W [out,in] the
// product becomes W + scale·B·A with A [rank,in] and B [out,rank]. Targets that read the same input
// (q, k, v; gate, up) are a site: their A are adjacent, so that one product reads the input once.

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/config.h"
#include "ops/buffer.h"
#include "ops/tensor.h"

namespace kogrpo {

// Which projections have adapters. The names of targets are PEFT's: "q_proj", "k_proj", "v_proj",
// "o_proj", "gate_proj", "up_proj", "down_proj".
struct LoraConfig {
  int64_t rank = 0;    // 0: no adapters
  float scale = 0;     // alpha/rank, or alpha/√rank
  double dropout = 0;  // share of an adapter's input that training leaves out
  uint64_t seed = 0;   // of what is left out
  std::vector<std::string> targets;

  bool has(std::string_view target) const;
};

struct Parameter {
  std::string name;  // Hugging Face's
  int64_t rows = 1, cols = 0;
  int64_t offset = 0;     // elements from the start of the run
  bool decay = true;      // weight decay applies (not to norm weights)
  bool adapter = false;   // the name is PEFT's without "base_model.model."
  bool joined = false;    // read as one matrix with the parameter before it
  bool integers = false;  // kept as 8-bit integers alone (int8_base.h): it is not in the run
  int64_t block = 0;      // 0: the embedding, then the layers; the last: final norm and head

  int64_t size() const { return rows * cols; }
};

class ParameterLayout {
 public:
  // Parameters that are not joined to the one before begin at multiples of `alignment` elements.
  // `integers`: the matrices of products have no place in the run. Throws std::invalid_argument for
  // adapters of no or unknown targets.
  explicit ParameterLayout(const ModelConfig& config, const LoraConfig& lora = {},
                           int64_t alignment = 1, bool integers = false);

  const std::vector<Parameter>& all() const { return parameters_; }
  // Elements of the run, with what the alignment adds.
  int64_t total() const { return total_; }
  int64_t alignment() const { return alignment_; }
  // Blocks of the model (Parameter::block).
  int64_t blocks() const { return blocks_; }
  // Elements of the model alone; adapters begin there.
  int64_t model_total() const { return model_total_; }
  // Throws std::invalid_argument with the name if there is none.
  const Parameter& find(std::string_view name) const;
  // The place of one of all() there.
  size_t index(const Parameter& p) const { return static_cast<size_t>(&p - parameters_.data()); }

 private:
  void align() { total_ = (total_ + alignment_ - 1) / alignment_ * alignment_; }
  void add(std::string name, int64_t rows, int64_t cols, bool decay, bool joined = false);
  void add_adapters(const ModelConfig& config, const LoraConfig& lora);

  std::vector<Parameter> parameters_;
  bool integers_ = false;
  int64_t alignment_ = 1, total_ = 0, model_total_ = 0;
  int64_t block_ = 0, blocks_ = 0;  // block_: of what is being added
};

// The adapters of the targets that read one input: the rows of `a` are those of each target in
// turn, and its b adds to the product's columns from `column` on.
struct LoraSite {
  struct Target {
    int64_t column = 0;
    Tensor b = {};       // [out,rank]
    uint32_t place = 0;  // 8 · layer + the projection's number in PEFT's order: dropout's
  };
  Tensor a /*[targets·rank,in]*/;
  std::vector<Target> targets;  // empty: none
  float scale = 0;
};

struct LayerView {
  Tensor input_norm /*[1,H]*/, qkv /*[(Hq+2Hkv)D,H]*/, q_norm /*[1,D]*/, k_norm, o /*[H,HqD]*/,
      post_norm, gate_up /*[2I,H]*/, down /*[H,I]*/;
  LoraSite lora_qkv, lora_o, lora_gate_up, lora_down;
};

// Views of parameters or of their gradients.
struct ModelView {
  // Where a parameter's values are; null: nowhere (no gradient). Parameters that are read as one
  // matrix must lie one behind the other.
  using Locate = std::function<void*(const Parameter&)>;

  // `type` is that of all elements, `precision` that of the matrices in products. With `lora.rank`
  // 0 the view is of the model without its adapters.
  ModelView(const ModelConfig& config, const ParameterLayout& layout, const LoraConfig& lora,
            const Locate& locate, DType type, Precision precision = Precision::f32);

  Tensor embed /*[V,H]*/, final_norm /*[1,H]*/,
      head /*[V,H], the embedding itself when tied; [labels,H]*/;
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
//
// Of an adapter, as in PEFT, B is 0 and A uniform in ±1/√in (Kaiming's with a = √5): one uniform of
// the same four an element.
void initialize(const Parameter& parameter, const InitOptions& options, float* out, int64_t begin,
                int64_t end);

}  // namespace kogrpo
