// NativeEngine's generate(), and the form of a request, which serving shares.

#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/engine_wrap.h"
#include "addon/results.h"

namespace kogrpo {

GenerateRequest generate_request(const Napi::Object& o) {
  GenerateRequest r;
  r.prompt = array<int32_t>(o.Get("tokens"), "tokens");
  r.max_new_tokens = integer(o, "maxNewTokens");
  r.stop_tokens = array_or_empty<int32_t>(o.Get("stopTokens"), "stopTokens");
  r.sampling.temperature = static_cast<float>(number_or(o, "temperature", 1.0));
  r.sampling.top_k = int32_or(o, "topK", 0);
  r.sampling.top_p = static_cast<float>(number_or(o, "topP", 1.0));
  r.sampling.min_p = static_cast<float>(number_or(o, "minP", 0.0));
  r.sampling.seed = static_cast<uint64_t>(integer_or(o, "seed", 0));
  r.sampling.stream = static_cast<uint64_t>(integer_or(o, "stream", 0));
  r.logprobs = int32_or(o, "logprobs", -1);
  r.prompt_logprobs = boolean_or(o, "promptLogprobs", false);
  return r;
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
  if (!o.Get("together").IsUndefined()) {
    const Napi::Object together = object(o.Get("together"), "together");
    options.label = string(together.Get("label"), "together.label");
    options.group = integer(together, "group");
    options.live = integer(together, "live");
  }
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
            out.Set(static_cast<uint32_t>(i),
                    results[i].done ? static_cast<Napi::Value>(completion(env, results[i]))
                                    : env.Null());
          return out;
        };
      });
}

}  // namespace kogrpo
