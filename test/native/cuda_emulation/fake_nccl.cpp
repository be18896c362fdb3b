// A stand-in for NCCL between ranks that are threads of one process and emulated GPUs: collectives
// wait in their stream until every rank's stream has come to them, then data move. Ranks that do
// different things, or move different sizes, are told so (and the transfer fails). What each rank
// has asked is written down, a line a collective.

#include <dlfcn.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Part {  // of one rank in one collective
  const void* send = nullptr;
  void* receive = nullptr;
  size_t bytes = 0;
  std::vector<const void*> sends;
  std::vector<void*> receives;
};

struct Collective {
  std::string kind;  // with its size
  std::vector<Part> parts;
  int arrived = 0, left = 0;
  bool done = false;
};

struct Group {
  explicit Group(int size) : size(size) {}
  const int size;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, Collective> collectives;  // by their number
};

struct Comm {
  std::shared_ptr<Group> group;
  int rank = 0;
  uint64_t next = 0;
  bool aborted = false;
};

struct Id {
  char internal[128];
};

std::mutex groups_mutex;
std::map<uint64_t, std::weak_ptr<Group>> groups;
std::map<int, std::string> traces;
std::vector<void*> aborted_comms;  // kept: their streams may still look at them
uint64_t ids = 0;

thread_local bool grouped = false;
thread_local Part pending;
thread_local Comm* pending_comm = nullptr;
thread_local void* pending_stream = nullptr;

struct Access {
  using Open = void(int);
  Open* open = reinterpret_cast<Open*>(dlsym(RTLD_DEFAULT, "kogrpo_emulation_open"));
  Access() { open(1); }
  ~Access() { open(0); }
};

char* at(void* p, size_t offset) {
  return static_cast<char*>(p) + offset;
}
const char* at(const void* p, size_t offset) {
  return static_cast<const char*>(p) + offset;
}

template <class T>
void add(const std::vector<Part>& parts) {
  const size_t n = parts[0].bytes / sizeof(T);
  std::vector<T> sum(n);
  for (const Part& p : parts)
    for (size_t i = 0; i < n; ++i) sum[i] += static_cast<const T*>(p.send)[i];
  for (const Part& p : parts) std::memcpy(p.receive, sum.data(), p.bytes);
}

void move(const Collective& c) {
  const Access access;
  const std::vector<Part>& parts = c.parts;
  const size_t bytes = parts[0].bytes;
  if (c.kind.starts_with("sum 4")) return add<float>(parts);
  if (c.kind.starts_with("sum 8")) return add<double>(parts);
  for (size_t to = 0; to < parts.size(); ++to)
    for (size_t from = 0; from < parts.size(); ++from) {
      if (c.kind.starts_with("x"))
        std::memcpy(parts[to].receives[from], parts[from].sends[to], bytes);
      else if (c.kind.starts_with("g"))
        std::memmove(at(parts[to].receive, from * bytes), at(parts[from].send, 0), bytes);
      else if (c.kind.starts_with("b " + std::to_string(from) + " "))
        std::memmove(parts[to].receive, parts[from].send, bytes);
    }
}

struct Work {
  Comm* comm;
  uint64_t number;
  std::string kind;
  Part part;
};

void run(void* argument) {
  const std::unique_ptr<Work> work(static_cast<Work*>(argument));
  Group& g = *work->comm->group;
  std::unique_lock lock(g.mutex);
  Collective& c = g.collectives[work->number];
  if (c.arrived++ == 0) {
    c.kind = work->kind;
    c.parts.resize(static_cast<size_t>(g.size));
  } else if (c.kind != work->kind) {
    std::fprintf(stderr, "emulated NCCL: rank %d asks \"%s\" where others ask \"%s\"\n",
                 work->comm->rank, work->kind.c_str(), c.kind.c_str());
    return;  // the others wait for ever, as on GPUs
  }
  c.parts[static_cast<size_t>(work->comm->rank)] = work->part;
  if (c.arrived == g.size) {
    move(c);
    c.done = true;
    g.changed.notify_all();
  } else {
    g.changed.wait(lock, [&] { return c.done || work->comm->aborted; });
  }
  if (++c.left == g.size) g.collectives.erase(work->number);
}

int queue(Comm* comm, const std::string& kind, Part part, void* stream) {
  using Queue = void(void*, void (*)(void*), void*);
  static auto* const on_stream =
      reinterpret_cast<Queue*>(dlsym(RTLD_DEFAULT, "kogrpo_emulation_queue"));
  {
    const std::lock_guard lock(groups_mutex);
    traces[comm->rank] += kind + "\n";
  }
  on_stream(stream, run, new Work{comm, comm->next++, kind, std::move(part)});
  return 0;
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

// What rank `rank` has asked since it was last looked at.
EXPORT const char* fake_nccl_trace(int rank) {
  static thread_local std::string seen;
  const std::lock_guard lock(groups_mutex);
  seen = std::exchange(traces[rank], {});
  return seen.c_str();
}
EXPORT int ncclGetVersion(int* version) {
  *version = 23007;
  return 0;
}
EXPORT int ncclGetUniqueId(Id* id) {
  const std::lock_guard lock(groups_mutex);
  std::memset(id, 0, sizeof *id);
  ++ids;
  std::memcpy(id->internal, &ids, sizeof ids);
  return 0;
}
EXPORT int ncclCommInitRank(void** comm, int size, Id id, int rank) {
  uint64_t number;
  std::memcpy(&number, id.internal, sizeof number);
  const std::lock_guard lock(groups_mutex);
  std::shared_ptr<Group> group = groups[number].lock();
  if (!group) groups[number] = group = std::make_shared<Group>(size);
  *comm = new Comm{group, rank, 0, false};
  return 0;
}
EXPORT int ncclCommAbort(void* comm) {
  auto* c = static_cast<Comm*>(comm);
  {
    const std::lock_guard all(groups_mutex);
    aborted_comms.push_back(comm);
  }
  const std::lock_guard lock(c->group->mutex);
  c->aborted = true;
  c->group->changed.notify_all();
  return 0;
}
EXPORT int ncclCommDestroy(void* comm) {
  delete static_cast<Comm*>(comm);
  return 0;
}
EXPORT int ncclCommGetAsyncError(void*, int* error) {
  *error = 0;
  return 0;
}
EXPORT const char* ncclGetErrorString(int) {
  return "an error of the stand-in";
}
EXPORT int ncclAllReduce(const void* send, void* receive, size_t n, int type, int, void* comm,
                         void* stream) {
  const size_t bytes = n * (type == 7 ? 4 : 8);
  return queue(static_cast<Comm*>(comm), (type == 7 ? "sum 4 " : "sum 8 ") + std::to_string(bytes),
               {send, receive, bytes, {}, {}}, stream);
}
EXPORT int ncclAllGather(const void* send, void* receive, size_t n, int, void* comm, void* stream) {
  return queue(static_cast<Comm*>(comm), "g " + std::to_string(n), {send, receive, n, {}, {}},
               stream);
}
EXPORT int ncclBroadcast(const void* send, void* receive, size_t n, int, int root, void* comm,
                         void* stream) {
  return queue(static_cast<Comm*>(comm), "b " + std::to_string(root) + " " + std::to_string(n),
               {send, receive, n, {}, {}}, stream);
}
EXPORT int ncclGroupStart() {
  grouped = true;
  pending = {};
  return 0;
}
EXPORT int ncclSend(const void* send, size_t n, int, int, void* comm, void* stream) {
  pending_comm = static_cast<Comm*>(comm);
  pending_stream = stream;
  pending.bytes = n;
  pending.sends.push_back(send);  // peers in ascending order
  return grouped ? 0 : 5;
}
EXPORT int ncclRecv(void* receive, size_t, int, int, void*, void*) {
  pending.receives.push_back(receive);
  return grouped ? 0 : 5;
}
EXPORT int ncclGroupEnd() {
  grouped = false;
  return queue(pending_comm, "x " + std::to_string(pending.bytes), std::move(pending),
               pending_stream);
}
