#pragma once

#include <type_traits>
#include <vector>

#include "fullconv/fullconv.h"

namespace fullconv::testing {

/// What the oracle sums in: wider than T, and with exponents of twice the range, so that products
/// and squares neither overflow nor underflow.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

/// Multiply-adds above which the oracle looks at a sample of the outputs.
constexpr std::int64_t kWholeOracleLimit = 1'000'000'000;

/// One output as it should be.
template <class T>
struct Reference {
  index_t n, c, i, j;
  Wide<T> value;        ///< Σ x·k over the taps that exist
  Wide<T> magnitude;    ///< Σ |x||k|
  index_t products;     ///< how many taps exist
  Wide<T> local_norms;  ///< Σ_o ‖x[n,o]‖₂·‖k[o,c]‖₂, x only where taps exist
};

/// The definition, sharing no code with the library: each x times each k added where it lands. For
/// large problems, at least 4096 random outputs, the corners, and samples along each edge and along
/// the borders of power-of-two blocks, each gathered by itself.
template <class T>
class Oracle {
 public:
  Oracle(const Problem& problem, const TensorView<const T>& x, const TensorView<const T>& k,
         std::int64_t whole_limit = kWholeOracleLimit);

  const Problem& problem() const { return problem_; }
  bool sampled() const { return sampled_; }

  /// What is known of each plane [n,c] of y.
  struct PlaneSummary {
    Wide<T> operand_norms;  ///< Σ_o ‖x[n,o]‖₂·‖k[o,c]‖₂
    Wide<T> tile_norms;     ///< the same with x's at most that of any 6×6 samples of it
    /// ‖y[n,c]‖₂ before padding leaves anything out; estimated from random outputs where sampled
    Wide<T> output_norm;
    Wide<T> total;      ///< Σy, without padding Σ_o Σx[n,o]·Σk[o,c]
    Wide<T> magnitude;  ///< Σ_o Σ|x[n,o]|·Σ|k[o,c]|
  };
  const PlaneSummary& plane(index_t n, index_t c) const {
    return planes_[static_cast<std::size_t>(n * problem_.C + c)];
  }

  /// Calls visit(const Reference<T>&) for each output that the oracle knows.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const Sample& sample : samples_) visit(reference(sample));
    if (sampled_) return;
    std::size_t at = 0;
    for (index_t n = 0; n < problem_.N; ++n)
      for (index_t c = 0; c < problem_.C; ++c)
        for (index_t i = 0; i < problem_.output_rows(); ++i)
          for (index_t j = 0; j < problem_.output_columns(); ++j, ++at)
            visit(Reference<T>{n, c, i, j, values_[at], magnitudes_[at], products(i, j),
                               local_norms_[at]});
  }

 private:
  struct Sample {
    index_t n, c, i, j;
    Wide<T> value;
    Wide<T> magnitude, local_norms;
  };

  Reference<T> reference(const Sample& s) const {
    return {s.n, s.c, s.i, s.j, s.value, s.magnitude, products(s.i, s.j), s.local_norms};
  }
  index_t products(index_t i, index_t j) const;
  /// ‖k[o,c]‖₂, c counted within its group.
  Wide<T> kernel_norm(index_t o, index_t c) const;
  void scatter_all(const TensorView<const T>& x, const TensorView<const T>& k);
  void add_local_norms(const TensorView<const T>& x);
  void gather_samples(const TensorView<const T>& x, const TensorView<const T>& k);
  Sample gather(const TensorView<const T>& x, const TensorView<const T>& k, index_t n, index_t c,
                index_t i, index_t j) const;
  void summarise_planes(const TensorView<const T>& x, const TensorView<const T>& k);
  void leave_out_padding(const TensorView<const T>& x, const TensorView<const T>& k);
  void take_norms_of_whole(const TensorView<const T>& x, const TensorView<const T>& k);

  Problem problem_;
  bool sampled_;
  std::vector<Wide<T>> values_;        // whole: y, row-major
  std::vector<Wide<T>> magnitudes_;    // whole: Σ|x||k|
  std::vector<Wide<T>> local_norms_;   // whole
  std::vector<Wide<T>> kernel_norms_;  // ‖k[o,c]‖₂, plane by plane
  std::vector<index_t> row_pairs_;     // how many samples and taps meet at each row of y
  std::vector<index_t> column_pairs_;
  std::vector<Sample> samples_;     // sampled
  std::size_t random_samples_ = 0;  // the first so many of them are uniform over y
  std::vector<PlaneSummary> planes_;
};

extern template class Oracle<float>;
extern template class Oracle<double>;

}  // namespace fullconv::testing
