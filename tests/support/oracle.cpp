#include "support/oracle.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace fullconv::testing {
namespace {

/// How many pairs (a, b) with a < size and b < taps have a + b = i.
index_t pairs_summing_to(index_t i, index_t size, index_t taps) {
  return std::min(std::min(i + 1, size + taps - 1 - i), std::min(size, taps));
}

/// ‖tensor[a,b]‖₂, plane by plane.
template <class T>
std::vector<double> norms_of_planes(const TensorView<const T>& tensor) {
  const auto& [A, B, I, J] = tensor.extents;
  std::vector<double> norms;
  for (index_t a = 0; a < A; ++a)
    for (index_t b = 0; b < B; ++b) {
      double square = 0;
      for (index_t i = 0; i < I; ++i)
        for (index_t j = 0; j < J; ++j) {
          square +=
              static_cast<double>(tensor(a, b, i, j)) * static_cast<double>(tensor(a, b, i, j));
        }
      norms.push_back(std::sqrt(square));
    }
  return norms;
}

/// Σ x[i−p,j−q]² over p < h and q < w, for every output: along rows, then along columns. A running
/// sum would be faster, and lose small values beside large ones.
template <class T>
std::vector<double> local_squares(const Problem& problem, const TensorView<const T>& x, index_t n,
                                  index_t o) {
  const index_t columns = problem.output_columns();
  std::vector<double> along_rows(static_cast<std::size_t>(problem.H * columns));
  std::vector<double> sums(static_cast<std::size_t>(problem.output_rows() * columns));
  for (index_t r = 0; r < problem.H; ++r)
    for (index_t q = 0; q < problem.w; ++q)
      for (index_t s = 0; s < problem.W; ++s) {
        const auto sample = static_cast<double>(x(n, o, r, s));
        along_rows[static_cast<std::size_t>(r * columns + s + q)] += sample * sample;
      }
  for (index_t p = 0; p < problem.h; ++p)
    for (std::size_t at = 0; at < along_rows.size(); ++at) {
      sums[static_cast<std::size_t>(p * columns) + at] += along_rows[at];
    }
  return sums;
}

}  // namespace

template <class T>
Oracle<T>::Oracle(const Problem& problem, const TensorView<const T>& x,
                  const TensorView<const T>& k, std::int64_t whole_limit)
    : problem_(problem),
      sampled_(problem.multiply_adds() > whole_limit),
      kernel_norms_(norms_of_planes(k)) {
  if (sampled_) {
    gather_samples(x, k);
  } else {
    scatter_all(x, k);
    add_local_norms(x);
  }
  summarise_planes(x, k);
}

template <class T>
index_t Oracle<T>::products(index_t i, index_t j) const {
  return problem_.K * pairs_summing_to(i, problem_.H, problem_.h) *
         pairs_summing_to(j, problem_.W, problem_.w);
}

template <class T>
void Oracle<T>::scatter_all(const TensorView<const T>& x, const TensorView<const T>& k) {
  const auto& [N, K, C, H, W, h, w] = problem_;
  const index_t rows = H + h - 1;
  const index_t columns = W + w - 1;
  values_.assign(static_cast<std::size_t>(N * C * rows * columns), 0);
  magnitudes_.assign(values_.size(), 0);
  for (index_t n = 0; n < N; ++n)
    for (index_t o = 0; o < K; ++o)
      for (index_t c = 0; c < C; ++c)
        for (index_t r = 0; r < H; ++r)
          for (index_t p = 0; p < h; ++p) {
            const index_t landing = ((n * C + c) * rows + r + p) * columns;
            Wide<T>* value = values_.data() + landing;
            double* magnitude = magnitudes_.data() + landing;
            for (index_t q = 0; q < w; ++q) {
              const Wide<T> weight = k(o, c, p, q);
              const auto size = static_cast<double>(std::abs(weight));
              for (index_t s = 0; s < W; ++s) {
                const T sample = x(n, o, r, s);
                value[s + q] += sample * weight;
                magnitude[s + q] += std::abs(static_cast<double>(sample)) * size;
              }
            }
          }
}

template <class T>
void Oracle<T>::add_local_norms(const TensorView<const T>& x) {
  const auto& [N, K, C, H, W, h, w] = problem_;
  local_norms_.assign(values_.size(), 0);
  for (index_t n = 0; n < N; ++n)
    for (index_t o = 0; o < K; ++o) {
      const std::vector<double> squares = local_squares(problem_, x, n, o);
      for (index_t c = 0; c < C; ++c) {
        const double kernel_norm = kernel_norms_[static_cast<std::size_t>(o * C + c)];
        double* norms = local_norms_.data() + static_cast<std::size_t>(n * C + c) * squares.size();
        for (const double square : squares) *norms++ += std::sqrt(square) * kernel_norm;
      }
    }
}

template <class T>
auto Oracle<T>::gather(const TensorView<const T>& x, const TensorView<const T>& k, index_t n,
                       index_t c, index_t i, index_t j) const -> Sample {
  Sample sample{n, c, i, j, 0, 0, 0};
  for (index_t o = 0; o < problem_.K; ++o) {
    double square = 0;
    for (index_t p = 0; p < problem_.h; ++p) {
      if (i - p < 0 || i - p >= problem_.H) continue;
      for (index_t q = 0; q < problem_.w; ++q) {
        if (j - q < 0 || j - q >= problem_.W) continue;
        const auto factor = static_cast<Wide<T>>(x(n, o, i - p, j - q));
        const Wide<T> product = factor * k(o, c, p, q);
        sample.value += product;
        sample.magnitude += static_cast<double>(std::abs(product));
        square += static_cast<double>(factor * factor);
      }
    }
    sample.local_norms +=
        std::sqrt(square) * kernel_norms_[static_cast<std::size_t>(o * problem_.C + c)];
  }
  return sample;
}

template <class T>
void Oracle<T>::gather_samples(const TensorView<const T>& x, const TensorView<const T>& k) {
  constexpr int kRandom = 4096;
  constexpr int kAlongEach = 16;
  const index_t rows = problem_.output_rows();
  const index_t columns = problem_.output_columns();
  std::mt19937_64 engine(20);
  const auto below = [&](index_t limit) {
    return static_cast<index_t>(engine() % static_cast<std::uint64_t>(limit));
  };
  const auto take = [&](index_t i, index_t j) {
    samples_.push_back(gather(x, k, below(problem_.N), below(problem_.C), i, j));
  };

  for (int s = 0; s < kRandom; ++s) take(below(rows), below(columns));
  random_samples_ = samples_.size();

  for (const index_t i : {index_t{0}, rows - 1})
    for (const index_t j : {index_t{0}, columns - 1})
      for (index_t n = 0; n < problem_.N; ++n)
        for (index_t c = 0; c < problem_.C; ++c) samples_.push_back(gather(x, k, n, c, i, j));

  // The lines on which implementations change their ways: the edges, where the kernel starts to
  // leave the image, and both sides of power-of-two blocks.
  const auto lines = [](index_t size, index_t taps, index_t outputs) {
    std::vector<index_t> at{0, outputs - 1, taps - 2, taps - 1, taps, size - 1, size};
    for (index_t block = 8; block <= outputs; block *= 2) {
      at.push_back(block - 1);
      at.push_back(block);
      at.push_back(outputs / block * block - 1);
    }
    std::erase_if(at, [&](index_t line) { return line < 0 || line >= outputs; });
    return at;
  };
  for (const index_t i : lines(problem_.H, problem_.h, rows))
    for (int s = 0; s < kAlongEach; ++s) take(i, below(columns));
  for (const index_t j : lines(problem_.W, problem_.w, columns))
    for (int s = 0; s < kAlongEach; ++s) take(below(rows), j);
}

template <class T>
void Oracle<T>::summarise_planes(const TensorView<const T>& x, const TensorView<const T>& k) {
  struct Moments {
    Wide<T> sum = 0;
    double absolute = 0;
    double square = 0;
    double norm() const { return std::sqrt(square); }
  };
  const auto moments = [](const TensorView<const T>& tensor) {
    std::vector<Moments> planes;
    const auto& [A, B, I, J] = tensor.extents;
    for (index_t a = 0; a < A; ++a)
      for (index_t b = 0; b < B; ++b) {
        Moments m;
        for (index_t i = 0; i < I; ++i)
          for (index_t j = 0; j < J; ++j) {
            const T value = tensor(a, b, i, j);
            m.sum += value;
            m.absolute += std::abs(static_cast<double>(value));
            m.square += static_cast<double>(value) * static_cast<double>(value);
          }
        planes.push_back(m);
      }
    return planes;
  };
  const std::vector<Moments> images = moments(x);
  const std::vector<Moments> kernels = moments(k);

  planes_.assign(static_cast<std::size_t>(problem_.N * problem_.C), {0, 0, 0, 0});
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t c = 0; c < problem_.C; ++c) {
      PlaneSummary& summary = planes_[static_cast<std::size_t>(n * problem_.C + c)];
      for (index_t o = 0; o < problem_.K; ++o) {
        const Moments& image = images[static_cast<std::size_t>(n * problem_.K + o)];
        const Moments& kernel = kernels[static_cast<std::size_t>(o * problem_.C + c)];
        summary.operand_norms += image.norm() * kernel.norm();
        summary.total += image.sum * kernel.sum;
        summary.magnitude += image.absolute * kernel.absolute;
      }
    }

  if (sampled_) {
    double square = 0;
    for (std::size_t s = 0; s < random_samples_; ++s) {
      square += static_cast<double>(samples_[s].value * samples_[s].value);
    }
    const double outputs = static_cast<double>(problem_.output_rows() * problem_.output_columns());
    const double norm = std::sqrt(square / static_cast<double>(random_samples_) * outputs);
    for (PlaneSummary& summary : planes_) summary.output_norm = norm;
  } else {
    const std::size_t outputs = values_.size() / planes_.size();
    for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
      double square = 0;
      for (std::size_t at = plane * outputs; at < (plane + 1) * outputs; ++at) {
        square += static_cast<double>(values_[at] * values_[at]);
      }
      planes_[plane].output_norm = std::sqrt(square);
    }
  }
}

template class Oracle<float>;
template class Oracle<double>;

}  // namespace fullconv::testing
