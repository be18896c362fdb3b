#pragma once
// The few words of doctest that test/native/cuda uses, for scripts/gpu-check: a bare CUDA machine
// has no doctest, and doctest runs all cases in one process, where an error of the device is the
// end of every case behind it. Same names; a failed check is printed with its text and counted.

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace doctest {

// A case that doctest leaves out unless asked for it (-ns). Here it is run.
struct skip {
  explicit skip(bool = true) {}
};
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

// Whether no check of the case failed.
inline bool run_case(const Case& c) {
  const int before = state().failures;
  try {
    c.run();
  } catch (const Stop&) {
  } catch (const std::exception& e) {
    failed(c.name, 0, std::string("threw ") + e.what());
  }
  return state().failures == before;
}
inline void print_result(const Case& c, bool good) {
  std::printf("%s  %s\n", good ? "ok    " : "FAILED", c.name);
  std::fflush(stdout);
}

// Cases run in a child process until one fails, crashes or does not end within `seconds`; the next
// child goes on behind it. A CUDA error outlives its case (the context is lost for the process),
// and a kernel that waits for ever can only be killed. The parent never touches the device. Returns
// how many were bad.
inline int run_isolated(const std::vector<Case>& cases, int seconds) {
  int bad = 0;
  for (size_t next = 0; next < cases.size();) {
    int report[2];
    std::fflush(stdout);
    if (pipe(report) != 0) return int(cases.size());
    const pid_t child = fork();
    if (child == 0) {
      close(report[0]);
      for (size_t i = next; i < cases.size(); ++i) {
        const bool good = run_case(cases[i]);
        print_result(cases[i], good);
        const char word = good ? '+' : '-';
        if (write(report[1], &word, 1) != 1 || !good) break;
      }
      _exit(0);
    }
    close(report[1]);
    char word = '+';
    bool silent = false;
    while (next < cases.size() && word == '+') {
      pollfd ready{report[0], POLLIN, 0};
      silent = poll(&ready, 1, seconds * 1000) == 0;
      if (silent || read(report[0], &word, 1) != 1) {
        word = 0;
        break;
      }
      ++next;
    }
    if (silent) kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    close(report[0]);
    bad += word != '+';
    if (word != 0) continue;
    std::printf("    %s\n",
                silent ? joined("no end within ", seconds, " s: killed").c_str()
                       : joined("ended by ", WIFSIGNALED(status) ? "signal " : "exit ",
                                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))
                             .c_str());
    print_result(cases[next++], false);
    // What hung once hangs again: the other cases are to get their turn.
    if (silent) seconds = std::min(seconds, 15);
  }
  return bad;
}

// Of doctest's options: -tce=TEXT*,TEXT*, no cases whose name begins so, and -tc=…, only those.
// Further --isolate=SECONDS, see run_isolated.
inline int run_all(int argc, char** argv) {
  std::vector<std::string> excluded, only;
  int seconds = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto values = [&](const std::string& name, std::vector<std::string>& to) {
      if (word.rfind(name, 0) != 0) return;
      std::istringstream list(word.substr(name.size()));
      for (std::string text; std::getline(list, text, ',');)
        to.push_back(text.substr(0, text.find('*')));
    };
    values("-tce=", excluded);
    values("-tc=", only);
    if (word.rfind("--isolate=", 0) == 0) seconds = std::atoi(word.c_str() + 10);
  }
  std::vector<Case> cases;
  for (const Case& c : state().cases) {
    const auto begins = [&](const std::string& text) {
      return std::string(c.name).rfind(text, 0) == 0;
    };
    const auto named = [&](const std::vector<std::string>& texts) {
      return std::any_of(texts.begin(), texts.end(), begins);
    };
    if (!named(excluded) && (only.empty() || named(only))) cases.push_back(c);
  }
  int bad = 0;
  if (seconds > 0) {
    bad = run_isolated(cases, seconds);
  } else {
    for (const Case& c : cases) {
      const bool good = run_case(c);
      bad += !good;
      print_result(c, good);
    }
  }
  const int total = int(cases.size()), left_out = int(state().cases.size()) - total;
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
#define CHECK_THROWS_AS(expression, type)                                  \
  do {                                                                     \
    try {                                                                  \
      static_cast<void>(expression);                                       \
      ::doctest::failed(__FILE__, __LINE__, #expression " did not throw"); \
    } catch (const type&) {                                                \
    }                                                                      \
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
