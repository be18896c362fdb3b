// The path over NCCL on a fake library: which calls, in which order, of which sizes; how errors of
// loading and time-outs read; and our prototypes against nccl.h where it is installed.
#include <dlfcn.h>

#include <cstdlib>

#include "comm/nccl_api.h"
#include "comm_testing.h"
#include "doctest/doctest.h"

#if __has_include(<nccl.h>) && __has_include(<cuda_runtime.h>)
#include <nccl.h>
#endif

using namespace kogrpo;
using kogrpo::testing::MemoryStore;
using kogrpo::testing::SharedStore;

#ifdef KOGRPO_FAKE_NCCL
namespace {

std::string trace() {
  const std::shared_ptr<void> library(dlopen(KOGRPO_FAKE_NCCL, RTLD_NOW),
                                      [](void* l) { dlclose(l); });
  return reinterpret_cast<const char* (*)()>(dlsym(library.get(), "fake_nccl_trace"))();
}

}  // namespace

TEST_CASE("nccl: the calls of every collective, in order and with their sizes") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  const auto shared = std::make_shared<SharedStore>();
  std::vector<std::string> traces(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      const auto store = std::make_shared<MemoryStore>(shared, 2);
      // The device is busy at first.
      int polls = 0;
      auto c =
          make_nccl(rank, 2, store, make_single(), {nullptr, [&] { return ++polls % 3 == 0; }}, 5);
      std::vector<float> f(8);
      std::vector<double> d(4);
      c->all_to_all(f.data(), f.data(), 16, "gradients, step 1");
      c->all_reduce(d.data(), 3, "norm");
      c->all_reduce(f.data(), 5, "loss");
      c->all_gather(f.data(), f.data(), 12, "weights");
      c->broadcast(f.data(), 7, 1, "state");
      c.reset();
      traces[static_cast<size_t>(rank)] = trace();
    });
  for (std::thread& thread : threads) thread.join();
  const std::string rest =
      " of 2\ngroup\nsend 16 of type 1 to 0\nreceive 16 of type 1 from 0\nsend 16 of type 1 to 1\n"
      "receive 16 of type 1 from 1\nend of group\nall_reduce 3 of type 8 op 0\n"
      "all_reduce 5 of type 7 op 0\nall_gather 12 of type 1\nbroadcast 7 of type 1 from "
      "1\ndestroy\n";
  CHECK(traces[0] == "init 0" + rest);
  CHECK(traces[1] == "init 1" + rest);
  unsetenv("KOGRPO_NCCL");
}

TEST_CASE("nccl: a device that does not end is aborted; a library that is not there is an error") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  auto c = make_nccl(0, 1, nullptr, make_single(), {nullptr, [] { return false; }}, 0.01);
  float x = 1;
  CHECK_THROWS_WITH(c->all_reduce(&x, 1, "a"), doctest::Contains("ncclAllReduce took longer than"));
  setenv("KOGRPO_NCCL", "/nowhere/libnccl.so.2", 1);
  CHECK_THROWS_WITH(NcclApi::load(), doctest::Contains("tried:\n  /nowhere/libnccl.so.2"));
  unsetenv("KOGRPO_NCCL");
}
#endif

#ifdef NCCL_UNIQUE_ID_BYTES
namespace {

// Functions of the same number of arguments, each of the same size (enums are ints, handles
// pointers).
template <class A, class B>
struct Alike : std::false_type {};
template <class R, class... A, class S, class... B>
struct Alike<R (*)(A...), S (*)(B...)>
    : std::bool_constant<sizeof...(A) == sizeof...(B) && sizeof(R) == sizeof(S) &&
                         ((sizeof(A) == sizeof(B)) && ...)> {};
template <auto Member>
using Ours = std::remove_cvref_t<decltype(std::declval<NcclApi>().*Member)>;

static_assert(sizeof(NcclUniqueId) == sizeof(ncclUniqueId));
static_assert(int{kNcclUint8} == int{ncclUint8} && int{kNcclFloat32} == int{ncclFloat32} &&
              int{kNcclFloat64} == int{ncclFloat64} && kNcclSum == int{ncclSum} &&
              kNcclSuccess == int{ncclSuccess} && kNcclInProgress == int{ncclInProgress});
static_assert(Alike<Ours<&NcclApi::get_unique_id>, decltype(&ncclGetUniqueId)>::value);
static_assert(Alike<Ours<&NcclApi::comm_init_rank>, decltype(&ncclCommInitRank)>::value);
static_assert(Alike<Ours<&NcclApi::comm_destroy>, decltype(&ncclCommDestroy)>::value);
static_assert(Alike<Ours<&NcclApi::comm_abort>, decltype(&ncclCommAbort)>::value);
static_assert(Alike<Ours<&NcclApi::comm_get_async_error>, decltype(&ncclCommGetAsyncError)>::value);
static_assert(Alike<Ours<&NcclApi::get_error_string>, decltype(&ncclGetErrorString)>::value);
static_assert(Alike<Ours<&NcclApi::all_reduce>, decltype(&ncclAllReduce)>::value);
static_assert(Alike<Ours<&NcclApi::all_gather>, decltype(&ncclAllGather)>::value);
static_assert(Alike<Ours<&NcclApi::broadcast>, decltype(&ncclBroadcast)>::value);
static_assert(Alike<Ours<&NcclApi::send>, decltype(&ncclSend)>::value);
static_assert(Alike<Ours<&NcclApi::receive>, decltype(&ncclRecv)>::value);
static_assert(Alike<Ours<&NcclApi::group_start>, decltype(&ncclGroupStart)>::value);
static_assert(Alike<Ours<&NcclApi::group_end>, decltype(&ncclGroupEnd)>::value);

}  // namespace
#endif
