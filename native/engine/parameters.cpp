#include "engine/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <stdexcept>

#include "ops/philox.h"

namespace kogrpo {

void check_config(const ModelConfig& c) {
  constexpr int64_t kMostSize = INT32_MAX, kMostLayers = 4096;
  constexpr double kMostParameters = double(int64_t{1} << 46);  // 2^48 bytes: any address space
  for (const int64_t size :
       {c.vocab_size, c.hidden_size, c.intermediate_size, c.num_heads, c.num_kv_heads, c.head_dim})
    if (size < 1 || size > kMostSize)
      throw std::invalid_argument("config: sizes must be positive and below 2^31, not " +
                                  std::to_string(size));
  if (c.num_layers < 1 || c.num_layers > kMostLayers)
    throw std::invalid_argument("config: num_hidden_layers must be from 1 to " +
                                std::to_string(kMostLayers) + ", not " +
                                std::to_string(c.num_layers));
  if (c.num_labels < 0 || c.num_labels > kMostSize)
    throw std::invalid_argument("config: the number of labels must be from 0 to 2^31, not " +
                                std::to_string(c.num_labels));
  if (c.head_dim % 16 != 0 || c.num_heads % c.num_kv_heads != 0)
    throw std::invalid_argument(
        "config: head_dim must be a multiple of 16, num_attention_heads a multiple of "
        "num_key_value_heads");
  // In floating point, which cannot overflow; the integers below it then cannot either.
  const double h = double(c.hidden_size), d = double(c.head_dim);
  const double attention = h * d * (2 * double(c.num_heads) + 2 * double(c.num_kv_heads));
  const double layer = attention + 3 * h * double(c.intermediate_size) + 2 * h + 2 * d;
  const double ends = h * (double(c.vocab_size) + double(c.head_size()) + 1);
  if (double(c.num_layers) * layer + ends > kMostParameters)
    throw std::invalid_argument("config: a model of these sizes has more than 2^46 parameters");
}

namespace {

constexpr int64_t kMostRank = 65536;
constexpr std::string_view kLoraA = ".lora_A.weight", kLoraB = ".lora_B.weight";

// A projection, and the widths of its input and output.
struct Target {
  std::string_view block, name;
  int64_t in, out;
};
using Site = std::vector<Target>;

// The targets of a layer by the input they read, in the order of the model's parameters.
std::array<Site, 4> lora_sites(const ModelConfig& c) {
  const int64_t h = c.hidden_size, i = c.intermediate_size, q = c.q_size(), kv = c.kv_size();
  return {Site{{"self_attn.", "q_proj", h, q},
               {"self_attn.", "k_proj", h, kv},
               {"self_attn.", "v_proj", h, kv}},
          Site{{"self_attn.", "o_proj", q, h}},
          Site{{"mlp.", "gate_proj", h, i}, {"mlp.", "up_proj", h, i}},
          Site{{"mlp.", "down_proj", i, h}}};
}

std::string layer_prefix(int64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

}  // namespace

bool LoraConfig::has(std::string_view target) const {
  return rank > 0 && std::find(targets.begin(), targets.end(), target) != targets.end();
}

ParameterLayout::ParameterLayout(const ModelConfig& c, const LoraConfig& lora, int64_t alignment,
                                 bool integers)
    : integers_(integers), alignment_(alignment), blocks_(c.num_layers + 2) {
  add("model.embed_tokens.weight", c.vocab_size, c.hidden_size, true);
  for (int64_t l = 0; l < c.num_layers; ++l) {
    const std::string p = layer_prefix(l);
    block_ = l + 1;
    add(p + "input_layernorm.weight", 1, c.hidden_size, false);
    add(p + "self_attn.q_proj.weight", c.q_size(), c.hidden_size, true);
    add(p + "self_attn.k_proj.weight", c.kv_size(), c.hidden_size, true, true);
    add(p + "self_attn.v_proj.weight", c.kv_size(), c.hidden_size, true, true);
    add(p + "self_attn.q_norm.weight", 1, c.head_dim, false);
    add(p + "self_attn.k_norm.weight", 1, c.head_dim, false);
    add(p + "self_attn.o_proj.weight", c.hidden_size, c.q_size(), true);
    add(p + "post_attention_layernorm.weight", 1, c.hidden_size, false);
    add(p + "mlp.gate_proj.weight", c.intermediate_size, c.hidden_size, true);
    add(p + "mlp.up_proj.weight", c.intermediate_size, c.hidden_size, true, true);
    add(p + "mlp.down_proj.weight", c.hidden_size, c.intermediate_size, true);
  }
  block_ = blocks_ - 1;
  add("model.norm.weight", 1, c.hidden_size, false);
  if (c.num_labels > 0)
    add("score.weight", c.num_labels, c.hidden_size, true);
  else if (!c.tie_word_embeddings)
    add("lm_head.weight", c.vocab_size, c.hidden_size, true);
  align();
  model_total_ = total_;
  integers_ = false;  // adapters are small, and trained
  if (lora.rank != 0) add_adapters(c, lora);
  align();
}

void ParameterLayout::add(std::string name, int64_t rows, int64_t cols, bool decay, bool joined) {
  if (!joined) align();
  // The embedding, the first of all, is looked up: it stays fp32.
  const bool integers = integers_ && rows > 1 && !parameters_.empty();
  parameters_.push_back(
      {std::move(name), rows, cols, total_, decay, false, joined, integers, block_});
  if (!integers) total_ += rows * cols;
}

void ParameterLayout::add_adapters(const ModelConfig& config, const LoraConfig& lora) {
  if (lora.rank < 1 || lora.rank > kMostRank || !std::isfinite(lora.scale) || lora.targets.empty())
    throw std::invalid_argument(
        "lora: a rank from 1 to 65536, a finite scale and targets are needed");
  if (!(lora.dropout >= 0 && lora.dropout < 1))
    throw std::invalid_argument("lora: dropout must be in [0, 1), not " +
                                std::to_string(lora.dropout));
  const auto sites = lora_sites(config);
  for (const std::string& name : lora.targets)
    if (std::none_of(sites.begin(), sites.end(), [&](const Site& site) {
          return std::any_of(site.begin(), site.end(),
                             [&](const Target& t) { return t.name == name; });
        }))
      throw std::invalid_argument("lora: there is no projection named '" + name + "'");
  for (int64_t l = 0; l < config.num_layers; ++l) {
    block_ = l + 1;
    for (const Site& site : sites) {
      const auto each = [&](std::string_view suffix, bool joined, auto shape) {
        bool first = true;
        for (const Target& t : site) {
          if (!lora.has(t.name)) continue;
          const auto [rows, cols] = shape(t);
          std::string name = layer_prefix(l);
          name.append(t.block).append(t.name).append(suffix);
          add(std::move(name), rows, cols, true, joined && !first);
          parameters_.back().adapter = true;
          first = false;
        }
      };
      each(kLoraA, true, [&](const Target& t) { return std::pair(lora.rank, t.in); });
      each(kLoraB, false, [&](const Target& t) { return std::pair(t.out, lora.rank); });
    }
  }
}

const Parameter& ParameterLayout::find(std::string_view name) const {
  for (const Parameter& p : parameters_)
    if (p.name == name) return p;
  throw std::invalid_argument("the model has no parameter named '" + std::string(name) + "'");
}

ModelView::ModelView(const ModelConfig& c, const ParameterLayout& layout, const LoraConfig& lora,
                     const Locate& locate, DType type, Precision precision) {
  // Parameters are taken in the layout's order.
  size_t next = 0;
  const auto take = [&](int64_t rows, int64_t cols) {
    Tensor tensor = matrix(locate(layout.all()[next]), type, rows, cols);
    for (int64_t left = rows * cols; left > 0; ++next) left -= layout.all()[next].size();
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
  const bool tied = c.tie_word_embeddings && c.num_labels == 0;
  head = tied ? embed : take(c.head_size(), c.hidden_size);
  if (lora.rank == 0) return;

  // Adapters are small, and are never int8.
  const Precision of_adapters = precision == Precision::int8 ? Precision::f32 : precision;
  const auto sites = lora_sites(c);
  uint32_t place = 0;
  for (LayerView& w : layers) {
    LoraSite* const views[] = {&w.lora_qkv, &w.lora_o, &w.lora_gate_up, &w.lora_down};
    for (size_t s = 0; s < sites.size(); ++s) {
      LoraSite& view = *views[s];
      view.scale = lora.scale;
      int64_t column = 0;
      for (const Target& t : sites[s]) {
        if (lora.has(t.name)) view.targets.push_back({.column = column, .place = place});
        column += t.out;
        ++place;
      }
      if (view.targets.empty()) continue;
      view.a = take(static_cast<int64_t>(view.targets.size()) * lora.rank, sites[s][0].in);
      view.a.precision = of_adapters;
      size_t i = 0;
      for (const Target& t : sites[s])
        if (lora.has(t.name)) {
          view.targets[i].b = take(t.out, lora.rank);
          view.targets[i++].b.precision = of_adapters;
        }
    }
    place = (place + 7) / 8 * 8;
  }
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
  const bool norm = !parameter.decay, adapter = parameter.adapter;
  const bool zero = adapter && parameter.name.ends_with(kLoraB);
  const double bound = 1 / std::sqrt(static_cast<double>(parameter.cols));
  for (int64_t block = begin / 4; block * 4 < end; ++block) {
    double normal[4] = {0, 0, 0, 0}, u[4];
    if (!zero && (!norm || options.norm_scale != 0)) {
      const auto words = philox(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                name, 0, options.seed);
      for (size_t i = 0; i < 4; ++i) u[i] = ((words[i] >> 8) + 0.5) * 0x1p-24;
      for (size_t i = 0; i < 4 && !adapter; i += 2) {
        const double radius = std::sqrt(-2.0 * std::log(u[i]));
        const double angle = 2.0 * std::numbers::pi * u[i + 1];
        normal[i] = radius * std::cos(angle);
        normal[i + 1] = radius * std::sin(angle);
      }
    }
    for (int64_t i = std::max(begin, block * 4); i < std::min(end, block * 4 + 4); ++i) {
      double value = options.std * normal[i % 4];
      if (norm) value = 1.0 + options.norm_scale * normal[i % 4];
      if (adapter) value = zero ? 0.0 : bound * (2 * u[i % 4] - 1);
      out[i] = static_cast<float>(value);
    }
  }
}

}  // namespace kogrpo
