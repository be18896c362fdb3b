#include "cuda/library.h"

#include <dlfcn.h>

#include <cstdlib>

#include "cuda/error.h"

namespace kogrpo::cuda {

Library::Library(const char* title, const char* variable, const std::vector<std::string>& names) {
  const char* chosen = std::getenv(variable);
  const std::vector<std::string> paths =
      chosen && *chosen ? std::vector<std::string>{chosen} : names;
  std::string tried;
  for (const std::string& path : paths) {
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) {
      path_ = path;
      return;
    }
    const char* reason = dlerror();
    tried += "\n  " + path + ": " + (reason ? reason : "cannot be loaded");
  }
  throw CudaError(std::string(title) + " was not found. Tried:" + tried + "\nInstall it, or set " +
                  variable + " to the library's path.");
}

Library::~Library() {
  if (handle_) dlclose(handle_);
}

void* Library::find(const char* symbol) const {
  void* address = dlsym(handle_, symbol);
  if (!address) throw CudaError("'" + path_ + "' has no symbol " + symbol);
  return address;
}

}  // namespace kogrpo::cuda
