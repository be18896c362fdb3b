// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void qk_norm_rope_forward(const QkNormRopeForward&, Range) {}
inline void qk_norm_rope_backward_input(const QkNormRopeBackward&, Range) {}
inline void qk_norm_rope_backward_weight(const QkNormRopeBackward&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
