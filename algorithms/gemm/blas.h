#pragma once

#include <cblas.h>

#include <limits>

#include "fullconv/view.h"

// For float and double alike: row-major C[m,n] = A[m,k]·B[k,n] + beta·C.
namespace fullconv::blas {

/// OpenBLAS's thread count belongs to the whole process; it stays at one, and we thread over
/// panels.
inline void use_one_thread() { openblas_set_num_threads(1); }

/// Whether a size or a stride between rows fits OpenBLAS's integers.
constexpr bool takes_size(index_t size) { return size <= std::numeric_limits<blasint>::max(); }

inline void gemm(index_t m, index_t n, index_t k, const float* a, index_t lda, const float* b,
                 index_t ldb, float beta, float* c, index_t ldc) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), 1.0F, a, static_cast<blasint>(lda),
              b, static_cast<blasint>(ldb), beta, c, static_cast<blasint>(ldc));
}

inline void gemm(index_t m, index_t n, index_t k, const double* a, index_t lda, const double* b,
                 index_t ldb, double beta, double* c, index_t ldc) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), 1.0, a, static_cast<blasint>(lda),
              b, static_cast<blasint>(ldb), beta, c, static_cast<blasint>(ldc));
}

}  // namespace fullconv::blas
