#pragma once
// JavaScript values to and from C++: every argument checked, errors name it.

#include <napi.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "ops/tensor.h"

namespace kogrpo {

inline Napi::TypeError bad(Napi::Env env, const std::string& name, const std::string& expected) {
  Napi::TypeError error = Napi::TypeError::New(env, name + " must be " + expected);
  error.Value().Set("code", Napi::String::New(env, "ERR_INVALID_ARGUMENT"));
  return error;
}

inline Napi::Object object(const Napi::Value& value, const std::string& name) {
  if (!value.IsObject()) throw bad(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

inline double number(const Napi::Object& o, const char* key) {
  const Napi::Value value = o.Get(key);
  if (!value.IsNumber()) throw bad(o.Env(), key, "a number");
  const double x = value.As<Napi::Number>().DoubleValue();
  if (std::isnan(x)) throw bad(o.Env(), key, "a number, not NaN");
  return x;
}

inline double number_or(const Napi::Object& o, const char* key, double fallback) {
  return o.Get(key).IsUndefined() ? fallback : number(o, key);
}

inline int64_t integer(const Napi::Object& o, const char* key) {
  const double x = number(o, key);
  if (x != std::floor(x) || std::fabs(x) > 9007199254740991.0)
    throw bad(o.Env(), key, "an integer");
  return static_cast<int64_t>(x);
}

inline int64_t integer_or(const Napi::Object& o, const char* key, int64_t fallback) {
  return o.Get(key).IsUndefined() ? fallback : integer(o, key);
}

inline int32_t int32(const Napi::Object& o, const char* key) {
  const int64_t x = integer(o, key);
  if (x != static_cast<int32_t>(x)) throw bad(o.Env(), key, "an integer of at most 32 bits");
  return static_cast<int32_t>(x);
}

inline int32_t int32_or(const Napi::Object& o, const char* key, int32_t fallback) {
  return o.Get(key).IsUndefined() ? fallback : int32(o, key);
}

inline bool boolean_or(const Napi::Object& o, const char* key, bool fallback) {
  const Napi::Value value = o.Get(key);
  if (value.IsUndefined()) return fallback;
  if (!value.IsBoolean()) throw bad(o.Env(), key, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

inline std::string string(const Napi::Value& value, const std::string& name) {
  if (!value.IsString()) throw bad(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline std::vector<std::string> strings(const Napi::Value& value, const std::string& name) {
  if (!value.IsArray()) throw bad(value.Env(), name, "an array of strings");
  const auto list = value.As<Napi::Array>();
  std::vector<std::string> copy;
  for (uint32_t i = 0; i < list.Length(); ++i) copy.push_back(string(list.Get(i), name));
  return copy;
}

template <class T>
constexpr napi_typedarray_type array_type();
template <>
constexpr napi_typedarray_type array_type<int32_t>() {
  return napi_int32_array;
}
template <>
constexpr napi_typedarray_type array_type<float>() {
  return napi_float32_array;
}
template <>
constexpr napi_typedarray_type array_type<double>() {
  return napi_float64_array;
}
template <>
constexpr napi_typedarray_type array_type<uint8_t>() {
  return napi_uint8_array;
}

// A copy: the caller may go on using its array while the engine works.
template <class T>
std::vector<T> array(const Napi::Value& value, const std::string& name) {
  const char* expected = sizeof(T) == 1               ? "a Uint8Array"
                         : std::is_same_v<T, int32_t> ? "an Int32Array"
                                                      : "a Float32Array";
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != array_type<T>())
    throw bad(value.Env(), name, expected);
  const auto typed = value.As<Napi::TypedArrayOf<T>>();
  std::vector<T> copy(typed.ElementLength());
  if (!copy.empty()) std::memcpy(copy.data(), typed.Data(), copy.size() * sizeof(T));
  return copy;
}

template <class T>
std::vector<T> array_or_empty(const Napi::Value& value, const std::string& name) {
  return value.IsUndefined() ? std::vector<T>() : array<T>(value, name);
}

template <class T>
Napi::Value to_js(Napi::Env env, const std::vector<T>& values) {
  auto typed = Napi::TypedArrayOf<T>::New(env, values.size(), array_type<T>());
  if (!values.empty()) std::memcpy(typed.Data(), values.data(), values.size() * sizeof(T));
  return typed;
}

inline DType dtype(const Napi::Value& value) {
  const std::string name = string(value, "dtype");
  if (name == "F32") return DType::f32;
  if (name == "BF16") return DType::bf16;
  if (name == "F16") return DType::f16;
  throw bad(value.Env(), "dtype", "F32, BF16 or F16");
}

}  // namespace kogrpo
