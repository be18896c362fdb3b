// The client of the store: blocking requests with bounded waits, and the thread that says "alive".
#include "comm/store.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/frames.h"

namespace kogrpo {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point in(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

class Connection {
 public:
  explicit Connection(const StoreOptions& o) : options_(o) {
    const auto deadline = in(o.patience_s);
    while (!open()) {
      if (Clock::now() > deadline) fail("no answer: " + problem_);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends the request and returns the first answer that is not "wait".
  Message request(const Message& message) {
    send(message);
    for (;;) {
      Message answer = receive();
      if (answer.empty()) fail("an empty answer");
      if (answer[0] != "wait") return answer;
    }
  }

  std::string local_address() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    char host[NI_MAXHOST] = {};
    if (getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        getnameinfo(reinterpret_cast<sockaddr*>(&address), length, host, sizeof host, nullptr, 0,
                    NI_NUMERICHOST) != 0)
      throw StoreError("cannot tell the address by which this rank reaches the store");
    return host;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw StoreError("the rendezvous store at " + options_.host + ":" +
                     std::to_string(options_.port) + " is lost: " + why +
                     "; the process that keeps it has ended, or this node is cut off from it");
  }

  bool open() {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int status =
        getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &found);
    if (status != 0) {
      problem_ = gai_strerror(status);
      return false;
    }
    for (const addrinfo* a = found; a && fd_ < 0; a = a->ai_next) {
      const int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (fd >= 0 && (connect(fd, a->ai_addr, a->ai_addrlen) == 0 || errno == EINPROGRESS)) {
        if (connected(fd)) fd_ = fd;
      } else {
        problem_ = std::strerror(errno);
      }
      if (fd >= 0 && fd_ < 0) ::close(fd);
    }
    freeaddrinfo(found);
    if (fd_ < 0) return false;
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
  }

  bool connected(int fd) {
    pollfd p{fd, POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t length = sizeof error;
    if (poll(&p, 1, std::min(2000, static_cast<int>(options_.patience_s * 1000))) == 1)
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    problem_ = std::strerror(error);
    return error == 0;
  }

  void send(const Message& message) {
    const std::string bytes = encode_message(message);
    for (size_t done = 0; done < bytes.size();) {
      wait(POLLOUT);
      const ssize_t n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (n > 0)
        done += static_cast<size_t>(n);
      else if (errno != EAGAIN && errno != EINTR)
        fail(std::strerror(errno));
    }
  }

  Message receive() {
    try {
      return read_message([this](char* out, size_t n) { read(out, n); });
    } catch (const FrameError& e) {
      fail(e.what());
    }
  }

  void read(char* out, size_t n) {
    for (size_t done = 0; done < n;) {
      wait(POLLIN);
      const ssize_t got = ::recv(fd_, out + done, n - done, 0);
      if (got > 0)
        done += static_cast<size_t>(got);
      else if (got == 0)
        fail("the connection was closed");
      else if (errno != EAGAIN && errno != EINTR)
        fail(std::strerror(errno));
    }
  }

  // The server speaks at least once a second while it has something to answer.
  void wait(short events) {
    pollfd p{fd_, events, 0};
    const int ms = static_cast<int>(std::max(options_.patience_s, 2.0) * 1000);
    const int ready = poll(&p, 1, ms);
    if (ready == 0) fail("silent for " + std::to_string(ms / 1000) + " s");
    if (ready < 0 && errno != EINTR) fail(std::strerror(errno));
  }

  const StoreOptions& options_;
  int fd_ = -1;
  std::string problem_;
};

std::string milliseconds(double seconds) {
  return std::to_string(static_cast<int64_t>(seconds * 1000));
}

class TcpStore final : public Store {
 public:
  explicit TcpStore(const StoreOptions& options)
      : options_(options), main_(options_), heart_(options_) {
    hello(main_, "main");
    hello(heart_, "heart");
    thread_ = std::thread([this] { beat(); });
  }

  ~TcpStore() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
    try {
      main_.request({"leave"});
    } catch (const StoreError&) {  // it is gone: nobody is left to be told
    }
  }

  void set(const std::string& key, const std::string& value) override {
    answer(main_.request({"set", key, value}));
  }
  std::string get(const std::string& key) override {
    return answer(main_.request({"get", key, milliseconds(options_.limit_s)}));
  }
  int64_t count(const std::string& key) override {
    const std::string text = answer(main_.request({"count", key}));
    int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0)
      throw StoreError("the store's answer '" + text + "' is no count");
    return value;
  }
  void meet(const std::string& label) override {
    answer(main_.request({"meet", label, milliseconds(options_.limit_s)}));
  }
  std::string explain(const std::string& label, const std::string& cause) override {
    return answer(main_.request({"explain", label, cause}));
  }
  std::string lost() override {
    const std::lock_guard lock(mutex_);
    return lost_;
  }
  std::string address() const override { return main_.local_address(); }

 private:
  static std::string answer(const Message& message) {
    if (message[0] != "ok") throw StoreError(message.size() > 1 ? message[1] : message[0]);
    return message.size() > 1 ? message[1] : "";
  }

  void hello(Connection& connection, const std::string& role) {
    answer(connection.request({"hello", options_.run, std::to_string(options_.rank),
                               std::to_string(options_.size), milliseconds(options_.patience_s),
                               role}));
  }

  // A lost store shows itself at the next request of the main connection.
  void beat() {
    const auto interval = std::chrono::duration<double>(std::min(options_.patience_s / 8, 1.0));
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
      lock.unlock();
      std::string lost;
      bool alive = true;
      try {
        lost = answer(heart_.request({"alive"}));
      } catch (const StoreError& e) {
        lost = e.what();
        alive = false;
      }
      lock.lock();
      lost_ = lost;
      if (!alive) return;
    }
  }

  const StoreOptions options_;
  Connection main_, heart_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::string lost_;  // as the last heartbeat told
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Store> connect_store(const StoreOptions& options) {
  for (const double seconds : {options.patience_s, options.limit_s})
    if (!(seconds >= kShortestWait && seconds <= kLongestWait))
      throw std::invalid_argument("patience and limit must be from 0.001 to 2,000,000 s");
  return std::make_unique<TcpStore>(options);
}

}  // namespace kogrpo
