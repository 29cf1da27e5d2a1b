#pragma once

#include <optional>

#include "core/plane.h"

namespace fullconv {

/// Kernels of higher rank are left to other algorithms. Those that people put on photographs have
/// one (box, Gaussian, Sobel) or two (Laplacian of a Gaussian); four is where the bound of
/// ErrorModel::low_rank ends.
inline constexpr int kMostRank = 4;

/// The terms of a sum of products of a column, of h elements, and a row, of w.
template <class T>
struct CrossTerms {
  T* data;  // (h + w) elements a term
  index_t h, w;

  T* column(index_t term) const { return data + term * (h + w); }
  T* row(index_t term) const { return column(term) + h; }
};

/// Cross approximation: the number of terms, at most `most`, with which
/// ‖k − Σ column·rowᵀ‖₂ ≤ 8·u·‖k‖₂ and Σ‖column‖₂‖row‖₂ ≤ 3·‖k‖₂, or none if there are not so few
/// or the elements of k are not finite or far from 1. No element of a row is larger than 1.
///
/// `residual` has room for h·w elements, `terms` for `most`; 1 ≤ most ≤ kMostRank.
template <class T>
std::optional<int> cross_approximate(const Plane<const T>& k, int most, double* residual,
                                     const CrossTerms<T>& terms);

extern template std::optional<int> cross_approximate(const Plane<const float>&, int, double*,
                                                     const CrossTerms<float>&);
extern template std::optional<int> cross_approximate(const Plane<const double>&, int, double*,
                                                     const CrossTerms<double>&);

}  // namespace fullconv
