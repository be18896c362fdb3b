// A library with NCCL's names that writes down what it is asked, a line a call, and moves nothing
// between ranks (of an all_gather every rank seems to have what this one has, and bytes that are
// received are zeros): for the order and sizes of collectives (nccl_test.cpp).
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace {
struct Comm {
  int rank, size;
};
std::mutex mutex;
std::map<int, std::string> traces;  // by rank
// Whether ncclCommInitRank() waits as it does for a rank that does not come.
bool waits = false;
std::condition_variable changed;
// A group begins before it is said whose: the line waits for the next call of this thread.
thread_local std::string waiting;
thread_local int current = -1;

int note(const std::string& line, int rank) {
  const std::lock_guard lock(mutex);
  current = rank;
  traces[rank] += waiting + line + "\n";
  waiting.clear();
  return 0;
}
int note(const std::string& line, const void* comm) {
  return note(line, static_cast<const Comm*>(comm)->rank);
}
std::string sized(const char* name, size_t n, int type) {
  return std::string(name) + " " + std::to_string(n) + " of type " + std::to_string(type);
}
struct Id {
  char internal[128];
};
}  // namespace

extern "C" {
// What rank `rank` has asked since it was last looked at.
const char* fake_nccl_trace(int rank) {
  static thread_local std::string seen;
  const std::lock_guard lock(mutex);
  seen = std::exchange(traces[rank], {});
  return seen.c_str();
}
void fake_nccl_wait(int on) {
  const std::lock_guard lock(mutex);
  waits = on != 0;
  changed.notify_all();
}
int ncclGetVersion(int* version) {
  *version = 23007;
  return 0;
}
int ncclGetUniqueId(Id* id) {
  for (int i = 0; i < 128; ++i) id->internal[i] = static_cast<char>(i);
  return 0;
}
int ncclCommInitRank(void** comm, int size, Id id, int rank) {
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [] { return !waits; });
  }
  *comm = new Comm{rank, size};
  return note("init " + std::to_string(rank) + " of " + std::to_string(size) +
                  (id.internal[127] == 127 ? "" : " with another id"),
              rank);
}
int ncclCommDestroy(void* comm) {
  note("destroy", comm);
  delete static_cast<Comm*>(comm);
  return 0;
}
int ncclCommAbort(void* comm) {
  note("abort", comm);
  delete static_cast<Comm*>(comm);
  return 0;
}
int ncclCommGetAsyncError(void*, int* error) {
  *error = 0;
  return 0;
}
const char* ncclGetErrorString(int) {
  return "an error of the fake";
}
int ncclAllReduce(const void*, void*, size_t n, int type, int op, void* comm, void*) {
  return note(sized("all_reduce", n, type) + " op " + std::to_string(op), comm);
}
int ncclAllGather(const void* send, void* receive, size_t n, int type, void* comm, void*) {
  for (int r = 0; r < static_cast<Comm*>(comm)->size; ++r)
    std::memmove(static_cast<char*>(receive) + static_cast<size_t>(r) * n, send, n);
  return note(sized("all_gather", n, type), comm);
}
int ncclBroadcast(const void*, void*, size_t n, int type, int root, void* comm, void*) {
  return note(sized("broadcast", n, type) + " from " + std::to_string(root), comm);
}
int ncclSend(const void*, size_t n, int type, int peer, void* comm, void*) {
  return note(sized("send", n, type) + " to " + std::to_string(peer), comm);
}
int ncclRecv(void* receive, size_t n, int type, int peer, void* comm, void*) {
  std::memset(receive, 0, n);
  return note(sized("receive", n, type) + " from " + std::to_string(peer), comm);
}
int ncclGroupStart() {
  waiting += "group\n";
  return 0;
}
int ncclGroupEnd() {
  return note("end of group", current);
}
}
