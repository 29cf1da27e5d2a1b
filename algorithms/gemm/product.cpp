// Matrix products: gemm/product-inl.h, for each instruction set.

#include "gemm/product.h"

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm/product.cpp"
#include <hwy/foreach_target.h>

#include "gemm/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

void multiply_f32(const MatrixProduct<float>& product) { TiledProduct<float>(product).compute(); }
void multiply_f64(const MatrixProduct<double>& product) { TiledProduct<double>(product).compute(); }

bool pack_f32(const PackedFactors<float>& factors) { return pack_factors(factors); }
bool pack_f64(const PackedFactors<double>& factors) { return pack_factors(factors); }

void transpose_f32(const float* from, index_t from_stride, index_t rows, index_t columns, float* to,
                   index_t to_stride, bool past_caches) {
  transpose_matrix(from, from_stride, rows, columns, to, to_stride, past_caches);
}
void transpose_f64(const double* from, index_t from_stride, index_t rows, index_t columns,
                   double* to, index_t to_stride, bool past_caches) {
  transpose_matrix(from, from_stride, rows, columns, to, to_stride, past_caches);
}

index_t lanes_f32() { return kLanes<float>; }
index_t lanes_f64() { return kLanes<double>; }
index_t tiles(index_t rows) { return ceil_divide(rows, kMostProductRows); }
index_t vectors(index_t rows) {
  return most_vectors(static_cast<int>(ceil_divide(rows, tiles(rows))));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace fullconv
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fullconv {
namespace {

HWY_EXPORT(multiply_f32);
HWY_EXPORT(multiply_f64);
HWY_EXPORT(pack_f32);
HWY_EXPORT(pack_f64);
HWY_EXPORT(transpose_f32);
HWY_EXPORT(transpose_f64);
HWY_EXPORT(lanes_f32);
HWY_EXPORT(lanes_f64);
HWY_EXPORT(tiles);
HWY_EXPORT(vectors);

}  // namespace

template <>
void multiply<float>(const MatrixProduct<float>& product) {
  HWY_DYNAMIC_DISPATCH(multiply_f32)(product);
}
template <>
void multiply<double>(const MatrixProduct<double>& product) {
  HWY_DYNAMIC_DISPATCH(multiply_f64)(product);
}

template <>
bool pack<float>(const PackedFactors<float>& factors) {
  return HWY_DYNAMIC_DISPATCH(pack_f32)(factors);
}
template <>
bool pack<double>(const PackedFactors<double>& factors) {
  return HWY_DYNAMIC_DISPATCH(pack_f64)(factors);
}

template <>
void transpose<float>(const float* from, index_t from_stride, index_t rows, index_t columns,
                      float* to, index_t to_stride, bool past_caches) {
  HWY_DYNAMIC_DISPATCH(transpose_f32)(from, from_stride, rows, columns, to, to_stride, past_caches);
}
template <>
void transpose<double>(const double* from, index_t from_stride, index_t rows, index_t columns,
                       double* to, index_t to_stride, bool past_caches) {
  HWY_DYNAMIC_DISPATCH(transpose_f64)(from, from_stride, rows, columns, to, to_stride, past_caches);
}

template <>
index_t vector_lanes<float>() {
  return HWY_DYNAMIC_DISPATCH(lanes_f32)();
}
template <>
index_t vector_lanes<double>() {
  return HWY_DYNAMIC_DISPATCH(lanes_f64)();
}

index_t tiles_of(index_t rows) { return HWY_DYNAMIC_DISPATCH(tiles)(rows); }
index_t most_tile_vectors(index_t rows) { return HWY_DYNAMIC_DISPATCH(vectors)(rows); }

}  // namespace fullconv
#endif
