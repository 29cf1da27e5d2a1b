#include "support/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace fullconv::testing {
namespace {

/// One axis of a layer: sample i and tap p meet at output i·stride + p·dilation − before, if it is
/// one of `outputs`.
struct Axis {
  index_t size, taps, stride, dilation, before, outputs;

  /// Where they meet, or −1 where that is no output.
  index_t meet(index_t sample, index_t tap) const {
    const index_t at = sample * stride + tap * dilation - before;
    return at < outputs ? std::max<index_t>(at, -1) : -1;
  }

  /// The sample that a tap meets at an output, or −1.
  index_t sample_at(index_t output, index_t tap) const {
    const index_t distance = output + before - tap * dilation;
    if (distance < 0 || distance % stride != 0 || distance / stride >= size) return -1;
    return distance / stride;
  }

  /// How many pairs meet at an output.
  index_t pairs_at(index_t output) const {
    index_t pairs = 0;
    for (index_t tap = 0; tap < taps; ++tap) pairs += sample_at(output, tap) >= 0 ? 1 : 0;
    return pairs;
  }
};

Axis rows_of(const Problem& p) {
  return {p.H, p.h, p.stride.y, p.dilation.y, p.padding.top, p.output_rows()};
}
Axis columns_of(const Problem& p) {
  return {p.W, p.w, p.stride.x, p.dilation.x, p.padding.left, p.output_columns()};
}

/// pairs_at() of all outputs.
std::vector<index_t> pairs(const Axis& axis) {
  std::vector<index_t> counts(static_cast<std::size_t>(axis.outputs));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = axis.pairs_at(static_cast<index_t>(i));
  }
  return counts;
}

/// The channels of x that output channel c sums over, and c's place within its group.
struct Group {
  Range inputs;
  index_t output;
};

Group group_of(const Problem& problem, index_t c) {
  const index_t inputs = problem.K / problem.groups, outputs = problem.C / problem.groups;
  const index_t group = c / outputs;
  return {{group * inputs, (group + 1) * inputs}, c % outputs};
}

/// ‖tensor[a,b]‖₂, plane by plane.
template <class T>
std::vector<Wide<T>> norms_of_planes(const TensorView<const T>& tensor) {
  const auto& [A, B, I, J] = tensor.extents;
  std::vector<Wide<T>> norms;
  for (index_t a = 0; a < A; ++a)
    for (index_t b = 0; b < B; ++b) {
      Wide<T> square = 0;
      for (index_t i = 0; i < I; ++i)
        for (index_t j = 0; j < J; ++j) {
          const Wide<T> value = tensor(a, b, i, j);
          square += value * value;
        }
      norms.push_back(std::sqrt(square));
    }
  return norms;
}

/// Σ x² over the samples that each output depends on: along rows, then along columns. A running sum
/// would be faster, and lose small values beside large ones.
template <class T>
std::vector<Wide<T>> local_squares(const Problem& problem, const TensorView<const T>& x, index_t n,
                                   index_t o) {
  const Axis rows = rows_of(problem), columns = columns_of(problem);
  std::vector<Wide<T>> along_rows(static_cast<std::size_t>(rows.size * columns.outputs));
  std::vector<Wide<T>> sums(static_cast<std::size_t>(rows.outputs * columns.outputs));
  for (index_t r = 0; r < rows.size; ++r)
    for (index_t q = 0; q < columns.taps; ++q)
      for (index_t s = 0; s < columns.size; ++s) {
        const index_t at = columns.meet(s, q);
        if (at < 0) continue;
        const Wide<T> sample = x(n, o, r, s);
        along_rows[static_cast<std::size_t>(r * columns.outputs + at)] += sample * sample;
      }
  for (index_t p = 0; p < rows.taps; ++p)
    for (index_t r = 0; r < rows.size; ++r) {
      const index_t at = rows.meet(r, p);
      if (at < 0) continue;
      for (index_t j = 0; j < columns.outputs; ++j) {
        sums[static_cast<std::size_t>(at * columns.outputs + j)] +=
            along_rows[static_cast<std::size_t>(r * columns.outputs + j)];
      }
    }
  return sums;
}

/// Σ x[r,s] over rectangles of one plane.
template <class Sum>
class RectangleSums {
 public:
  template <class At>
  RectangleSums(index_t rows, index_t columns, const At& at)
      : columns_(columns + 1), sums_(static_cast<std::size_t>((rows + 1) * columns_)) {
    for (index_t r = 0; r < rows; ++r)
      for (index_t s = 0; s < columns; ++s) {
        sum(r + 1, s + 1) = at(r, s) + sum(r, s + 1) + sum(r + 1, s) - sum(r, s);
      }
  }

  Sum within(Range rows, Range columns) const {
    if (rows.empty() || columns.empty()) return 0;
    return sum(rows.end, columns.end) - sum(rows.begin, columns.end) -
           sum(rows.end, columns.begin) + sum(rows.begin, columns.begin);
  }

 private:
  Sum& sum(index_t r, index_t s) { return sums_[static_cast<std::size_t>(r * columns_ + s)]; }
  Sum sum(index_t r, index_t s) const { return sums_[static_cast<std::size_t>(r * columns_ + s)]; }

  index_t columns_;
  std::vector<Sum> sums_;
};

/// The samples that a tap carries to outputs.
Range landing(const Axis& axis, index_t tap) {
  index_t begin = 0, end = axis.size;
  while (begin < end && axis.meet(begin, tap) < 0) ++begin;
  while (begin < end && axis.meet(end - 1, tap) < 0) --end;
  return {begin, end};
}

}  // namespace

template <class T>
Oracle<T>::Oracle(const Problem& problem, const TensorView<const T>& x,
                  const TensorView<const T>& k, std::int64_t whole_limit)
    : problem_(problem),
      sampled_(problem.multiply_adds() > whole_limit),
      kernel_norms_(norms_of_planes(k)),
      row_pairs_(pairs(rows_of(problem))),
      column_pairs_(pairs(columns_of(problem))) {
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
  return problem_.K / problem_.groups * row_pairs_[static_cast<std::size_t>(i)] *
         column_pairs_[static_cast<std::size_t>(j)];
}

template <class T>
Wide<T> Oracle<T>::kernel_norm(index_t o, index_t c) const {
  const index_t outputs = problem_.C / problem_.groups;
  return kernel_norms_[static_cast<std::size_t>(o * outputs + c)];
}

template <class T>
void Oracle<T>::scatter_all(const TensorView<const T>& x, const TensorView<const T>& k) {
  const Axis rows = rows_of(problem_), columns = columns_of(problem_);
  values_.assign(static_cast<std::size_t>(problem_.N * problem_.C * rows.outputs * columns.outputs),
                 0);
  magnitudes_.assign(values_.size(), 0);
  std::vector<Range> landings;
  for (index_t q = 0; q < columns.taps; ++q) landings.push_back(landing(columns, q));
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t c = 0; c < problem_.C; ++c) {
      const Group group = group_of(problem_, c);
      for (index_t o = group.inputs.begin; o < group.inputs.end; ++o)
        for (index_t r = 0; r < rows.size; ++r)
          for (index_t p = 0; p < rows.taps; ++p) {
            const index_t row = rows.meet(r, p);
            if (row < 0) continue;
            const index_t begin = ((n * problem_.C + c) * rows.outputs + row) * columns.outputs;
            Wide<T>* value = values_.data() + begin;
            Wide<T>* magnitude = magnitudes_.data() + begin;
            for (index_t q = 0; q < columns.taps; ++q) {
              const Wide<T> weight = k(o, group.output, p, q);
              const Wide<T> size = std::abs(weight);
              const Range samples = landings[static_cast<std::size_t>(q)];
              index_t column = columns.meet(samples.begin, q);
              for (index_t s = samples.begin; s < samples.end; ++s, column += columns.stride) {
                const T sample = x(n, o, r, s);
                value[column] += sample * weight;
                magnitude[column] += std::abs(sample) * size;
              }
            }
          }
    }
}

template <class T>
void Oracle<T>::add_local_norms(const TensorView<const T>& x) {
  local_norms_.assign(values_.size(), 0);
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t o = 0; o < problem_.K; ++o) {
      const std::vector<Wide<T>> squares = local_squares(problem_, x, n, o);
      for (index_t c = 0; c < problem_.C; ++c) {
        const Group group = group_of(problem_, c);
        if (!group.inputs.contains(o)) continue;
        const Wide<T> norm = kernel_norm(o, group.output);
        Wide<T>* norms =
            local_norms_.data() + static_cast<std::size_t>(n * problem_.C + c) * squares.size();
        for (const Wide<T> square : squares) *norms++ += std::sqrt(square) * norm;
      }
    }
}

template <class T>
auto Oracle<T>::gather(const TensorView<const T>& x, const TensorView<const T>& k, index_t n,
                       index_t c, index_t i, index_t j) const -> Sample {
  const Axis rows = rows_of(problem_), columns = columns_of(problem_);
  const Group group = group_of(problem_, c);
  Sample sample{n, c, i, j, 0, 0, 0};
  for (index_t o = group.inputs.begin; o < group.inputs.end; ++o) {
    Wide<T> square = 0;
    for (index_t p = 0; p < rows.taps; ++p) {
      const index_t r = rows.sample_at(i, p);
      if (r < 0) continue;
      for (index_t q = 0; q < columns.taps; ++q) {
        const index_t s = columns.sample_at(j, q);
        if (s < 0) continue;
        const auto factor = static_cast<Wide<T>>(x(n, o, r, s));
        const Wide<T> product = factor * k(o, group.output, p, q);
        sample.value += product;
        sample.magnitude += std::abs(product);
        square += factor * factor;
      }
    }
    sample.local_norms += std::sqrt(square) * kernel_norm(o, group.output);
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
  const auto lines = [](const Axis& axis) {
    const index_t outputs = axis.outputs;
    const index_t reach = (axis.taps - 1) * axis.dilation, span = (axis.size - 1) * axis.stride;
    std::vector<index_t> at{0, outputs - 1};
    for (const index_t line : {reach - 1, reach, reach + 1, span, span + 1}) {
      at.push_back(line - axis.before);
    }
    for (index_t block = 8; block <= outputs; block *= 2) {
      at.push_back(block - 1);
      at.push_back(block);
      at.push_back(outputs / block * block - 1);
    }
    std::erase_if(at, [&](index_t line) { return line < 0 || line >= outputs; });
    return at;
  };
  for (const index_t i : lines(rows_of(problem_)))
    for (int s = 0; s < kAlongEach; ++s) take(i, below(columns));
  for (const index_t j : lines(columns_of(problem_)))
    for (int s = 0; s < kAlongEach; ++s) take(below(rows), j);
}

template <class T>
void Oracle<T>::summarise_planes(const TensorView<const T>& x, const TensorView<const T>& k) {
  struct Moments {
    Wide<T> sum = 0;
    Wide<T> absolute = 0;
    Wide<T> square = 0;
    Wide<T> largest = 0;
    Wide<T> tile_norm() const { return std::min(norm(), 6 * largest); }
    Wide<T> norm() const { return std::sqrt(square); }
  };
  const auto moments = [](const TensorView<const T>& tensor) {
    std::vector<Moments> planes;
    const auto& [A, B, I, J] = tensor.extents;
    for (index_t a = 0; a < A; ++a)
      for (index_t b = 0; b < B; ++b) {
        Moments m;
        for (index_t i = 0; i < I; ++i)
          for (index_t j = 0; j < J; ++j) {
            const Wide<T> value = tensor(a, b, i, j);
            m.sum += value;
            m.largest = std::max(m.largest, std::abs(value));
            m.absolute += std::abs(value);
            m.square += value * value;
          }
        planes.push_back(m);
      }
    return planes;
  };
  const std::vector<Moments> images = moments(x);
  const std::vector<Moments> kernels = moments(k);
  const index_t group_outputs = problem_.C / problem_.groups;

  planes_.assign(static_cast<std::size_t>(problem_.N * problem_.C), {0, 0, 0, 0, 0});
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t c = 0; c < problem_.C; ++c) {
      PlaneSummary& summary = planes_[static_cast<std::size_t>(n * problem_.C + c)];
      const Group group = group_of(problem_, c);
      for (index_t o = group.inputs.begin; o < group.inputs.end; ++o) {
        const Moments& image = images[static_cast<std::size_t>(n * problem_.K + o)];
        const Moments& kernel = kernels[static_cast<std::size_t>(o * group_outputs + group.output)];
        summary.operand_norms += image.norm() * kernel.norm();
        summary.tile_norms += image.tile_norm() * kernel.norm();
        summary.total += image.sum * kernel.sum;
        summary.magnitude += image.absolute * kernel.absolute;
      }
    }
  if (!problem_.is_whole()) {
    if (sampled_) leave_out_padding(x, k);  // a whole y is not compared with its sum
    return take_norms_of_whole(x, k);
  }

  if (sampled_) {
    Wide<T> square = 0;
    for (std::size_t s = 0; s < random_samples_; ++s) {
      square += samples_[s].value * samples_[s].value;
    }
    const auto outputs = static_cast<Wide<T>>(problem_.output_rows() * problem_.output_columns());
    const Wide<T> norm = std::sqrt(square / static_cast<Wide<T>>(random_samples_) * outputs);
    for (PlaneSummary& summary : planes_) summary.output_norm = norm;
  } else {
    const std::size_t outputs = values_.size() / planes_.size();
    for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
      Wide<T> square = 0;
      for (std::size_t at = plane * outputs; at < (plane + 1) * outputs; ++at) {
        square += values_[at] * values_[at];
      }
      planes_[plane].output_norm = std::sqrt(square);
    }
  }
}

/// What the errors of transforms are measured by: they compute what padding leaves out, too.
template <class T>
void Oracle<T>::take_norms_of_whole(const TensorView<const T>& x, const TensorView<const T>& k) {
  Problem whole = problem_;
  whole.padding = {};
  const Oracle oracle(whole, x, k, sampled_ ? 0 : std::numeric_limits<std::int64_t>::max());
  for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
    planes_[plane].output_norm = oracle.planes_[plane].output_norm;
  }
}

/// Takes from Σy what padding leaves out: each tap counts the rectangle of x that it carries to y.
template <class T>
void Oracle<T>::leave_out_padding(const TensorView<const T>& x, const TensorView<const T>& k) {
  const Axis rows = rows_of(problem_), columns = columns_of(problem_);
  for (PlaneSummary& summary : planes_) summary.total = 0;
  for (index_t n = 0; n < problem_.N; ++n)
    for (index_t o = 0; o < problem_.K; ++o) {
      const RectangleSums<Wide<T>> sums(rows.size, columns.size, [&](index_t r, index_t s) {
        return static_cast<Wide<T>>(x(n, o, r, s));
      });
      for (index_t c = 0; c < problem_.C; ++c) {
        const Group group = group_of(problem_, c);
        if (!group.inputs.contains(o)) continue;
        Wide<T>& total = planes_[static_cast<std::size_t>(n * problem_.C + c)].total;
        for (index_t p = 0; p < rows.taps; ++p)
          for (index_t q = 0; q < columns.taps; ++q) {
            total += static_cast<Wide<T>>(k(o, group.output, p, q)) *
                     sums.within(landing(rows, p), landing(columns, q));
          }
      }
    }
}

template class Oracle<float>;
template class Oracle<double>;

}  // namespace fullconv::testing
