// NativeEngine's methods for parameters, their files and slots.

#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/engine_wrap.h"
#include "addon/results.h"
#include "engine/rewrite.h"

namespace kogrpo {
Napi::Value EngineWrap::initialize(Info info) {
  const Napi::Object o = object(info[0], "init");
  const InitOptions options{static_cast<uint64_t>(integer(o, "seed")), number_or(o, "std", 0.02),
                            number_or(o, "normScale", 0.0)};
  return run(info, info[1],
             [options, adapters = boolean_or(o, "adapters", false)](Engine& engine, JobControl&) {
               engine.initialize(options, adapters);
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
  return run(info, info[5],
             [path = string(info[0], "path"), header = array<uint8_t>(info[1], "header"),
              names = strings(info[2], "names"), type = dtype(info[3]),
              label = string(info[4], "label")](Engine& engine, JobControl&) {
               engine.save_parameters(path, header, names, type, label);
               return undefined();
             });
}

namespace {

FurtherRows further_rows(const Napi::Object& o) {
  return {array_or_empty<int32_t>(o.Get("ids"), "ids"), array_or_empty<int32_t>(o.Get("cu"), "cu"),
          array_or_empty<int32_t>(o.Get("of"), "of"),
          array_or_empty<float>(o.Get("values"), "values"), integer(o, "height")};
}

LowRank low_rank(const Napi::Object& o) {
  const auto factor = [&](const char* name) -> LowRank::Factor {
    const Napi::Object f = object(o.Get(name), name);
    return {string(f.Get("file"), "file"), integer(f, "begin"), dtype(f.Get("dtype"))};
  };
  return {factor("a"), factor("b"), integer(o, "rank"), static_cast<float>(number(o, "scale"))};
}

}  // namespace

// Needs no open engine, only its thread.
Napi::Value EngineWrap::rewrite_tensors(Info info) {
  std::vector<TensorSource> sources;
  const auto list = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object o = object(list.Get(i), "sources[" + std::to_string(i) + "]");
    sources.push_back({string(o.Get("file"), "file"), integer(o, "begin"), dtype(o.Get("dtype")),
                       integer(o, "rows"), integer(o, "cols"),
                       array_or_empty<float>(o.Get("rowScale"), "rowScale")});
    if (!o.Get("added").IsUndefined())
      sources.back().added = low_rank(object(o.Get("added"), "added"));
    if (!o.Get("further").IsUndefined())
      sources.back().further = further_rows(object(o.Get("further"), "further"));
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

Napi::Value EngineWrap::set_trainable(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  std::vector<TrainedPart> parts;
  const auto list = o.Get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object part = object(list.Get(i), "parts[" + std::to_string(i) + "]");
    parts.push_back({string(part.Get("name"), "name"),
                     array_or_empty<int32_t>(part.Get("rows"), "rows"),
                     array_or_empty<int32_t>(part.Get("columns"), "columns")});
  }
  return run(info, info[1],
             [names = strings(o.Get("names"), "names"), parts = std::move(parts)](Engine& engine,
                                                                                  JobControl&) {
               engine.set_trainable(names, parts);
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

}  // namespace kogrpo
