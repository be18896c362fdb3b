#include "engine/rewrite.h"

#include <algorithm>
#include <stdexcept>

#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

constexpr int64_t kBlockFloats = int64_t{1} << 22;  // 16 MiB
constexpr int64_t kMostElements = int64_t{1} << 50;

// Whether rows × cols is a number of elements.
bool countable(int64_t rows, int64_t cols) {
  return rows >= 0 && cols >= 1 && rows <= kMostElements / cols;
}

// The files must hold what is asked for before memory is asked for to hold it.
void require_range(const std::string& file, int64_t begin, DType dtype, int64_t n) {
  const int64_t size = file_size(file);
  if (begin < 0 || begin > size || n > (size - begin) / static_cast<int64_t>(size_of(dtype)))
    throw IoError("'" + file + "' ends before the tensor at byte " + std::to_string(begin) +
                  ": the file is truncated");
}

std::vector<float> read_factor(const LowRank::Factor& factor, int64_t n) {
  require_range(factor.file, factor.begin, factor.dtype, n);
  std::vector<float> values(static_cast<size_t>(n));
  read_tensor(factor.file, factor.begin, factor.dtype, values.data(), n);
  return values;
}

// out[rows, cols] += scale · b[rows, rank] · a[rank, cols], each element's sum over the rank first.
void add_low_rank(const LowRank& low, const float* a, const float* b, int64_t rows, int64_t cols,
                  float* out) {
  std::vector<float> sum(static_cast<size_t>(cols));
  for (int64_t r = 0; r < rows; ++r) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (int64_t k = 0; k < low.rank; ++k) {
      const float factor = b[r * low.rank + k];
      for (int64_t c = 0; c < cols; ++c) sum[static_cast<size_t>(c)] += factor * a[k * cols + c];
    }
    for (int64_t c = 0; c < cols; ++c) out[r * cols + c] += low.scale * sum[static_cast<size_t>(c)];
  }
}

}  // namespace

void rewrite_tensors(const std::string& path, std::span<const uint8_t> header,
                     std::span<const TensorSource> sources, DType dtype,
                     const std::function<void()>& on_tensor, const AbortFlag& abort) {
  TensorFileWriter out(path, header);
  std::vector<float> block;
  for (const TensorSource& s : sources) {
    if (!countable(s.rows, s.cols) || s.added.rank < 0 ||
        !countable(s.added.rank, std::max(s.rows, s.cols)))
      throw std::invalid_argument("rows and cols must be positive, and their product a size");
    if (!s.row_scale.empty() && static_cast<int64_t>(s.row_scale.size()) != s.rows)
      throw std::invalid_argument("rowScale must have one element per row (" +
                                  std::to_string(s.rows) + "), not " +
                                  std::to_string(s.row_scale.size()));
    require_range(s.file, s.begin, s.dtype, s.rows * s.cols);
    std::vector<float> a, b;
    if (s.added.rank > 0) {
      a = read_factor(s.added.a, s.added.rank * s.cols);
      b = read_factor(s.added.b, s.added.rank * s.rows);
    }
    const int64_t step = std::max(int64_t{1}, kBlockFloats / s.cols);
    for (int64_t begin = 0; begin < s.rows; begin += step) {
      abort.check();
      const int64_t rows = std::min(step, s.rows - begin), n = rows * s.cols;
      block.resize(static_cast<size_t>(n));
      read_tensor(s.file, s.begin + begin * s.cols * static_cast<int64_t>(size_of(s.dtype)),
                  s.dtype, block.data(), n);
      if (!s.row_scale.empty())
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < s.cols; ++c)
            block[static_cast<size_t>(r * s.cols + c)] *=
                s.row_scale[static_cast<size_t>(begin + r)];
      if (s.added.rank > 0)
        add_low_rank(s.added, a.data(), b.data() + begin * s.added.rank, rows, s.cols,
                     block.data());
      out.append(block.data(), n, dtype);
    }
    on_tensor();
  }
  out.finish();
}

}  // namespace kogrpo
