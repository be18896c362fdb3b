// A library with NCCL's names that writes down what it is asked, a line a call, and moves nothing:
// for the order and sizes of collectives (nccl_test.cpp).
#include <cstddef>
#include <string>

namespace {
struct Comm {
  int rank;
};
thread_local std::string trace;  // a rank is a thread

int note(const std::string& line) {
  trace += line + "\n";
  return 0;
}
std::string sized(const char* name, size_t n, int type) {
  return std::string(name) + " " + std::to_string(n) + " of type " + std::to_string(type);
}
struct Id {
  char internal[128];
};
}  // namespace

extern "C" {
const char* fake_nccl_trace() {
  return trace.c_str();
}
int ncclGetUniqueId(Id* id) {
  for (int i = 0; i < 128; ++i) id->internal[i] = static_cast<char>(i);
  return 0;
}
int ncclCommInitRank(void** comm, int size, Id id, int rank) {
  *comm = new Comm{rank};
  return note("init " + std::to_string(rank) + " of " + std::to_string(size) +
              (id.internal[127] == 127 ? "" : " with another id"));
}
int ncclCommDestroy(void* comm) {
  delete static_cast<Comm*>(comm);
  return note("destroy");
}
int ncclCommAbort(void* comm) {
  delete static_cast<Comm*>(comm);
  return note("abort");
}
int ncclCommGetAsyncError(void*, int* error) {
  *error = 0;
  return 0;
}
const char* ncclGetErrorString(int) {
  return "an error of the fake";
}
int ncclAllReduce(const void*, void*, size_t n, int type, int op, void*, void*) {
  return note(sized("all_reduce", n, type) + " op " + std::to_string(op));
}
int ncclAllGather(const void*, void*, size_t n, int type, void*, void*) {
  return note(sized("all_gather", n, type));
}
int ncclBroadcast(const void*, void*, size_t n, int type, int root, void*, void*) {
  return note(sized("broadcast", n, type) + " from " + std::to_string(root));
}
int ncclSend(const void*, size_t n, int type, int peer, void*, void*) {
  return note(sized("send", n, type) + " to " + std::to_string(peer));
}
int ncclRecv(void*, size_t n, int type, int peer, void*, void*) {
  return note(sized("receive", n, type) + " from " + std::to_string(peer));
}
int ncclGroupStart() {
  return note("group");
}
int ncclGroupEnd() {
  return note("end of group");
}
}
