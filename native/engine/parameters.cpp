#include "engine/parameters.h"

#include <cmath>
#include <numbers>
#include <stdexcept>

#include "ops/philox.h"

namespace kogrpo {

ParameterLayout::ParameterLayout(const ModelConfig& c) {
  add("model.embed_tokens.weight", c.vocab_size, c.hidden_size, true);
  for (int64_t l = 0; l < c.num_layers; ++l) {
    const std::string p = "model.layers." + std::to_string(l) + ".";
    add(p + "input_layernorm.weight", 1, c.hidden_size, false);
    add(p + "self_attn.q_proj.weight", c.q_size(), c.hidden_size, true);
    add(p + "self_attn.k_proj.weight", c.kv_size(), c.hidden_size, true);
    add(p + "self_attn.v_proj.weight", c.kv_size(), c.hidden_size, true);
    add(p + "self_attn.q_norm.weight", 1, c.head_dim, false);
    add(p + "self_attn.k_norm.weight", 1, c.head_dim, false);
    add(p + "self_attn.o_proj.weight", c.hidden_size, c.q_size(), true);
    add(p + "post_attention_layernorm.weight", 1, c.hidden_size, false);
    add(p + "mlp.gate_proj.weight", c.intermediate_size, c.hidden_size, true);
    add(p + "mlp.up_proj.weight", c.intermediate_size, c.hidden_size, true);
    add(p + "mlp.down_proj.weight", c.hidden_size, c.intermediate_size, true);
  }
  add("model.norm.weight", 1, c.hidden_size, false);
  if (!c.tie_word_embeddings) add("lm_head.weight", c.vocab_size, c.hidden_size, true);
}

void ParameterLayout::add(std::string name, int64_t rows, int64_t cols, bool decay) {
  parameters_.push_back({std::move(name), rows, cols, total_, decay});
  total_ += rows * cols;
}

const Parameter& ParameterLayout::find(std::string_view name) const {
  for (const Parameter& p : parameters_)
    if (p.name == name) return p;
  throw std::invalid_argument("the model has no parameter named '" + std::string(name) + "'");
}

ModelView::ModelView(const ModelConfig& c, const ParameterLayout& layout, float* base,
                     Precision precision) {
  // Parameters are taken in the layout's order; joined ones are checked to be adjacent by it.
  size_t next = 0;
  const auto take = [&](int64_t rows, int64_t cols) {
    const float* start = base + layout.all()[next].offset;
    for (int64_t left = rows * cols; left > 0; ++next) left -= layout.all()[next].size();
    Tensor tensor = matrix(const_cast<float*>(start), rows, cols);
    if (rows > 1) tensor.precision = precision;
    return tensor;
  };
  embed = take(c.vocab_size, c.hidden_size);
  for (int64_t l = 0; l < c.num_layers; ++l) {
    LayerView& w = layers.emplace_back();
    w.input_norm = take(1, c.hidden_size);
    w.qkv = take(c.qkv_size(), c.hidden_size);
    w.q_norm = take(1, c.head_dim);
    w.k_norm = take(1, c.head_dim);
    w.o = take(c.hidden_size, c.q_size());
    w.post_norm = take(1, c.hidden_size);
    w.gate_up = take(2 * c.intermediate_size, c.hidden_size);
    w.down = take(c.hidden_size, c.intermediate_size);
  }
  final_norm = take(1, c.hidden_size);
  head = c.tie_word_embeddings ? embed : take(c.vocab_size, c.hidden_size);
}

namespace {

uint32_t fnv1a(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return hash;
}

}  // namespace

void initialize(const Parameter& parameter, const InitOptions& options, float* out, int64_t begin,
                int64_t end) {
  const uint32_t name = fnv1a(parameter.name);
  const bool norm = !parameter.decay;
  for (int64_t block = begin / 4; block * 4 < end; ++block) {
    double normal[4] = {0, 0, 0, 0};
    if (!norm || options.norm_scale != 0) {
      const auto words = philox(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                name, 0, options.seed);
      double u[4];
      for (size_t i = 0; i < 4; ++i) u[i] = ((words[i] >> 8) + 0.5) * 0x1p-24;
      for (size_t i = 0; i < 4; i += 2) {
        const double radius = std::sqrt(-2.0 * std::log(u[i]));
        const double angle = 2.0 * std::numbers::pi * u[i + 1];
        normal[i] = radius * std::cos(angle);
        normal[i + 1] = radius * std::sin(angle);
      }
    }
    for (int64_t i = std::max(begin, block * 4); i < std::min(end, block * 4 + 4); ++i)
      out[i] = static_cast<float>(norm ? 1.0 + options.norm_scale * normal[i % 4]
                                       : options.std * normal[i % 4]);
  }
}

}  // namespace kogrpo
