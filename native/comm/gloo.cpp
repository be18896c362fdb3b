// Collectives in host memory over TCP by Gloo (Debian: libgloo-dev). Ranks connect to each other
// (full mesh) at the addresses by which they reach the store.
#include <gloo/allgather.h>
#include <gloo/allgatherv.h>
#include <gloo/allreduce.h>
#include <gloo/alltoall.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/transport/tcp/device.h>

#include <chrono>
#include <cstdlib>

#include "comm/communicator.h"

namespace kogrpo {
namespace {

class GlooStore final : public gloo::rendezvous::Store {
 public:
  explicit GlooStore(kogrpo::Store& store) : store_(store) {}
  void set(const std::string& key, const std::vector<char>& data) override {
    store_.set("gloo/" + key, {data.begin(), data.end()});
  }
  std::vector<char> get(const std::string& key) override {
    const std::string value = store_.get("gloo/" + key);
    return {value.begin(), value.end()};
  }
  void wait(const std::vector<std::string>& keys) override {
    for (const std::string& key : keys) store_.get("gloo/" + key);
  }
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override {
    wait(keys);  // the store has a limit of its own
  }

 private:
  kogrpo::Store& store_;
};

class Gloo final : public Communicator {
 public:
  Gloo(int rank, int size, const std::shared_ptr<Store>& store, double timeout_s)
      : Communicator(rank, size, store) {
    gloo::transport::tcp::attr attr;
    const char* interface = std::getenv("KOGRPO_COMM_INTERFACE");
    if (interface && *interface)
      attr.iface = interface;
    else
      attr.hostname = store->address();
    auto device = gloo::transport::tcp::CreateDevice(attr);
    context_ = std::make_shared<gloo::rendezvous::Context>(rank, size);
    context_->setTimeout(std::chrono::milliseconds(static_cast<int64_t>(timeout_s * 1000)));
    GlooStore keys(*store);
    context_->connectFullMesh(keys, device);
  }
  std::string name() const override { return "gloo"; }

 private:
  template <class T>
  void sum(T* data, size_t n) {
    gloo::AllreduceOptions options(context_);
    options.setOutput(data, n);
    void (*add)(void*, const void*, const void*, size_t) = &gloo::sum<T>;
    options.setReduceFunction(add);
    gloo::allreduce(options);
  }
  void do_all_reduce(float* data, size_t n) override { sum(data, n); }
  void do_all_reduce(double* data, size_t n) override { sum(data, n); }

  void do_all_gather(const void* send, void* receive, size_t bytes) override {
    gloo::AllgatherOptions options(context_);
    options.setInput(static_cast<char*>(const_cast<void*>(send)), bytes);
    options.setOutput(static_cast<char*>(receive), bytes * static_cast<size_t>(size()));
    gloo::allgather(options);
  }
  void do_all_to_all(const void* send, void* receive, size_t bytes) override {
    gloo::AlltoallOptions options(context_);
    const size_t all = bytes * static_cast<size_t>(size());
    options.setInput(static_cast<char*>(const_cast<void*>(send)), all);
    options.setOutput(static_cast<char*>(receive), all);
    gloo::alltoall(options);
  }
  void do_broadcast(void* data, size_t bytes, int root) override {
    gloo::BroadcastOptions options(context_);
    options.setOutput(static_cast<char*>(data), bytes);
    options.setRoot(root);
    gloo::broadcast(options);
  }
  std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t> mine) override {
    const auto ranks = static_cast<size_t>(size());
    const uint64_t length = mine.size();
    std::vector<uint64_t> lengths(ranks);
    do_all_gather(&length, lengths.data(), sizeof length);
    std::vector<size_t> counts(lengths.begin(), lengths.end());
    size_t total = 0;
    for (const size_t n : counts) total += n;
    std::vector<uint8_t> all(total + 1), own(mine.begin(), mine.end());
    own.push_back(0);  // Gloo wants a pointer even to nothing
    gloo::AllgathervOptions options(context_);
    options.setInput(own.data(), mine.size());
    options.setOutput(all.data(), counts);
    gloo::allgatherv(options);
    std::vector<std::vector<uint8_t>> parts;
    auto at = all.begin();
    for (const size_t n : counts) {
      parts.emplace_back(at, at + static_cast<std::ptrdiff_t>(n));
      at += static_cast<std::ptrdiff_t>(n);
    }
    return parts;
  }
  void do_barrier() override {
    gloo::BarrierOptions options(context_);
    gloo::barrier(options);
  }

  std::shared_ptr<gloo::rendezvous::Context> context_;
};

}  // namespace

bool has_gloo() {
  return true;
}

std::unique_ptr<Communicator> make_gloo(int rank, int size, std::shared_ptr<Store> store,
                                        double timeout_s) {
  const std::string label = "connecting the ranks";
  try {
    store->meet(label);
    return std::make_unique<Gloo>(rank, size, store, timeout_s);
  } catch (const StoreError& e) {
    throw CommError(label + ": " + e.what());
  } catch (const std::exception& e) {
    throw CommError(explained(store.get(), label, e.what()));
  }
}

}  // namespace kogrpo
