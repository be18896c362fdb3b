#include "addon/engine_wrap.h"

#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "comm/communicator.h"
#include "engine/benchmarks.h"
#include "engine/rewrite.h"

namespace kogrpo {
namespace {

ToJs undefined() {
  return [](Napi::Env env) { return env.Undefined(); };
}

template <class T>
ToJs typed(std::vector<T> values) {
  return [values = std::move(values)](Napi::Env env) { return to_js(env, values); };
}

ToJs token_values(TokenValues values, int64_t handle) {
  return [values = std::move(values), handle](Napi::Env env) {
    Napi::Object o = Napi::Object::New(env);
    o.Set("logprobs", to_js(env, values.logprobs));
    o.Set("entropies", to_js(env, values.entropies));
    o.Set("correct", to_js(env, values.correct));
    if (handle != 0) o.Set("handle", Napi::Number::New(env, static_cast<double>(handle)));
    return static_cast<Napi::Value>(o);
  };
}

// Owns what BatchArguments points into.
struct OwnedBatch {
  std::vector<int32_t> tokens, cu_seqlens, prefixes;
  std::vector<uint8_t> mask;
  float temperature = 1.0f;
  int64_t vocab_limit = 0;

  explicit OwnedBatch(const Napi::Object& o)
      : tokens(array<int32_t>(o.Get("tokens"), "tokens")),
        cu_seqlens(array<int32_t>(o.Get("cuSeqlens"), "cuSeqlens")),
        prefixes(array_or_empty<int32_t>(o.Get("prefixes"), "prefixes")),
        mask(array_or_empty<uint8_t>(o.Get("mask"), "mask")),
        temperature(static_cast<float>(number_or(o, "temperature", 1.0))),
        vocab_limit(integer_or(o, "vocabLimit", 0)) {}

  BatchArguments arguments() const {
    return {tokens, cu_seqlens, mask, temperature, vocab_limit, prefixes};
  }
};

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
  return c;
}

DType dtype(const Napi::Value& value) {
  const std::string name = string(value, "dtype");
  if (name == "F32") return DType::f32;
  if (name == "BF16") return DType::bf16;
  if (name == "F16") return DType::f16;
  throw bad(value.Env(), "dtype", "F32, BF16 or F16");
}

}  // namespace

GenerateRequest generate_request(const Napi::Object& o) {
  GenerateRequest r;
  r.prompt = array<int32_t>(o.Get("tokens"), "tokens");
  r.max_new_tokens = integer(o, "maxNewTokens");
  r.stop_tokens = array_or_empty<int32_t>(o.Get("stopTokens"), "stopTokens");
  r.sampling.temperature = static_cast<float>(number_or(o, "temperature", 1.0));
  r.sampling.top_k = static_cast<int32_t>(integer_or(o, "topK", 0));
  r.sampling.top_p = static_cast<float>(number_or(o, "topP", 1.0));
  r.sampling.min_p = static_cast<float>(number_or(o, "minP", 0.0));
  r.sampling.seed = static_cast<uint64_t>(integer_or(o, "seed", 0));
  r.sampling.stream = static_cast<uint64_t>(integer_or(o, "stream", 0));
  r.logprobs = static_cast<int32_t>(integer_or(o, "logprobs", -1));
  r.prompt_logprobs = boolean_or(o, "promptLogprobs", false);
  return r;
}

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
                         InstanceMethod<&EngineWrap::update_slot>("updateSlot"),
                         InstanceMethod<&EngineWrap::forward>("forward"),
                         InstanceMethod<&EngineWrap::backward>("backward"),
                         InstanceMethod<&EngineWrap::release>("release"),
                         InstanceMethod<&EngineWrap::forward_backward>("forwardBackward"),
                         InstanceMethod<&EngineWrap::set_logit_scale>("setLogitScale"),
                         InstanceMethod<&EngineWrap::logits>("logits"),
                         InstanceMethod<&EngineWrap::generate>("generate"),
                         InstanceMethod<&EngineWrap::serve_open>("serveOpen"),
                         InstanceMethod<&EngineWrap::serve_submit>("serveSubmit"),
                         InstanceMethod<&EngineWrap::serve_cancel>("serveCancel"),
                         InstanceMethod<&EngineWrap::serve_step>("serveStep"),
                         InstanceMethod<&EngineWrap::serve_close>("serveClose"),
                         InstanceMethod<&EngineWrap::join>("join"),
                         InstanceMethod<&EngineWrap::accumulate>("accumulate"),
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
  options.threads = static_cast<int>(integer_or(o, "threads", 0));
  options.recompute = boolean_or(o, "gradientCheckpointing", false);
  options.lm_head_chunk = integer_or(o, "lmHeadChunk", 0);
  options.precision = boolean_or(o, "bfloat16", false) ? Precision::bf16 : Precision::f32;
  return thread_->run(info.This().As<Napi::Object>(), nullptr,
                      [engine = engine_, config, options](JobControl&) {
                        *engine = std::make_unique<Engine>(config, options);
                        const int threads = (*engine)->ops().threads();
                        const std::string isa((*engine)->ops().name());
                        return [threads, isa](Napi::Env env) -> Napi::Value {
                          Napi::Object result = Napi::Object::New(env);
                          result.Set("threads", threads);
                          result.Set("isa", isa);
                          return result;
                        };
                      });
}

Napi::Value EngineWrap::close(Info info) {
  return thread_->run(info.This().As<Napi::Object>(), nullptr, [engine = engine_](JobControl&) {
    engine->reset();
    return undefined();
  });
}

Napi::Value EngineWrap::initialize(Info info) {
  const Napi::Object o = object(info[0], "init");
  const InitOptions options{static_cast<uint64_t>(integer(o, "seed")), number_or(o, "std", 0.02),
                            number_or(o, "normScale", 0.0)};
  return run(info, info[1], [options](Engine& engine, JobControl&) {
    engine.initialize(options);
    return undefined();
  });
}

Napi::Value EngineWrap::load_parameters(Info info) {
  struct Entry {
    std::string name, file;
    int64_t begin;
    DType dtype;
  };
  std::vector<Entry> entries;
  const auto list = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object o = object(list.Get(i), "tensors[" + std::to_string(i) + "]");
    entries.push_back({string(o.Get("name"), "name"), string(o.Get("file"), "file"),
                       integer(o, "begin"), dtype(o.Get("dtype"))});
  }
  return run(info, info[1], [entries = std::move(entries)](Engine& engine, JobControl& control) {
    for (const Entry& e : entries) {
      control.abort.check();
      engine.load_parameter(e.name, e.file, e.begin, e.dtype);
      control.progress += 1;
    }
    return undefined();
  });
}

Napi::Value EngineWrap::save_parameters(Info info) {
  std::vector<std::string> names;
  const auto list = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) names.push_back(string(list.Get(i), "name"));
  return run(info, info[4],
             [path = string(info[0], "path"), header = array<uint8_t>(info[1], "header"),
              names = std::move(names), type = dtype(info[3])](Engine& engine, JobControl&) {
               engine.save_parameters(path, header, names, type);
               return undefined();
             });
}

// Needs no open engine, only its thread.
Napi::Value EngineWrap::rewrite_tensors(Info info) {
  std::vector<TensorSource> sources;
  const auto list = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object o = object(list.Get(i), "sources[" + std::to_string(i) + "]");
    sources.push_back({string(o.Get("file"), "file"), integer(o, "begin"), dtype(o.Get("dtype")),
                       integer(o, "rows"), integer(o, "cols"),
                       array_or_empty<float>(o.Get("rowScale"), "rowScale")});
  }
  return thread_->run(info.This().As<Napi::Object>(), Control::from(info[4]),
                      [path = string(info[0], "path"), header = array<uint8_t>(info[1], "header"),
                       sources = std::move(sources), type = dtype(info[3])](JobControl& control) {
                        kogrpo::rewrite_tensors(
                            path, header, sources, type, [&] { control.progress += 1; },
                            control.abort);
                        return undefined();
                      });
}

Napi::Value EngineWrap::read_parameter(Info info) {
  return run(info, info[1], [name = string(info[0], "name")](Engine& engine, JobControl&) {
    return typed(engine.read_parameter(name));
  });
}

Napi::Value EngineWrap::write_parameter(Info info) {
  return run(info, info[2],
             [name = string(info[0], "name"), values = array<float>(info[1], "values")](
                 Engine& engine, JobControl&) {
               engine.write_parameter(name, values);
               return undefined();
             });
}

Napi::Value EngineWrap::read_gradient(Info info) {
  return run(info, info[1], [name = string(info[0], "name")](Engine& engine, JobControl&) {
    return typed(engine.read_gradient(name));
  });
}

Napi::Value EngineWrap::save_state(Info info) {
  return run(info, info[1], [path = string(info[0], "path")](Engine& engine, JobControl&) {
    engine.save_state(path);
    return undefined();
  });
}

Napi::Value EngineWrap::load_state(Info info) {
  return run(info, info[1], [path = string(info[0], "path")](Engine& engine, JobControl&) {
    engine.load_state(path);
    return undefined();
  });
}

Napi::Value EngineWrap::update_slot(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [slot = string(o.Get("slot"), "slot"), alpha = static_cast<float>(number(o, "alpha"))](
                 Engine& engine, JobControl&) {
               engine.update_slot(slot, alpha);
               return undefined();
             });
}

Napi::Value EngineWrap::forward(Info info) {
  const Napi::Object o = object(info[0], "batch");
  return run(info, info[1],
             [batch = OwnedBatch(o), keep = boolean_or(o, "keep", false),
              slot = o.Get("slot").IsUndefined() ? "policy" : string(o.Get("slot"), "slot")](
                 Engine& engine, JobControl& control) {
               int64_t handle = 0;
               TokenValues values =
                   engine.forward(batch.arguments(), slot, keep, &handle, control.abort);
               return token_values(std::move(values), handle);
             });
}

Napi::Value EngineWrap::backward(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [handle = integer(o, "handle"), coef = array<float>(o.Get("coef"), "coef"),
              entropy = array_or_empty<float>(o.Get("entropyCoef"), "entropyCoef")](
                 Engine& engine, JobControl& control) {
               engine.backward(handle, coef, entropy, control.abort);
               return undefined();
             });
}

Napi::Value EngineWrap::release(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1], [handle = integer(o, "handle")](Engine& engine, JobControl&) {
    engine.release(handle);
    return undefined();
  });
}

Napi::Value EngineWrap::forward_backward(Info info) {
  const Napi::Object o = object(info[0], "batch");
  return run(info, info[1],
             [batch = OwnedBatch(o), coef = array<float>(o.Get("coef"), "coef"),
              entropy = array_or_empty<float>(o.Get("entropyCoef"), "entropyCoef")](
                 Engine& engine, JobControl& control) {
               return token_values(
                   engine.forward_backward(batch.arguments(), coef, entropy, control.abort), 0);
             });
}

Napi::Value EngineWrap::set_logit_scale(Info info) {
  return run(info, info[1],
             [scale = array_or_empty<float>(info[0], "scale")](Engine& engine, JobControl&) {
               engine.set_logit_scale(scale);
               return undefined();
             });
}

Napi::Value EngineWrap::logits(Info info) {
  return run(info, info[2],
             [tokens = array<int32_t>(info[0], "tokens"),
              positions = array<int32_t>(info[1], "positions")](Engine& engine, JobControl&) {
               return typed(engine.logits(tokens, positions));
             });
}

namespace {
Napi::Object completion(Napi::Env env, const GenerateResult& result) {
  Napi::Object r = Napi::Object::New(env);
  r.Set("tokens", to_js(env, result.tokens));
  r.Set("logprobs", to_js(env, result.logprobs));
  r.Set("finishReason", result.reason == FinishReason::stop ? "stop" : "length");
  return r;
}
}  // namespace

Napi::Value EngineWrap::generate(Info info) {
  const auto list = info[0].As<Napi::Array>();
  std::vector<GenerateRequest> requests;
  for (uint32_t i = 0; i < list.Length(); ++i)
    requests.push_back(
        generate_request(object(list.Get(i), "requests[" + std::to_string(i) + "]")));
  const Napi::Object o = object(info[1], "options");
  GenerateOptions options;
  options.vocab_limit = integer_or(o, "vocabLimit", 0);
  options.max_sequences = integer_or(o, "maxSequences", options.max_sequences);
  options.max_cache_bytes = integer_or(o, "maxCacheBytes", 0);
  options.prefill_rows = integer_or(o, "prefillRows", options.prefill_rows);
  const bool stream = boolean_or(o, "stream", false);
  return run(
      info, info[2],
      [requests = std::move(requests), options, stream](Engine& engine, JobControl& control) {
        OnFinish on_finish;
        if (stream)
          on_finish = [&](size_t place, const GenerateResult& result) {
            control.post([place, result](Napi::Env env) -> Napi::Value {
              Napi::Object r = completion(env, result);
              r.Set("place", static_cast<double>(place));
              return r;
            });
          };
        std::vector<GenerateResult> results = engine.generate(
            requests, options, [&](int64_t done) { control.progress = done; }, control.abort,
            on_finish);
        return [results = std::move(results)](Napi::Env env) -> Napi::Value {
          Napi::Array out = Napi::Array::New(env, results.size());
          for (size_t i = 0; i < results.size(); ++i)
            out.Set(static_cast<uint32_t>(i), completion(env, results[i]));
          return out;
        };
      });
}

Napi::Value EngineWrap::join(Info info) {
  const Napi::Object o = object(info[0], "options");
  StoreOptions store;
  store.host = string(o.Get("host"), "host");
  store.port = static_cast<int>(integer(o, "port"));
  store.run = string(o.Get("run"), "run");
  store.rank = static_cast<int>(integer(o, "rank"));
  store.size = static_cast<int>(integer(o, "size"));
  store.patience_s = number(o, "patience");
  store.limit_s = number(o, "limit");
  const std::string name = string(o.Get("shard"), "shard");
  if (name != "none" && name != "optimizer") throw bad(info.Env(), "shard", "none or optimizer");
  const Shard shard = name == "none" ? Shard::none : Shard::optimizer;
  return run(info, info[1], [store, shard](Engine& engine, JobControl&) {
    if (store.size == 1)
      engine.join(make_single(), shard);
    else
      engine.join(make_gloo(store.rank, store.size, connect_store(store), store.patience_s), shard);
    return undefined();
  });
}

Napi::Value EngineWrap::accumulate(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [contributors = static_cast<int>(integer(o, "contributors")),
              label = string(o.Get("label"), "label")](Engine& engine, JobControl&) {
               engine.accumulate(contributors, label);
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

Napi::Value EngineWrap::zero_gradients(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    engine.zero_gradients();
    return undefined();
  });
}

Napi::Value EngineWrap::optimizer_step(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  const OptimizerArguments a{static_cast<float>(number(o, "learningRate")),
                             static_cast<float>(number_or(o, "beta1", 0.9)),
                             static_cast<float>(number_or(o, "beta2", 0.999)),
                             static_cast<float>(number_or(o, "epsilon", 1e-8)),
                             static_cast<float>(number_or(o, "weightDecay", 0)),
                             static_cast<float>(number_or(o, "maxGradNorm", 0))};
  const std::string label = o.Get("label").IsUndefined() ? "" : string(o.Get("label"), "label");
  return run(info, info[1], [a, label](Engine& engine, JobControl&) {
    const double norm = engine.optimizer_step(a, label);
    return [norm](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, norm); };
  });
}

Napi::Value EngineWrap::reset_optimizer(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    engine.reset_optimizer();
    return undefined();
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
    return [times = run_benchmark(engine.ops(), engine.config(), options, control.abort)](
               Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      result.Set("seconds", to_js(env, times.seconds));
      result.Set("peakFlops", to_js(env, times.peak_flops));
      return result;
    };
  });
}

}  // namespace kogrpo
