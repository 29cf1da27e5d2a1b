// Cross approximation: Gaussian elimination with complete pivoting takes the row and the column of
// the largest element of what is left of a kernel for one more term, until no more is left than
// rounding leaves. A few elements tell most kernels of high rank first. Bebendorf, Approximation of
// Boundary Element Matrices, Numer. Math. 86, 2000.

#include "direct/cross_approximation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fullconv {
namespace {

/// Elements that are looked at together, each in its lane, so that compilers make vectors of them.
constexpr index_t kSums = 8;

/// The largest magnitude among some numbers, and the sum of their squares. Where one of them is not
/// finite, neither is the sum.
struct Size {
  double largest = 0;
  double squares = 0;
};

/// The size of the numbers element(j), j < count.
template <class Element>
Size size_of(index_t count, const Element& element) {
  double largest[kSums] = {}, squares[kSums] = {};
  const auto take = [&](index_t j, index_t lane) {
    const double value = element(j);
    largest[lane] = std::max(largest[lane], std::abs(value));
    squares[lane] += value * value;
  };
  index_t j = 0;
  for (; j + kSums <= count; j += kSums) {
    for (index_t lane = 0; lane < kSums; ++lane) take(j + lane, lane);
  }
  for (; j < count; ++j) take(j, 0);
  Size size;
  for (index_t lane = 0; lane < kSums; ++lane) {
    size.largest = std::max(size.largest, largest[lane]);
    size.squares += squares[lane];
  }
  return size;
}

/// k − Σ column·rowᵀ in double precision, with as many terms as have been taken.
class Residual {
 public:
  /// Begins as k, with no term taken. Uses `elements`, as many as k has.
  template <class T>
  Residual(const Plane<const T>& k, double* elements)
      : elements_{elements, k.rows, k.columns, k.columns} {
    update([&](index_t p, index_t q) { return static_cast<double>(k(p, q)); });
  }

  double norm() const { return std::sqrt(squares_); }
  double largest() const { return largest_; }

  /// Takes the cross of the row and the column with the largest element for one more term.
  template <class T>
  void take_cross(T* column, T* row) {
    const Plane<double>& left = elements_;
    const double* pivots = left.row(pivot_row_);
    const index_t pivot_column =
        std::find_if(pivots, pivots + left.columns,
                     [&](double value) { return std::abs(value) == largest_; }) -
        pivots;
    const double pivot = largest_ == 0 ? 1 : pivots[pivot_column];
    for (index_t p = 0; p < left.rows; ++p) column[p] = static_cast<T>(left(p, pivot_column));
    for (index_t q = 0; q < left.columns; ++q) row[q] = static_cast<T>(pivots[q] / pivot);
    // As rounded: so the next term makes up for that.
    update([&](index_t p, index_t q) {
      return left(p, q) - static_cast<double>(column[p]) * static_cast<double>(row[q]);
    });
  }

 private:
  /// elements[p,q] = element(p, q).
  template <class Element>
  void update(const Element& element) {
    largest_ = squares_ = 0;
    for (index_t p = 0; p < elements_.rows; ++p) {
      const Size size = size_of(elements_.columns, [&, row = elements_.row(p)](index_t q) {
        return row[q] = element(p, q);
      });
      squares_ += size.squares;
      if (size.largest > largest_) {
        largest_ = size.largest;
        pivot_row_ = p;
      }
    }
  }

  Plane<double> elements_;
  double largest_ = 0;
  double squares_ = 0;
  index_t pivot_row_ = 0;
};

template <class T>
constexpr double kUnitRoundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

template <class T>
double norm(const T* elements, index_t count) {
  return std::sqrt(
      size_of(count, [&](index_t j) { return static_cast<double>(elements[j]); }).squares);
}

/// Whether k may be of a rank of `most` or less, by some evenly spaced rows and columns, one or two
/// more than that. For a random kernel, of any size, they rule it out in 0.2 to 0.5 µs.
template <class T>
bool may_be_of_rank(const Plane<const T>& k, int most) {
  constexpr index_t kMostSamples = kMostRank + 2;
  const index_t rows = std::min<index_t>(most + 2, k.rows);
  const index_t columns = std::min<index_t>(most + 2, k.columns);
  const auto spaced = [](index_t i, index_t samples, index_t size) {
    return (2 * i + 1) * size / (2 * samples);
  };
  T samples[kMostSamples * kMostSamples];
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < columns; ++j) {
      samples[i * columns + j] = k(spaced(i, rows, k.rows), spaced(j, columns, k.columns));
    }
  }
  double elements[kMostSamples * kMostSamples];
  T column[kMostSamples], row[kMostSamples];
  Residual left(Plane<const T>{samples, rows, columns, columns}, elements);
  // Far above what rounding leaves, far below what is left of random numbers.
  const double tolerance = std::sqrt(kUnitRoundoff<T>) * left.norm();
  for (int term = 0; term < most; ++term) {
    if (left.norm() <= tolerance) return true;
    left.take_cross(column, row);
  }
  return left.norm() <= tolerance;
}

}  // namespace

template <class T>
std::optional<int> cross_approximate(const Plane<const T>& k, int most, double* residual,
                                     const CrossTerms<T>& terms) {
  // Rounding the elements of a product leaves 5·u·‖k‖₂ of it at most; found are 1.6·u·‖k‖₂, for
  // sums of up to four products of random columns and rows, whose terms grow to 2.6·‖k‖₂.
  constexpr double kTolerance = 8 * kUnitRoundoff<T>;
  constexpr double kMostGrowth = 3;
  // Squares of elements neither overflow nor lose digits to underflow.
  constexpr int kReach = std::numeric_limits<T>::max_exponent * 2 / 5;

  if (!may_be_of_rank(k, most)) return std::nullopt;
  Residual left(k, residual);
  const double whole = left.norm();
  const bool usual = left.largest() == 0 || (left.largest() > std::ldexp(1.0, -kReach) &&
                                             left.largest() < std::ldexp(1.0, kReach));
  if (!usual) return std::nullopt;
  double growth = 0;
  for (int rank = 1; rank <= most; ++rank) {
    T* column = terms.column(rank - 1);
    T* row = terms.row(rank - 1);
    left.take_cross(column, row);
    growth += norm(column, terms.h) * norm(row, terms.w);
    // Neither holds for NaN.
    if (left.norm() <= kTolerance * whole && growth <= kMostGrowth * whole) return rank;
  }
  return std::nullopt;
}

template std::optional<int> cross_approximate(const Plane<const float>&, int, double*,
                                              const CrossTerms<float>&);
template std::optional<int> cross_approximate(const Plane<const double>&, int, double*,
                                              const CrossTerms<double>&);

}  // namespace fullconv
