// The path over NCCL on a fake library: which calls, in which order, of which sizes; how errors of
// loading, time-outs and lost ranks read; and our prototypes against nccl.h where it is installed.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <sstream>

#include "comm/nccl_api.h"
#include "comm_testing.h"
#include "doctest/doctest.h"
#include "engine/engine.h"
#include "tiny_model.h"

#if __has_include(<nccl.h>) && __has_include(<cuda_runtime.h>)
#include <nccl.h>
#endif

using namespace kogrpo;
using namespace kogrpo::testing;

#ifdef KOGRPO_FAKE_NCCL
namespace {

// A lane of the host's memory whose stream ends what it is given when it is told to.
class Stream final : public Lane {
 public:
  explicit Stream(bool ends = true) : lane_(device_->make_lane(false)), ends_(ends) {}
  Device& device() override { return *device_; }
  uint64_t post(Job job) override { return lane_->post(std::move(job)); }
  void wait(uint64_t job) override { lane_->wait(job); }
  void finish() override { lane_->finish(); }
  uint64_t posted() const override { return lane_->posted(); }
  void copy(void* to, const void* from, size_t bytes) override { lane_->copy(to, from, bytes); }
  void add(float* sum, const Tensor& parts) override { lane_->add(sum, parts); }
  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  uint64_t mark() override { return ++marks_; }
  bool reached(uint64_t) override { return ends_; }

 private:
  std::unique_ptr<Device> device_ = make_cpu_device(1);
  std::unique_ptr<Lane> lane_;
  std::atomic<bool> ends_;
  uint64_t marks_ = 0;
};

}  // namespace

TEST_CASE("nccl: the calls of every collective, in order and with their sizes") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  const auto shared = std::make_shared<SharedStore>();
  std::vector<std::string> traces(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      const auto store = std::make_shared<MemoryStore>(shared, 2);
      Stream stream;
      auto c = make_nccl(rank, 2, store);
      c->attach(stream);
      std::vector<float> f(8);
      std::vector<double> d(4);
      c->all_to_all(f.data(), f.data(), 16, "gradients, step 1");
      c->all_reduce(d.data(), 3, "norm");
      c->all_reduce(f.data(), 5, "loss");
      c->all_gather(f.data(), f.data(), 12, "weights");
      c->broadcast(f.data(), 7, 1, "state");
      c.reset();
      traces[static_cast<size_t>(rank)] = nccl_trace(rank);
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

// One turn and one update of an engine that is rank `rank` of 2 with three layers, of which the
// fake moves nothing. Only rank 0 has a micro-batch. A line a collective: its name and bytes.
namespace {
std::string collectives(int rank, Shard shard) {
  ModelConfig c = tiny_model();
  c.num_layers = 3;
  Engine engine(c, {.threads = 1});
  engine.initialize({1, 0.1, 0.0});
  const auto alone = std::make_shared<MemoryStore>(std::make_shared<SharedStore>(), 1);
  if (rank != 0) alone->set("nccl", std::string(128, 0));
  engine.join(make_nccl(rank, 2, alone), shard);
  nccl_trace(rank);
  engine.begin_turn(1, "turn");
  if (rank == 0) {
    const std::vector<int32_t> tokens{1, 2, 3, 4}, cu{0, 4};
    const std::vector<float> coef{0, -1, -1, -1};
    engine.forward_backward({tokens, cu, {}}, coef, {}, AbortFlag());
  }
  engine.accumulate();
  engine.optimizer_step({.learning_rate = 0.1f}, "update");
  std::istringstream calls(nccl_trace(rank));
  std::string line, found;
  while (std::getline(calls, line)) {
    const size_t of = line.find(" of type");
    if (line.starts_with("send") && line.ends_with("to 0")) found += "x" + line.substr(4, of - 4);
    if (line.starts_with("all_gather")) found += "g" + line.substr(10, of - 10);
    if (line.starts_with("send") ? line.ends_with("to 0") : line.starts_with("all_gather"))
      found += "\n";
  }
  return found;
}
}  // namespace

// The longer of two ranks' pieces, in bytes, at multiples of 64 elements: of the head with the
// final norm (2,976 elements) 6016, of a layer (23,936) 47872, of the embedding (2,928) 5888. x:
// all_to_all of gradients, g: all_gather; the 4864 bytes are the squares of the norm, behind their
// number.
TEST_CASE("nccl: the collectives of a step by sharding, the same on a rank without a micro-batch") {
  const std::string gradients = "x 6016\nx 47872\nx 47872\nx 47872\nx 5888\n",
                    norm = "g 8\ng 4864\n";
  // A sum is gathered where it is needed whole (none), weights where they have been updated.
  const std::string weights = "g 5888\ng 47872\ng 47872\ng 47872\ng 6016\n";
  // The first layer has lost its room to the third on the way up. It is gathered again when the
  // third is done, before the second's gradient goes out.
  const std::string backward = "x 6016\nx 47872\ng 47872\nx 47872\nx 47872\nx 5888\n";
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  for (int rank : {0, 1}) {
    CAPTURE(rank);
    CHECK(collectives(rank, Shard::none) == gradients + norm + weights);  // whole sums, not weights
    CHECK(collectives(rank, Shard::optimizer) == gradients + norm + weights);
    CHECK(collectives(rank, Shard::gradients) == gradients + norm + weights);
    CHECK(collectives(rank, Shard::parameters) == weights + backward + norm);
  }
  unsetenv("KOGRPO_NCCL");
}

TEST_CASE("nccl: a transfer that does not end is aborted; later calls say so") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  nccl_trace(0);
  Stream stream(false);
  {
    auto c = make_nccl(0, 1, nullptr, {.limit_s = 0.05});
    c->attach(stream);
    float x = 1;
    c->all_reduce(&x, 1, "gradients, step 7");
    const auto failed = [&] {
      for (int i = 0; i < 200; ++i) {
        try {
          c->check();
        } catch (const CommError& e) {
          return std::string(e.what());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      return std::string("nothing");
    };
    CHECK(failed() == "gradients, step 7: it took longer than 0 s");
    CHECK_THROWS_WITH(c->all_reduce(&x, 1, "gradients, step 8"),
                      doctest::Contains("gradients, step 7: it took longer"));
  }
  CHECK(nccl_trace(0) == "init 0 of 1\nall_reduce 1 of type 7 op 0\nabort\n");
  unsetenv("KOGRPO_NCCL");
}

namespace {
// A store that knows of a lost rank after a while.
class LosingStore final : public Store {
 public:
  void set(const std::string&, const std::string&) override {}
  std::string get(const std::string&) override { return std::string(128, 0); }
  int64_t count(const std::string&) override { return 0; }
  void meet(const std::string&) override {}
  std::string explain(const std::string&, const std::string& cause) override {
    return "rank 1 is dead (" + cause + ")";
  }
  std::string lost() override { return ++asked > 3 ? "rank 1 is dead: its connection" : ""; }
  std::string address() const override { return ""; }
  std::atomic<int> asked = 0;
};
}  // namespace

TEST_CASE("nccl: a rank that is lost ends what waits for it, and is named with the collective") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  nccl_trace(0);
  Stream stream(false);
  const auto store = std::make_shared<LosingStore>();
  auto c = make_nccl(0, 2, store, {.patience_s = 0.01});
  c->attach(stream);
  float x[8] = {};
  c->all_to_all(x, x, 16, Label("gradients, step 3", "part 2 of 5"));
  std::string why;
  for (int i = 0; i < 200 && why.empty(); ++i) {
    try {
      c->check();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    } catch (const CommError& e) {
      why = e.what();
    }
  }
  CHECK(why == "gradients, step 3, part 2 of 5: rank 1 is dead (rank 1 is dead: its connection)");
  CHECK_THROWS_WITH(c->all_reduce(x, 1, "update"), doctest::Contains("earlier collective"));
  CHECK(nccl_trace(0).ends_with("abort\n"));
  unsetenv("KOGRPO_NCCL");
}

// The thread that was left in ncclCommInitRank() comes back when the stand-in lets it go.
TEST_CASE("nccl: GPUs whose meeting does not end are given up, and who is lost is named") {
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  const std::shared_ptr<void> library(dlopen(KOGRPO_FAKE_NCCL, RTLD_NOW),
                                      [](void* l) { dlclose(l); });
  const auto wait = reinterpret_cast<void (*)(int)>(dlsym(library.get(), "fake_nccl_wait"));
  const auto traced = [](int rank, const std::string& text) {
    std::string trace;
    for (int i = 0; i < 500 && trace != text; ++i) {
      trace += nccl_trace(rank);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return trace;
  };
  nccl_trace(0);
  wait(1);
  CHECK_THROWS_WITH_AS(make_nccl(0, 2, std::make_shared<LosingStore>(), {.patience_s = 0.01}),
                       "connecting the GPUs: rank 1 is dead (rank 1 is dead: its connection)",
                       CommError);
  wait(0);
  CHECK(traced(0, "init 0 of 2\nabort\n") == "init 0 of 2\nabort\n");
  wait(1);
  CHECK_THROWS_WITH_AS(make_nccl(0, 1, nullptr, {.limit_s = 0.05}),
                       "connecting the GPUs: ncclCommInitRank took longer than 0 s", CommError);
  wait(0);
  CHECK(traced(0, "init 0 of 1\nabort\n") == "init 0 of 1\nabort\n");
  // On a thread of its own the call needs the GPU that was chosen.
  bool bound = false;
  make_nccl(0, 1, nullptr, {.bind_thread = [&] { bound = true; }});
  CHECK(bound);
  CHECK_THROWS_WITH_AS(
      make_nccl(0, 1, nullptr, {.bind_thread = [] { throw DeviceError("no such GPU"); }}),
      "connecting the GPUs: no such GPU", CommError);
  unsetenv("KOGRPO_NCCL");
}

TEST_CASE("nccl: a library that is not there is an error") {
  setenv("KOGRPO_NCCL", "/nowhere/libnccl.so.2", 1);
  CHECK_THROWS_WITH(NcclApi::load(), doctest::Contains("tried:\n  /nowhere/libnccl.so.2"));
  CHECK(!nccl_status().usable);
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
  CHECK(nccl_status().text == std::string("2.30.7 (") + KOGRPO_FAKE_NCCL + ")");
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
static_assert(Alike<Ours<&NcclApi::get_version>, decltype(&ncclGetVersion)>::value);
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
