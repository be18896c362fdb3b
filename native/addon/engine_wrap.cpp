// NativeEngine itself: its methods' names, its life, its ranks, what it is made of. The other
// methods stand in engine_parameters.cpp, engine_train.cpp, engine_generate.cpp, engine_serve.cpp.

#include "addon/engine_wrap.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/results.h"
#include "comm/communicator.h"
#include "cpu/pool.h"
#include "engine/benchmarks.h"

namespace kogrpo {
namespace {

ModelConfig model_config(const Napi::Object& o) {
  ModelConfig c;
  c.vocab_size = integer(o, "vocabSize");
  c.hidden_size = integer(o, "hiddenSize");
  c.intermediate_size = integer(o, "intermediateSize");
  c.num_layers = integer(o, "numLayers");
  c.num_heads = integer(o, "numHeads");
  c.num_kv_heads = integer(o, "numKvHeads");
  c.head_dim = integer(o, "headDim");
  c.rms_norm_eps = static_cast<float>(number(o, "rmsNormEps"));
  c.rope_theta = number(o, "ropeTheta");
  c.tie_word_embeddings = boolean_or(o, "tieWordEmbeddings", false);
  c.bidirectional = boolean_or(o, "bidirectional", false);
  c.num_labels = integer_or(o, "numLabels", 0);
  return c;
}

Precision precision(const Napi::Value& value) {
  const std::string name = string(value, "dtype");
  if (name == "float32") return Precision::f32;
  if (name == "bfloat16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  throw bad(value.Env(), "dtype", "float32, bfloat16 or int8");
}

MomentType moment_type(const Napi::Value& value) {
  const std::string name = string(value, "moments");
  if (name == "float32") return MomentType::f32;
  if (name == "bfloat16") return MomentType::bf16;
  if (name == "8bit") return MomentType::eight_bit;
  throw bad(value.Env(), "moments", "float32, bfloat16 or 8bit");
}

Shard shard_of(const Napi::Value& value) {
  const std::string name = string(value, "shard");
  const std::array<std::string_view, 4> names{"none", "optimizer", "gradients", "parameters"};
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw bad(value.Env(), "shard", "none, optimizer, gradients or parameters");
  return static_cast<Shard>(found - names.begin());
}

MemoryOptions memory_options(const Napi::Object& o) {
  MemoryOptions use;
  use.training = boolean_or(o, "training", false);
  use.slots = integer_or(o, "slots", 0);
  use.micro_batch_tokens = integer_or(o, "microBatchTokens", 0);
  use.head_chunk_rows = integer_or(o, "headChunk", use.head_chunk_rows);
  use.cache_tokens = integer_or(o, "cacheTokens", 0);
  use.step_rows = integer_or(o, "stepRows", 0);
  use.ranks = int32_or(o, "ranks", 0);
  use.streamed = boolean_or(o, "streamed", false);
  if (const Napi::Value shard = o.Get("shard"); !shard.IsUndefined()) use.shard = shard_of(shard);
  return use;
}

}  // namespace

Napi::Function EngineWrap::define(Napi::Env env) {
  return DefineClass(env, "NativeEngine",
                     {
                         InstanceMethod<&EngineWrap::open>("open"),
                         InstanceMethod<&EngineWrap::close>("close"),
                         InstanceMethod<&EngineWrap::initialize>("initialize"),
                         InstanceMethod<&EngineWrap::load_parameters>("loadParameters"),
                         InstanceMethod<&EngineWrap::save_parameters>("saveParameters"),
                         InstanceMethod<&EngineWrap::rewrite_tensors>("rewriteTensors"),
                         InstanceMethod<&EngineWrap::read_parameter>("readParameter"),
                         InstanceMethod<&EngineWrap::write_parameter>("writeParameter"),
                         InstanceMethod<&EngineWrap::read_gradient>("readGradient"),
                         InstanceMethod<&EngineWrap::save_state>("saveState"),
                         InstanceMethod<&EngineWrap::load_state>("loadState"),
                         InstanceMethod<&EngineWrap::snapshot_state>("snapshotState"),
                         InstanceMethod<&EngineWrap::snapshot_parameters>("snapshotParameters"),
                         InstanceMethod<&EngineWrap::weight_digests>("weightDigests"),
                         InstanceMethod<&EngineWrap::forward_streaming>("forwardStreaming"),
                         InstanceMethod<&EngineWrap::trace>("trace"),
                         InstanceMethod<&EngineWrap::set_trainable>("setTrainable"),
                         InstanceMethod<&EngineWrap::update_slot>("updateSlot"),
                         InstanceMethod<&EngineWrap::forward>("forward"),
                         InstanceMethod<&EngineWrap::backward>("backward"),
                         InstanceMethod<&EngineWrap::release>("release"),
                         InstanceMethod<&EngineWrap::forward_backward>("forwardBackward"),
                         InstanceMethod<&EngineWrap::set_logit_scale>("setLogitScale"),
                         InstanceMethod<&EngineWrap::logits>("logits"),
                         InstanceMethod<&EngineWrap::activation_impact>("activationImpact"),
                         InstanceMethod<&EngineWrap::generate>("generate"),
                         InstanceMethod<&EngineWrap::serve_open>("serveOpen"),
                         InstanceMethod<&EngineWrap::serve_submit>("serveSubmit"),
                         InstanceMethod<&EngineWrap::serve_cancel>("serveCancel"),
                         InstanceMethod<&EngineWrap::serve_step>("serveStep"),
                         InstanceMethod<&EngineWrap::serve_close>("serveClose"),
                         InstanceMethod<&EngineWrap::join>("join"),
                         InstanceMethod<&EngineWrap::begin_turn>("beginTurn"),
                         InstanceMethod<&EngineWrap::accumulate>("accumulate"),
                         InstanceMethod<&EngineWrap::hold_weights>("holdWeights"),
                         InstanceMethod<&EngineWrap::all_gather_bytes>("allGatherBytes"),
                         InstanceMethod<&EngineWrap::zero_gradients>("zeroGradients"),
                         InstanceMethod<&EngineWrap::optimizer_step>("optimizerStep"),
                         InstanceMethod<&EngineWrap::reset_optimizer>("resetOptimizer"),
                         InstanceMethod<&EngineWrap::memory_use>("memoryUse"),
                         InstanceMethod<&EngineWrap::layout>("layout"),
                         InstanceMethod<&EngineWrap::benchmark>("benchmark"),
                     });
}

EngineWrap::EngineWrap(Info info)
    : Napi::ObjectWrap<EngineWrap>(info),
      engine_(std::make_shared<std::unique_ptr<Engine>>()),
      inbox_(std::make_shared<std::shared_ptr<RequestInbox>>()),
      thread_(std::make_unique<EngineThread>(info.Env())) {}

Napi::Promise EngineWrap::run(Info info, const Napi::Value& control,
                              std::function<ToJs(Engine&, JobControl&)> work) {
  return thread_->run(info.This().As<Napi::Object>(), Control::from(control),
                      [engine = engine_, work = std::move(work)](JobControl& c) {
                        if (!*engine) throw std::invalid_argument("the engine is closed");
                        return work(**engine, c);
                      });
}

Napi::Value EngineWrap::open(Info info) {
  const ModelConfig config = model_config(object(info[0], "config"));
  const Napi::Object o = object(info[1], "options");
  EngineOptions options;
  if (!o.Get("device").IsUndefined()) options.device = string(o.Get("device"), "device");
  options.deterministic = boolean_or(o, "deterministic", false);
  if (!o.Get("moments").IsUndefined()) options.moments = moment_type(o.Get("moments"));
  if (!o.Get("use").IsUndefined()) options.use = memory_options(object(o.Get("use"), "use"));
  options.threads = int32_or(o, "threads", 0);
  options.recompute = boolean_or(o, "gradientCheckpointing", false);
  options.lm_head_chunk = integer_or(o, "lmHeadChunk", 0);
  if (!o.Get("dtype").IsUndefined()) options.precision = precision(o.Get("dtype"));
  if (!o.Get("lora").IsUndefined()) {
    const Napi::Object lora = object(o.Get("lora"), "lora");
    options.lora = {
        .rank = integer(lora, "rank"),
        .scale = static_cast<float>(number(lora, "scale")),
        .dropout = number_or(lora, "dropout", 0),
        .seed = static_cast<uint64_t>(integer_or(lora, "seed", 0)),
        .targets = strings(lora.Get("targets"), "targets"),
    };
  }
  return thread_->run(
      info.This().As<Napi::Object>(), nullptr, [engine = engine_, config, options](JobControl&) {
        *engine = std::make_unique<Engine>(config, options);
        Device& device = (*engine)->device();
        const int threads = options.threads > 0 ? options.threads : default_threads();
        const std::string isa(device.ops().name()), name = device.name();
        const std::string plan = (*engine)->memory_table();
        return [threads, isa, name, plan](Napi::Env env) -> Napi::Value {
          Napi::Object result = Napi::Object::New(env);
          result.Set("threads", threads);
          result.Set("isa", isa);
          result.Set("device", name);
          result.Set("memoryPlan", plan);
          return result;
        };
      });
}

Napi::Value EngineWrap::close(Info info) {
  const auto work = [engine = engine_](JobControl&) {
    engine->reset();
    return undefined();
  };
  return thread_->run(info.This().As<Napi::Object>(), nullptr, work, EngineThread::Then::end);
}

Napi::Value EngineWrap::join(Info info) {
  const Napi::Object o = object(info[0], "options");
  StoreOptions store;
  store.host = string(o.Get("host"), "host");
  store.port = int32(o, "port");
  store.run = string(o.Get("run"), "run");
  store.rank = int32(o, "rank");
  store.size = int32(o, "size");
  store.patience_s = number(o, "patience");
  store.limit_s = number(o, "limit");
  const Shard shard = shard_of(o.Get("shard"));
  return run(info, info[1], [store, shard](Engine& engine, JobControl&) {
    engine.join(connect_ranks(store, engine.device()), shard);
    return undefined();
  });
}

Napi::Value EngineWrap::begin_turn(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [contributors = int32(o, "contributors"), label = string(o.Get("label"), "label")](
                 Engine& engine, JobControl&) {
               engine.begin_turn(contributors, label);
               return undefined();
             });
}

Napi::Value EngineWrap::hold_weights(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [slots = boolean_or(o, "slots", false), label = string(o.Get("label"), "label")](
                 Engine& engine, JobControl&) {
               engine.hold_weights(slots, label);
               return undefined();
             });
}

Napi::Value EngineWrap::accumulate(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    engine.accumulate();
    return undefined();
  });
}

Napi::Value EngineWrap::all_gather_bytes(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [bytes = array<uint8_t>(o.Get("bytes"), "bytes"),
              label = string(o.Get("label"), "label")](Engine& engine, JobControl&) {
               auto all = engine.ranks().communicator().all_gather_bytes(bytes, label);
               return [all = std::move(all)](Napi::Env env) -> Napi::Value {
                 Napi::Array out = Napi::Array::New(env, all.size());
                 for (size_t i = 0; i < all.size(); ++i)
                   out.Set(static_cast<uint32_t>(i), to_js(env, all[i]));
                 return out;
               };
             });
}

Napi::Value EngineWrap::memory_use(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    return [use = engine.memory_use()](Napi::Env env) -> Napi::Value {
      Napi::Object o = Napi::Object::New(env);
      o.Set("parameters", static_cast<double>(use.parameters));
      o.Set("gradients", static_cast<double>(use.gradients));
      o.Set("moments", static_cast<double>(use.moments));
      o.Set("slots", static_cast<double>(use.slots));
      o.Set("mostGathered", static_cast<double>(use.most_gathered));
      return o;
    };
  });
}

Napi::Value EngineWrap::layout(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    return [all = engine.layout().all()](Napi::Env env) -> Napi::Value {
      Napi::Array out = Napi::Array::New(env, all.size());
      for (size_t i = 0; i < all.size(); ++i) {
        Napi::Object o = Napi::Object::New(env);
        o.Set("name", all[i].name);
        o.Set("rows", static_cast<double>(all[i].rows));
        o.Set("cols", static_cast<double>(all[i].cols));
        o.Set("offset", static_cast<double>(all[i].offset));
        o.Set("decay", all[i].decay);
        out.Set(static_cast<uint32_t>(i), o);
      }
      return out;
    };
  });
}

Napi::Value EngineWrap::benchmark(Info info) {
  const Napi::Object o = object(info[0], "options");
  BenchmarkOptions options;
  options.kind = string(o.Get("kind"), "kind");
  options.m = integer_or(o, "m", 0);
  options.n = integer_or(o, "n", 0);
  options.k = integer_or(o, "k", 0);
  options.batch = integer_or(o, "batch", 0);
  options.seq = integer_or(o, "seq", 0);
  options.runs = integer_or(o, "runs", options.runs);
  options.warm_up = integer_or(o, "warmUp", options.warm_up);
  options.seed = static_cast<uint64_t>(integer_or(o, "seed", 0));
  return run(info, info[1], [options](Engine& engine, JobControl& control) {
    return [times = run_benchmark(engine.device(), engine.config(), options, control.abort)](
               Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      result.Set("seconds", to_js(env, times.seconds));
      result.Set("peakFlops", to_js(env, times.peak_flops));
      return result;
    };
  });
}

}  // namespace kogrpo
