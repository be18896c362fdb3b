#pragma once
// A shared library loaded at run time, so that one build runs on machines with and without it.

#include <string>
#include <vector>

namespace kogrpo::cuda {

class Library {
 public:
  // Tries the path in the environment variable `variable` alone if it is set, else `names` in turn.
  // Throws CudaError with what was tried, each path's reason, and how to point to the library.
  Library(const char* title, const char* variable, const std::vector<std::string>& names);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // Throws CudaError naming the library and the symbol.
  template <class F>
  void load(F*& function, const char* symbol) const {
    function = reinterpret_cast<F*>(find(symbol));
  }
  const std::string& path() const { return path_; }

 private:
  void* find(const char* symbol) const;
  std::string path_;
  void* handle_ = nullptr;
};

}  // namespace kogrpo::cuda
