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

// Means of rows of the tensor, by list; sums in double precision.
std::vector<float> means_of(const TensorSource& s) {
  const std::vector<int32_t>&ids = s.further.ids, &cu = s.further.cu;
  if (cu.empty()) return {};
  const int64_t height = s.further.height;
  if (height < s.rows || !countable(height, s.cols))
    throw std::invalid_argument("further: height must be the tensor's rows, at least the " +
                                std::to_string(s.rows) + " that are copied");
  require_range(s.file, s.begin, s.dtype, height * s.cols);
  std::vector<float> means, row(static_cast<size_t>(s.cols));
  std::vector<double> sum(static_cast<size_t>(s.cols));
  for (size_t list = 0; list + 1 < cu.size(); ++list) {
    if (cu[list] < 0 || cu[list + 1] <= cu[list] || static_cast<size_t>(cu[list + 1]) > ids.size())
      throw std::invalid_argument("further: list " + std::to_string(list) + " must have ids");
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int32_t i = cu[list]; i < cu[list + 1]; ++i) {
      const int64_t id = ids[static_cast<size_t>(i)];
      if (id < 0 || id >= height)
        throw std::invalid_argument("further: id " + std::to_string(id) +
                                    " is none of the tensor's " + std::to_string(height) + " rows");
      read_tensor(s.file, s.begin + id * s.cols * static_cast<int64_t>(size_of(s.dtype)), s.dtype,
                  row.data(), s.cols);
      for (size_t c = 0; c < row.size(); ++c) sum[c] += double(row[c]);
    }
    for (const double x : sum)
      means.push_back(static_cast<float>(x / double(cu[list + 1] - cu[list])));
  }
  return means;
}

void append_further(const TensorSource& s, DType dtype, TensorFileWriter& out) {
  const FurtherRows& further = s.further;
  out.append(further.values.data(), static_cast<int64_t>(further.values.size()), dtype);
  const std::vector<float> means = means_of(s), zeros(static_cast<size_t>(s.cols));
  for (const int32_t list : further.of) {
    if (list >= static_cast<int64_t>(means.size()) / s.cols)
      throw std::invalid_argument("further: there is no list " + std::to_string(list));
    out.append(list < 0 ? zeros.data() : means.data() + list * s.cols, s.cols, dtype);
  }
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
    if (s.rows < 1 || !countable(s.rows, s.cols) || s.added.rank < 0 ||
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
    append_further(s, dtype, out);
    on_tensor();
  }
  out.finish();
}

}  // namespace kogrpo
