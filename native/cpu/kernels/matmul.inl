// (to be written)
namespace kogrpo::KOGRPO_ISA {
constexpr int64_t kMatmulMr = 1, kMatmulNr = 1;
inline void matmul_tile(const MatmulTile&) {}
inline float fma_peak(int64_t) {
  return 0;
}
}  // namespace kogrpo::KOGRPO_ISA
