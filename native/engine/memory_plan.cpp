#include "engine/memory_plan.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include "engine/data_parallel.h"
#include "engine/parameters.h"
#include "engine/trainable.h"
#include "ops/ops.h"

namespace kogrpo {
namespace {

constexpr int64_t kLibraryWorkspace = int64_t{64} << 20;  // of the matrix products
constexpr int64_t kContext = int64_t{640} << 20;          // the driver's own: context, code, stacks

std::string number(int64_t n) {
  return std::to_string(n);
}
std::string gib(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f GiB", double(bytes) / double(int64_t{1} << 30));
  return text;
}

// Bytes that a token keeps in one layer until its backward; `e` bytes per element.
int64_t layer_bytes(const ModelConfig& c, Recompute recompute, int64_t e) {
  const int64_t x0 = c.hidden_size * e;
  if (recompute == Recompute::block) return x0;
  const int64_t qkv = c.qkv_size() * e, qk = (c.q_size() + c.kv_size()) * e;
  const int64_t attention = c.q_size() * e + c.num_heads * 4;  // output, lse
  int64_t bytes = x0 + qkv + qk + attention + c.hidden_size * e /* x1 */ + 2 * 4 /* rstd */;
  if (recompute == Recompute::feed_forward) return bytes;
  bytes += 2 * c.intermediate_size * e;  // gate|up
  if (recompute == Recompute::norm_swiglu) return bytes;
  return bytes + 2 * c.hidden_size * e + c.intermediate_size * e;  // norms' outputs, SwiGLU's
}

// Scratch of one layer's forward and backward, per token: normed, act, dact, dgate|up, dh, dattn,
// dqk, dqkv, dx, x2; and, where a block runs again, one layer's activations.
int64_t scratch_bytes(const ModelConfig& c, Recompute recompute, int64_t e) {
  const int64_t h = c.hidden_size, i = c.intermediate_size, q = c.q_size(), kv = c.kv_size();
  const int64_t work = (4 * h + 4 * i + q + (q + kv) + (q + 2 * kv)) * e + c.num_heads * 4;
  const int64_t again = layer_bytes(c, Recompute::norm_swiglu, e) - layer_bytes(c, recompute, e);
  return work + std::max<int64_t>(again, 0);
}

// Elements that a rank holds of the trained run (the largest share) and, where weights are in
// pieces, of the frozen one; of rooms that blocks use in turns, for gradients and for weights.
struct Shares {
  int64_t held = 0, frozen = 0, rooms = 0, weight_rooms = 0, staging = 0;
};

Shares shares(const ModelConfig& c, const MemoryOptions& o) {
  const ParameterLayout layout(c, o.lora, o.bf16 ? kMomentBlock : 1);
  const Trainable trained(layout);
  const auto partition = [&](const Trainable& run) {
    return Partition(run.units(layout), o.ranks, layout.alignment());
  };
  const auto largest = [&](const Partition& of) {
    int64_t most = 0;
    for (int r = 0; r < o.ranks; ++r) {
      const std::vector<Held> held = of.held(r);
      most = std::max(most, held.empty() ? 0 : held.back().at + held.back().run.size());
    }
    return most;
  };
  const Partition own = partition(trained),
                  other =
                      partition(o.shard == Shard::parameters ? trained.rest(layout) : Trainable());
  std::vector<Unit> units = own.units();
  Shares all;
  all.held = largest(own);
  all.frozen = largest(other);
  all.rooms = Rooms::in_turns(units, layout.blocks(), c.tie_word_embeddings).size;
  units.insert(units.end(), other.units().begin(), other.units().end());
  all.weight_rooms = Rooms::in_turns(units, layout.blocks(), c.tie_word_embeddings).size;
  for (const Partition* of : {&own, &other})
    for (size_t u = 0; u < of->units().size(); ++u)
      all.staging = std::max(all.staging,
                             2 * std::min(kStaging, of->longest_piece(u) * o.ranks * int64_t{4}));
  return all;
}

// Elements of the adapters.
int64_t adapter_elements(const ModelConfig& c, const LoraConfig& lora) {
  const ParameterLayout layout(c, lora);
  return layout.total() - layout.model_total();
}

// Scratch of the adapters' products, per token: u and du of the site with most rows (q, k and v
// have one input, so have gate and up), and with dropout one masked input.
int64_t adapter_scratch_bytes(const ModelConfig& c, const LoraConfig& lora, int64_t e) {
  int64_t most = 1;
  for (const auto& site : {std::vector<const char*>{"q_proj", "k_proj", "v_proj"},
                           std::vector<const char*>{"gate_proj", "up_proj"}})
    most = std::max<int64_t>(most, std::count_if(site.begin(), site.end(), [&](const char* target) {
                               return lora.has(target);
                             }));
  const int64_t input = std::max({c.hidden_size, c.intermediate_size, c.q_size()});
  return (2 * most * lora.rank + (lora.dropout > 0 ? input : 0)) * e;
}

struct Knob {
  std::string name;
  MemoryOptions options;
};

std::vector<Knob> knobs(const MemoryOptions& now) {
  std::vector<Knob> all;
  const auto add = [&](const std::string& name, const std::function<void(MemoryOptions&)>& turn) {
    MemoryOptions o = now;
    turn(o);
    all.push_back({name, o});
  };
  if (now.training) {
    if (now.moments != MomentType::eight_bit)
      add("8-bit moments", [](auto& o) { o.moments = MomentType::eight_bit; });
    if (now.bf16 && now.master == MasterWeights::fp32)
      add("master weights as 16-bit remainders",
          [](auto& o) { o.master = MasterWeights::remainder; });
    if (now.recompute < Recompute::norm_swiglu)
      add("recompute norm and SwiGLU", [](auto& o) { o.recompute = Recompute::norm_swiglu; });
    if (now.recompute < Recompute::feed_forward)
      add("recompute the feed-forward", [](auto& o) { o.recompute = Recompute::feed_forward; });
    if (now.recompute < Recompute::block)
      add("recompute whole blocks", [](auto& o) { o.recompute = Recompute::block; });
    if (now.micro_batch_tokens > 1)
      add("half the tokens of a micro-batch", [](auto& o) { o.micro_batch_tokens /= 2; });
  }
  if (now.ranks > 1 && now.shard < Shard::parameters)
    add("shard: parameters", [](auto& o) { o.shard = Shard::parameters; });
  if (now.ranks > 1 && now.shard == Shard::parameters && !now.streamed)
    add("rollout_weights: streamed", [](auto& o) { o.streamed = true; });
  if (!now.bf16) add("bf16 instead of fp32", [](auto& o) { o.bf16 = true; });
  if (now.slots > 0) add("one parameter slot fewer", [](auto& o) { --o.slots; });
  if (now.head_chunk_rows > 128)
    add("a quarter of the LM head's chunk", [](auto& o) { o.head_chunk_rows /= 4; });
  if (now.cache_tokens > 0) add("half the key/value cache", [](auto& o) { o.cache_tokens /= 2; });
  return all;
}

}  // namespace

int64_t MemoryPlan::total(Phase phase) const {
  int64_t sum = 0;
  for (const MemoryItem& item : items) sum += item.phase == phase ? item.bytes : 0;
  return sum;
}

int64_t MemoryPlan::peak() const {
  return total(Phase::always) + std::max(total(Phase::training), total(Phase::generation));
}

std::string MemoryPlan::table() const {
  static constexpr const char* kNames[] = {"always", "while training", "while generating"};
  std::string text;
  for (const Phase phase : {Phase::always, Phase::training, Phase::generation}) {
    std::vector<MemoryItem> rows;
    for (const MemoryItem& item : items)
      if (item.phase == phase && item.bytes > 0) rows.push_back(item);
    if (rows.empty()) continue;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    text += std::string(kNames[int(phase)]) + ": " + gib(total(phase)) + "\n";
    for (const MemoryItem& r : rows) {
      char line[256];
      std::snprintf(line, sizeof line, "  %12s  %-28s %s\n", gib(r.bytes).c_str(), r.name.c_str(),
                    r.arithmetic.c_str());
      text += line;
    }
  }
  return text + "peak: " + gib(peak()) + "\n";
}

MemoryPlan plan_memory(const ModelConfig& c, const MemoryOptions& o) {
  const bool lora = o.lora.rank > 0;
  const int64_t n = ParameterLayout(c).total(), e = o.bf16 ? 2 : 4;
  // What training moves, and what slots and all of its state are of.
  const int64_t trained = lora ? adapter_elements(c, o.lora) : n;
  MemoryPlan plan;
  const auto add = [&](const char* name, Phase phase, int64_t bytes, const std::string& how) {
    plan.items.push_back({name, bytes, phase, how});
  };
  add("driver's context", Phase::always, kContext, "a reserve");
  add("products' workspace", Phase::always, kLibraryWorkspace, "");
  // Among ranks: pieces of the state, and what passes whole through rooms.
  const Shares s = o.training && o.ranks > 0 ? shares(c, o) : Shares{};
  const auto divided = [&](Shard from) { return s.held > 0 && o.shard >= from; };
  const auto per_piece = [&](const char* name, Phase phase, Shard from, int64_t bytes) {
    const int64_t count = divided(from) ? s.held : trained;
    add(name, phase, count * bytes, number(count) + " × " + number(bytes));
  };
  const bool pieces = divided(Shard::parameters),
             master = o.training && o.bf16 && o.master != MasterWeights::none;
  const int64_t low = !master ? 0 : o.master == MasterWeights::fp32 ? 4 : 2;
  const int64_t frozen = pieces ? s.frozen : n, whole = lora ? n * e : 0;
  if (lora) add("frozen weights", Phase::always, frozen * e, number(frozen) + " × " + number(e));
  per_piece(lora ? "adapters" : "weights", Phase::always, Shard::parameters, e);
  if (pieces) {
    add("rooms for weights", Phase::always, s.weight_rooms * e,
        number(s.weight_rooms) + " × " + number(e));
    if (!o.streamed)
      add("whole weights", Phase::generation, whole + trained * (e + low),
          (lora ? number(n) + " × " + number(e) + " + " : "") + number(trained) + " × " +
              number(e + low));
  }
  if (o.slots > 0) {
    const int64_t each = pieces ? s.held : trained;
    add("parameter slots", Phase::always, o.slots * each * e,
        number(o.slots) + " × " + number(each) + " × " + number(e));
    if (pieces && !o.streamed)
      add("whole slots", Phase::generation, o.slots * trained * e,
          number(o.slots) + " × " + number(trained) + " × " + number(e));
  }

  int64_t gradients = 0;
  if (o.training) {
    if (master) per_piece("master weights", Phase::always, Shard::parameters, low);
    const int64_t moments = divided(Shard::optimizer) ? s.held : trained;
    if (o.moments == MomentType::eight_bit) {
      const int64_t scales = 2 * ((moments + kMomentBlock - 1) / kMomentBlock) * 4;
      add("moments", Phase::always, 2 * moments + scales,
          "2 × " + number(moments) + " × 1 + scales of " + number(kMomentBlock));
    } else {
      const int64_t each = o.moments == MomentType::bf16 ? 4 : 8;
      add("moments", Phase::always, moments * each, number(moments) + " × " + number(each));
    }
    const int64_t wide = divided(Shard::gradients) ? s.rooms : trained;
    gradients = wide * e;
    add("gradients", Phase::training, gradients, number(wide) + " × " + number(e));
    if (s.held > 0) {
      add("sum over ranks", Phase::always, s.held * 4, number(s.held) + " × 4");
      add("ranks' transfers", Phase::always, s.staging, "sent and received");
    }
    const int64_t t = o.micro_batch_tokens;
    const int64_t kept = layer_bytes(c, o.recompute, e);
    add("activations", Phase::training, t * c.num_layers * kept,
        number(t) + " tokens × " + number(c.num_layers) + " layers × " + number(kept));
    const int64_t ends = (3 * c.hidden_size) * e + 4;  // last residual, its norm, its gradient
    const int64_t scratch =
        scratch_bytes(c, o.recompute, e) + ends + (lora ? adapter_scratch_bytes(c, o.lora, e) : 0);
    add("a layer's scratch", Phase::training, t * scratch,
        number(t) + " tokens × " + number(scratch));
    add("LM head's chunk", Phase::training,
        o.head_chunk_rows * (c.vocab_size * 4 + 2 * c.hidden_size * e),
        number(o.head_chunk_rows) + " rows × (" + number(c.vocab_size) + " × 4 + " +
            number(2 * c.hidden_size * e) + ")");
  }

  if (o.cache_tokens > 0) {
    const int64_t pages = (o.cache_tokens + kPageTokens - 1) / kPageTokens;
    const int64_t page = 2 * c.num_layers * c.kv_size() * kPageTokens * e;
    add("keys and values", Phase::generation, pages * page,
        number(pages) + " pages × " + number(page));
    // The gradients' memory is there anyway; what does not fit into it is further memory.
    if (gradients > 0)
      add("gradients' memory, unused part", Phase::generation,
          std::max<int64_t>(gradients - pages * page, 0), "lent to keys and values");
    const int64_t row =
        (4 * c.hidden_size + 3 * c.intermediate_size + 3 * c.q_size() + 3 * c.kv_size()) * e +
        c.vocab_size * 4;
    add("a step's rows and logits", Phase::generation, o.step_rows * row,
        number(o.step_rows) + " rows × " + number(row));
  }
  return plan;
}

void require_memory(const ModelConfig& config, const MemoryOptions& options, int64_t available) {
  const MemoryPlan plan = plan_memory(config, options);
  const int64_t peak = plan.peak();
  if (peak <= available) return;
  std::vector<std::pair<int64_t, std::string>> gains;
  for (const Knob& knob : knobs(options)) {
    const int64_t gain = peak - plan_memory(config, knob.options).peak();
    if (gain > 0) gains.emplace_back(gain, knob.name);
  }
  std::stable_sort(gains.begin(), gains.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string message = "the model does not fit: " + gib(peak) + " needed, " + gib(available) +
                        " available, " + gib(peak - available) + " too much\n" + plan.table();
  for (const auto& [gain, name] : gains)
    message +=
        "  " + name + " frees " + gib(gain) + (peak - gain <= available ? " (enough)\n" : "\n");
  throw std::invalid_argument(message);
}

}  // namespace kogrpo
