// Matrix products: gemm/product-inl.h, for each instruction set.

#include "gemm/product.h"

#include "core/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "gemm/product.cpp"
#include <hwy/foreach_target.h>

#include "gemm/product-inl.h"
#include "gemm/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fullconv {
namespace HWY_NAMESPACE {
namespace {

void multiply_f32(const MatrixProduct<float>& product) { TiledProduct<float>(product).compute(); }
void multiply_f64(const MatrixProduct<double>& product) { TiledProduct<double>(product).compute(); }

void transpose_f32(const float* from, index_t from_stride, index_t rows, index_t columns, float* to,
                   index_t to_stride) {
  transpose_matrix(from, from_stride, rows, columns, to, to_stride);
}
void transpose_f64(const double* from, index_t from_stride, index_t rows, index_t columns,
                   double* to, index_t to_stride) {
  transpose_matrix(from, from_stride, rows, columns, to, to_stride);
}

bool finite_f32(const float* elements, index_t count) { return are_finite(elements, count); }
bool finite_f64(const double* elements, index_t count) { return are_finite(elements, count); }

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
HWY_EXPORT(transpose_f32);
HWY_EXPORT(transpose_f64);
HWY_EXPORT(finite_f32);
HWY_EXPORT(finite_f64);
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
void transpose<float>(const float* from, index_t from_stride, index_t rows, index_t columns,
                      float* to, index_t to_stride) {
  HWY_DYNAMIC_DISPATCH(transpose_f32)(from, from_stride, rows, columns, to, to_stride);
}
template <>
void transpose<double>(const double* from, index_t from_stride, index_t rows, index_t columns,
                       double* to, index_t to_stride) {
  HWY_DYNAMIC_DISPATCH(transpose_f64)(from, from_stride, rows, columns, to, to_stride);
}

template <>
bool all_finite<float>(const float* elements, index_t count) {
  return HWY_DYNAMIC_DISPATCH(finite_f32)(elements, count);
}
template <>
bool all_finite<double>(const double* elements, index_t count) {
  return HWY_DYNAMIC_DISPATCH(finite_f64)(elements, count);
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
