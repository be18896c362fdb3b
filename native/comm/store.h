#pragma once
// The ranks' meeting place: a small key-value store that one process of a run serves over TCP
// (lib/launch/store.ts), which also knows which ranks are alive. A rank has two connections: one
// for requests, one on which a thread says "alive" several times within `patience_s`. A rank whose
// connection has closed is dead, one that is silent for longer than the patience is frozen or cut
// off; the server names them to those who wait.
//
// A message is a list of byte strings: u32 count, then for each u32 length and bytes, little
// endian.
//   hello run rank size patience_ms role("main" | "heart")      → ok
//   alive                                                        → ok who is lost, or nothing
//   set key value                                                → ok
//   get key limit_ms                                             → wait* (ok value | error text)
//   count key                                                    → ok n: 0, 1, 2, … to whoever asks
//   meet label limit_ms                                          → wait* (ok | error text)
//   explain label cause                                          → wait* ok text
//   leave                                                        → ok
// "wait" comes once a second, so that a client can tell a slow rank from a lost server.

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace kogrpo {

// The store is lost, or a meeting failed; the message says why and names ranks.
struct StoreError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual void set(const std::string& key, const std::string& value) = 0;
  // Waits until a rank has set the key.
  virtual std::string get(const std::string& key) = 0;
  // How often ranks have asked for the key before.
  virtual int64_t count(const std::string& key) = 0;
  // Returns when all ranks have come to `label`. Throws StoreError where one cannot come any more.
  virtual void meet(const std::string& label) = 0;
  // After a failure in `label`: which ranks are at fault, as far as can be known.
  virtual std::string explain(const std::string& label, const std::string& cause) = 0;
  // Who is lost as far as the last heartbeat told, or nothing. On any thread, without waiting.
  virtual std::string lost() { return {}; }
  // The address by which this rank reaches the others.
  virtual std::string address() const = 0;
};

// Time-outs in seconds: a millisecond, and 23 days, which as milliseconds are an int.
constexpr double kShortestWait = 1e-3, kLongestWait = 2e6;

struct StoreOptions {
  std::string host;
  int port = 0;
  std::string run;  // a name for this attempt of this run: ranks of another do not meet it
  int rank = 0, size = 1;
  double patience_s = 20;  // silence after which a rank counts as lost
  double limit_s = 1800;   // a meeting fails after this even if all ranks are alive
};

// Connects, trying again until `patience_s` have passed. Throws StoreError, and
// std::invalid_argument for a time-out beyond these bounds.
std::unique_ptr<Store> connect_store(const StoreOptions& options);

}  // namespace kogrpo
