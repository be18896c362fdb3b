// NativeEngine's serving methods: serveOpen, serveStep and serveClose run on the engine's thread;
// serveSubmit and serveCancel only put something into the session's inbox and return at once.

#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/engine_wrap.h"

namespace kogrpo {
namespace {

// Events as parallel arrays; `top` counts the entries of topIds and topLogprobs that are an
// event's.
Napi::Object events_to_js(Napi::Env env, const std::vector<Event>& events) {
  std::vector<int32_t> request, kind, token, top, top_ids;
  std::vector<float> logprob, model_logprob, top_logprobs;
  for (const Event& e : events) {
    const bool finish = e.kind == Event::Kind::finish;
    request.push_back(static_cast<int32_t>(e.request));
    // 0: prompt token, 1: token, 2: stopped, 3: at its length
    kind.push_back(finish ? (e.reason == FinishReason::stop ? 2 : 3)
                          : static_cast<int32_t>(e.kind));
    token.push_back(e.token);
    logprob.push_back(e.logprob);
    model_logprob.push_back(e.model_logprob);
    top.push_back(static_cast<int32_t>(e.top_ids.size()));
    top_ids.insert(top_ids.end(), e.top_ids.begin(), e.top_ids.end());
    top_logprobs.insert(top_logprobs.end(), e.top_logprobs.begin(), e.top_logprobs.end());
  }
  Napi::Object o = Napi::Object::New(env);
  o.Set("request", to_js(env, request));
  o.Set("kind", to_js(env, kind));
  o.Set("token", to_js(env, token));
  o.Set("logprob", to_js(env, logprob));
  o.Set("modelLogprob", to_js(env, model_logprob));
  o.Set("top", to_js(env, top));
  o.Set("topIds", to_js(env, top_ids));
  o.Set("topLogprobs", to_js(env, top_logprobs));
  return o;
}

Napi::Object stats_to_js(Napi::Env env, const SchedulerStats& s) {
  Napi::Object o = Napi::Object::New(env);
  const std::pair<const char*, int64_t> fields[] = {
      {"running", s.running},        {"waiting", s.waiting},        {"pages", s.pages},
      {"pagesUsed", s.pages_used},   {"pagesKept", s.pages_kept},   {"steps", s.steps},
      {"promptRows", s.prompt_rows}, {"prefixRows", s.prefix_rows}, {"generated", s.generated},
      {"preemptions", s.preemptions}};
  for (const auto& [name, value] : fields) o.Set(name, static_cast<double>(value));
  return o;
}

RequestInbox& open_inbox(const Napi::CallbackInfo& info,
                         const std::shared_ptr<std::shared_ptr<RequestInbox>>& inbox) {
  if (!*inbox) throw bad(info.Env(), "session", "open");
  return **inbox;
}

int64_t request_id(const Napi::Value& value) {
  if (!value.IsNumber()) throw bad(value.Env(), "id", "a number");
  return value.As<Napi::Number>().Int32Value();
}

}  // namespace

Napi::Value EngineWrap::serve_open(Info info) {
  const Napi::Object o = object(info[0], "options");
  ServeOptions options;
  options.vocab_limit = integer_or(o, "vocabLimit", 0);
  options.max_sequences = integer_or(o, "maxSequences", options.max_sequences);
  options.prefill_rows = integer_or(o, "prefillRows", options.prefill_rows);
  options.max_cache_bytes = integer(o, "maxCacheBytes");
  return run(info, info.Env().Undefined(), [options, held = inbox_](Engine& engine, JobControl&) {
    return [held, inbox = engine.serve_open(options),
            stats = engine.serve_stats()](Napi::Env env) -> Napi::Value {
      *held = inbox;  // on the JavaScript thread, which alone reads it
      return stats_to_js(env, stats);
    };
  });
}

Napi::Value EngineWrap::serve_submit(Info info) {
  RequestInbox& inbox = open_inbox(info, inbox_);
  GenerateRequest request = generate_request(object(info[1], "request"));
  try {
    inbox.submit(request_id(info[0]), std::move(request));
  } catch (const std::invalid_argument& e) {
    Napi::Error error = Napi::Error::New(info.Env(), e.what());
    error.Value().Set("code", Napi::String::New(info.Env(), "ERR_INVALID_ARGUMENT"));
    throw error;
  }
  return info.Env().Undefined();
}

Napi::Value EngineWrap::serve_cancel(Info info) {
  open_inbox(info, inbox_).cancel(request_id(info[0]));
  return info.Env().Undefined();
}

Napi::Value EngineWrap::serve_step(Info info) {
  const double seconds = number(object(info[0], "options"), "seconds");
  return run(info, info.Env().Undefined(), [seconds](Engine& engine, JobControl&) {
    std::vector<Event> events;
    const bool live = engine.serve_step(seconds, events);
    return [live, events = std::move(events),
            stats = engine.serve_stats()](Napi::Env env) -> Napi::Value {
      Napi::Object o = Napi::Object::New(env);
      o.Set("live", live);
      o.Set("events", events_to_js(env, events));
      o.Set("stats", stats_to_js(env, stats));
      return o;
    };
  });
}

Napi::Value EngineWrap::serve_close(Info info) {
  inbox_->reset();
  return run(info, info.Env().Undefined(), [](Engine& engine, JobControl&) {
    engine.serve_close();
    return [](Napi::Env env) { return env.Undefined(); };
  });
}

}  // namespace kogrpo
