// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void rmsnorm_forward(const RmsNormForward&, Range) {}
inline void rmsnorm_backward_input(const RmsNormBackward&, Range) {}
inline void rmsnorm_backward_weight(const RmsNormBackward&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
