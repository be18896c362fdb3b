#include "comm/nccl_api.h"

#include <dlfcn.h>

#include <cstdlib>
#include <vector>

#include "comm/communicator.h"

namespace kogrpo {

std::shared_ptr<const NcclApi> NcclApi::load() {
  const char* named = std::getenv("KOGRPO_NCCL");
  std::vector<std::string> paths{"libnccl.so.2", "libnccl.so"};
  if (named && *named) paths = {named};
  std::string tried;
  for (const std::string& path : paths) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      tried += std::string("\n  ") + dlerror();
      continue;
    }
    auto api = std::make_shared<NcclApi>();
    api->library_ = {handle, [](void* library) { dlclose(library); }};
    const auto get = [&](auto& function, const char* name) {
      void* symbol = dlsym(handle, name);
      if (!symbol) throw CommError(path + " has no " + name + ": it is not NCCL 2.7 or later");
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
    };
    api->path_ = path;
    get(api->get_version, "ncclGetVersion");
    get(api->get_unique_id, "ncclGetUniqueId");
    get(api->comm_init_rank, "ncclCommInitRank");
    get(api->comm_destroy, "ncclCommDestroy");
    get(api->comm_abort, "ncclCommAbort");
    get(api->comm_get_async_error, "ncclCommGetAsyncError");
    get(api->get_error_string, "ncclGetErrorString");
    get(api->all_reduce, "ncclAllReduce");
    get(api->all_gather, "ncclAllGather");
    get(api->broadcast, "ncclBroadcast");
    get(api->send, "ncclSend");
    get(api->receive, "ncclRecv");
    get(api->group_start, "ncclGroupStart");
    get(api->group_end, "ncclGroupEnd");
    return api;
  }
  throw CommError(
      "NCCL, which ranks on GPUs talk over, could not be loaded; tried:" + tried +
      "\nInstall NVIDIA's package libnccl2, or pip install nvidia-nccl-cu13 and name its "
      "libnccl.so.2 in KOGRPO_NCCL");
}

}  // namespace kogrpo
