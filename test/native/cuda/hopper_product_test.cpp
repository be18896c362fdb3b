// The Hopper vocabulary, form by form: what TMA writes, what descriptors name and which lane holds
// what must agree before any kernel built of them can be right. gpu-check runs it first, so that a
// GPU says first which of them does not.

#include "hopper_product.h"

#include "cuda/attention_sm90.h"
#include "device_testing.h"

namespace kogrpo::cuda {
namespace {

using testing::cuda_ops;

struct Operand {
  std::vector<bf16> host;
  DeviceBuffer<bf16> device;
  explicit Operand(int64_t rows, uint32_t seed) : device(size_t(rows) * 128) {
    for (const float x : testing::random_floats(size_t(rows) * 128, seed, 1))
      host.push_back(round_to_bf16(x));
    KOGRPO_CUDA(cudaMemcpyAsync(device.data(), host.data(), host.size() * 2, cudaMemcpyHostToDevice,
                                cuda_ops().context().stream()));
    cuda_ops().synchronize();
  }
  double at(int row, int col) const {
    const auto i = size_t(row) * 128 + size_t(col);
    return i < host.size() ? double(widen(host[i])) : 0;
  }
  TensorMap map() const {
    return tensor_map({device.data(), DType::bf16, int64_t(host.size() / 128), 128, 128}, 128);
  }
};

// By two blocks: the emulation's second copies and multiplies late.
template <int form>
void check_product(const Operand& a, const Operand& b) {
  CAPTURE(form);
  CudaOps& ops = cuda_ops();
  DeviceBuffer<float> result(64 * 128);
  KOGRPO_CUDA(cudaMemsetAsync(result.data(), 0xff, 64 * 128 * 4, ops.context().stream()));
  launch(ops.context().stream(), "product", {dim3(2), dim3(128), kProductBytes},
         hopper_product<form>, a.map(), b.map(), a.device.data(), true, result.data());
  std::vector<float> d(64 * 128);
  KOGRPO_CUDA(cudaMemcpyAsync(d.data(), result.data(), d.size() * 4, cudaMemcpyDeviceToHost,
                              ops.context().stream()));
  ops.synchronize();
  double error = 0, norm = 0;
  for (int r = 0; r < 64; ++r)
    for (int c = 0; c < 128; ++c) {
      double sum = 0;
      for (int k = 0; k < 128; ++k)
        sum +=
            (form == 2 ? a.at(k, 64 + r) : a.at(64 + r, k)) * (form == 0 ? b.at(c, k) : b.at(k, c));
      const double difference = sum - double(d[size_t(r) * 128 + size_t(c)]);
      error += difference * difference;
      norm += sum * sum;
    }
  // Eight cut-off additions of 2⁻²³ each at most: below 1e-12; NaN fails, an element elsewhere
  // is 1.
  CHECK(error / norm <= 1e-11);
}

TEST_CASE("Hopper: TMA, descriptors and fragments agree, in every form of a product") {
  if (!hopper_code(cuda_ops().context())) {
    MESSAGE("skipped: needs compute capability 9.0 and code for sm_90a");
    return;
  }
  const Operand a(128, 1), b(128, 2), part(100, 3);
  check_product<0>(a, b);
  check_product<1>(a, b);
  check_product<2>(a, b);
  check_product<3>(a, b);
  // Rows that the matrix lacks are 0, and the tile is complete all the same.
  check_product<0>(part, b);
  check_product<1>(a, part);
}

}  // namespace
}  // namespace kogrpo::cuda
