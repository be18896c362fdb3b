#pragma once
// The few words of doctest that test/native/cuda uses, for a bare CUDA machine that has no doctest
// (scripts/gpu-check). Same names; a failed check is printed with its text and counted.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace doctest {

// A case that doctest leaves out unless asked for it (-ns). Here it is run.
struct skip {};
struct Name {
  const char* text;
  Name(const char* t) : text(t) {}
};
inline Name operator*(const char* text, skip) {
  return text;
}

struct Case {
  const char* name;
  void (*run)();
};
struct State {
  std::vector<Case> cases;
  int failures = 0;
  std::vector<std::string> captures;
};
inline State& state() {
  static State s;
  return s;
}
struct Register {
  Register(Name name, void (*run)()) { state().cases.push_back({name.text, run}); }
};
struct Capture {
  template <class T>
  Capture(const char* name, const T& value) {
    std::ostringstream text;
    text << name << " = " << value;
    state().captures.push_back(text.str());
  }
  ~Capture() { state().captures.pop_back(); }
};
struct Stop {};

inline void failed(const char* file, int line, const std::string& what) {
  std::printf("%s:%d: FAILED: %s\n", file, line, what.c_str());
  for (const std::string& c : state().captures) std::printf("    %s\n", c.c_str());
  ++state().failures;
}

struct Contains {
  std::string text;
  explicit Contains(const char* t) : text(t) {}
};
inline bool matches(const std::string& message, const Contains& c) {
  return message.find(c.text) != std::string::npos;
}
inline bool matches(const std::string& message, const std::string& expected) {
  return message == expected;
}

struct Approx {
  double value, relative = 1e-5;
  explicit Approx(double v) : value(v) {}
  Approx& epsilon(double e) {
    relative = e;
    return *this;
  }
};
inline bool operator==(double x, const Approx& a) {
  return std::fabs(x - a.value) <= a.relative * (1 + std::fabs(a.value));
}

template <class... Parts>
std::string joined(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

// Of doctest's options: -tce=TEXT*, no cases whose name begins so.
inline int run_all(int argc, char** argv) {
  std::string excluded;
  for (int i = 1; i < argc; ++i)
    if (const std::string word = argv[i]; word.rfind("-tce=", 0) == 0)
      excluded = word.substr(5, word.find('*') - 5);
  int bad = 0, left_out = 0;
  for (const Case& c : state().cases) {
    if (!excluded.empty() && std::string(c.name).rfind(excluded, 0) == 0) {
      ++left_out;
      continue;
    }
    const int before = state().failures;
    try {
      c.run();
    } catch (const Stop&) {
    } catch (const std::exception& e) {
      failed(c.name, 0, std::string("threw ") + e.what());
    }
    bad += state().failures != before;
    std::printf("%s  %s\n", state().failures == before ? "ok    " : "FAILED", c.name);
  }
  const int total = int(state().cases.size()) - left_out;
  std::printf("[doctest] test cases: %d | %d passed | %d failed | %d skipped\n", total, total - bad,
              bad, left_out);
  return bad > 0;
}

}  // namespace doctest

#define KOGRPO_JOIN2(a, b) a##b
#define KOGRPO_JOIN(a, b) KOGRPO_JOIN2(a, b)
#define KOGRPO_CASE(f, name)                                           \
  static void f();                                                     \
  static const ::doctest::Register KOGRPO_JOIN(f, _register)(name, f); \
  static void f()
#define TEST_CASE(name) KOGRPO_CASE(KOGRPO_JOIN(kogrpo_case_, __COUNTER__), name)
#define CAPTURE(x) const ::doctest::Capture KOGRPO_JOIN(kogrpo_capture_, __COUNTER__)(#x, x)
#define MESSAGE(...) std::printf("    %s\n", ::doctest::joined(__VA_ARGS__).c_str())
#define CHECK(...) \
  (static_cast<bool>(__VA_ARGS__) ? (void)0 : ::doctest::failed(__FILE__, __LINE__, #__VA_ARGS__))
#define CHECK_MESSAGE(x, ...) \
  ((x) ? (void)0 : ::doctest::failed(__FILE__, __LINE__, ::doctest::joined(#x ": ", __VA_ARGS__)))
#define REQUIRE(...)                                       \
  do {                                                     \
    if (!(__VA_ARGS__)) {                                  \
      ::doctest::failed(__FILE__, __LINE__, #__VA_ARGS__); \
      throw ::doctest::Stop();                             \
    }                                                      \
  } while (false)
#define CHECK_THROWS_WITH_AS(expression, expected, type)                                      \
  do {                                                                                        \
    try {                                                                                     \
      static_cast<void>(expression);                                                          \
      ::doctest::failed(__FILE__, __LINE__, #expression " did not throw");                    \
    } catch (const type& e) {                                                                 \
      if (!::doctest::matches(e.what(), expected))                                            \
        ::doctest::failed(__FILE__, __LINE__, std::string(#expression " said: ") + e.what()); \
    }                                                                                         \
  } while (false)

#if defined(DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN)
int main(int argc, char** argv) {
  return doctest::run_all(argc, argv);
}
#endif
