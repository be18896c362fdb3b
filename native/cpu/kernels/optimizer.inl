// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void adamw(const AdamW&, float, float, Range) {}
inline double sum_of_squares(const float*, Range) {
  return 0;
}
inline void scale(float*, float, Range) {}
inline void lerp(float*, const float*, float, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
