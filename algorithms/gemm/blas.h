#pragma once

#include <cblas.h>

#include <limits>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "fullconv/view.h"

// For float and double alike: row-major C[m,n] = A[m,k]·B[k,n] + beta·C.
namespace fullconv::blas {

/// While this lives, OpenMP gives the calling thread no others. OpenBLAS 0.3.29 takes as many as it
/// gives, whatever openblas_set_num_threads() said before the first product.
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;

 public:
#else
  OneThread() {}
#endif
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

/// "OpenBLAS 0.3.21, SkylakeX": the processor that it takes this one for.
inline std::string describe() {
  const std::string configuration = openblas_get_config();  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  const auto end = configuration.find(' ', configuration.find(' ') + 1);
  return configuration.substr(0, end) + ", " + openblas_get_corename();
}

/// OpenBLAS's thread count belongs to the whole process; it stays at one, and we thread over
/// panels. OpenBLAS 0.3.21 would pass it on to OpenMP.
inline void use_one_thread() {
  const OneThread and_openmp_as_before;
  openblas_set_num_threads(1);
}

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
