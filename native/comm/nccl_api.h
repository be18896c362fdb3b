#pragma once
// NCCL's functions by prototypes of our own, loaded at run time, so that one addon loads on a
// machine without a GPU. test/native/nccl_test.cpp holds them to nccl.h where that is installed.

#include <cstddef>
#include <memory>
#include <string>

namespace kogrpo {

struct NcclUniqueId {
  char internal[128];
};
using NcclComm = void*;
enum NcclType : int { kNcclUint8 = 1, kNcclFloat32 = 7, kNcclFloat64 = 8 };
constexpr int kNcclSum = 0, kNcclSuccess = 0, kNcclInProgress = 7;

struct NcclApi {
  int (*get_version)(int* version) = nullptr;  // 2.30.7 is 23007
  int (*get_unique_id)(NcclUniqueId* id) = nullptr;
  int (*comm_init_rank)(NcclComm* comm, int size, NcclUniqueId id, int rank) = nullptr;
  int (*comm_destroy)(NcclComm comm) = nullptr;
  int (*comm_abort)(NcclComm comm) = nullptr;
  int (*comm_get_async_error)(NcclComm comm, int* error) = nullptr;
  const char* (*get_error_string)(int error) = nullptr;
  int (*all_reduce)(const void* send, void* receive, size_t n, int type, int op, NcclComm comm,
                    void* stream) = nullptr;
  int (*all_gather)(const void* send, void* receive, size_t n, int type, NcclComm comm,
                    void* stream) = nullptr;
  int (*broadcast)(const void* send, void* receive, size_t n, int type, int root, NcclComm comm,
                   void* stream) = nullptr;
  int (*send)(const void* send, size_t n, int type, int peer, NcclComm comm,
              void* stream) = nullptr;
  int (*receive)(void* receive, size_t n, int type, int peer, NcclComm comm,
                 void* stream) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;

  // Loads KOGRPO_NCCL (a path) if it is set, else libnccl.so.2. Throws CommError that lists what
  // was tried.
  static std::shared_ptr<const NcclApi> load();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::shared_ptr<void> library_;
};

}  // namespace kogrpo
