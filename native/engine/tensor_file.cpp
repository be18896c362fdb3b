#include "engine/tensor_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/errors.h"
#include "ops/bf16.h"

namespace kogrpo {
namespace {

constexpr int64_t kBlock = 1 << 20;  // elements converted at a time

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw IoError(what + " '" + path + "': " + std::strerror(errno));
}

// Makes a system call again that a signal has interrupted.
template <class Call>
auto retried(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// Read by pread and never mapped: a file that another process cuts off while it is mapped would end
// this one with SIGBUS.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    // O_NONBLOCK: opening a named pipe must not wait for its writer.
    fd_ = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
    if (fd_ < 0) fail("cannot open", path);
    struct stat info {};
    if (::fstat(fd_, &info) != 0) {
      ::close(fd_);
      fail("cannot stat", path);
    }
    if (!S_ISREG(info.st_mode)) {
      ::close(fd_);
      throw IoError("'" + path + "' is not a regular file");
    }
    size_ = static_cast<uint64_t>(info.st_size);
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }

  void read(int64_t offset, void* out, size_t bytes) const {
    auto* p = static_cast<uint8_t*>(out);
    while (bytes > 0) {
      const ssize_t n = ::pread(fd_, p, bytes, offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail("cannot read", path_);
      if (n == 0) throw IoError("'" + path_ + "' became shorter while it was read");
      p += n;
      offset += n;
      bytes -= static_cast<size_t>(n);
    }
  }

 private:
  const std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

float from_half(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 31u, fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

}  // namespace

void read_tensor(const std::string& path, int64_t offset, DType dtype, float* out, int64_t n) {
  if (dtype == DType::i32)
    throw std::invalid_argument("weights are read from F32, BF16 or F16 only");
  const InputFile file(path);
  if (offset < 0 || n < 0 || static_cast<uint64_t>(offset) > file.size() ||
      static_cast<uint64_t>(n) > (file.size() - static_cast<uint64_t>(offset)) / size_of(dtype))
    throw IoError("'" + path + "' ends before the tensor that its header places at byte " +
                  std::to_string(offset) + ": the file is truncated");
  if (dtype == DType::f32) return file.read(offset, out, static_cast<size_t>(n) * 4);
  std::vector<uint16_t> block(static_cast<size_t>(std::min(n, kBlock)));
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = std::min(kBlock, n - begin);
    file.read(offset + 2 * begin, block.data(), static_cast<size_t>(count) * 2);
    std::transform(block.begin(), block.begin() + count, out + begin, [dtype](uint16_t bits) {
      return dtype == DType::bf16 ? widen({bits}) : from_half(bits);
    });
  }
}

int64_t file_size(const std::string& path) {
  return static_cast<int64_t>(InputFile(path).size());
}

TensorFileWriter::TensorFileWriter(const std::string& path) : path_(path) {
  fd_ =
      retried([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); });
  if (fd_ < 0) fail("cannot create", path);
}

TensorFileWriter::TensorFileWriter(const std::string& path, std::span<const uint8_t> header)
    : TensorFileWriter(path) {  // from here on the destructor removes what was not completed
  write(header.data(), header.size());
}

TensorFileWriter::~TensorFileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void encode_tensor(const float* data, int64_t n, DType dtype,
                   const std::function<void(const void*, size_t)>& write) {
  if (dtype == DType::f32) return write(data, static_cast<size_t>(n) * 4);
  if (dtype != DType::bf16) throw std::invalid_argument("weights are written as F32 or BF16 only");
  std::vector<bf16> block(static_cast<size_t>(std::min(n, kBlock)));
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = std::min(kBlock, n - begin);
    std::transform(data + begin, data + begin + count, block.begin(), round_to_bf16);
    write(block.data(), static_cast<size_t>(count) * 2);
  }
}

void TensorFileWriter::append(const float* data, int64_t n, DType dtype) {
  encode_tensor(data, n, dtype, [&](const void* bytes, size_t count) { write(bytes, count); });
}

void TensorFileWriter::finish() {
  if (retried([&] { return ::fsync(fd_); }) != 0) fail("cannot flush", path_);
  // Linux has closed the descriptor also where a signal came; the data is on the disk already.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail("cannot close", path_);
}

void TensorFileWriter::write(const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t n = retried([&] { return ::write(fd_, p, bytes); });
    if (n < 0) fail("cannot write", path_);
    p += n;
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace kogrpo
