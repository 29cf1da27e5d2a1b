// How a transform is factored into passes, and the roots of unity that it multiplies by.

#include "fft/transform_axis.h"

#include <array>
#include <cmath>
#include <numbers>

namespace fullconv {
namespace {

/// The largest power of two of which `length` is a multiple.
index_t even_part(index_t length) { return length & -length; }

/// The radix to begin with: what is odd goes first, so that the last pass, next to the product, is
/// of radix 8, or 4 for 16; and 4 until a power of 8 is left, but never a 2.
int first_radix(index_t length) {
  if (length % 5 == 0) return 5;
  if (length % 3 == 0) return 3;
  index_t rest = length;
  while (rest % 8 == 0) rest /= 8;
  return rest == 1 ? 8 : 4;
}

/// The angle of so many turns.
long double turns(index_t count, index_t parts) {
  return 2 * std::numbers::pi_v<long double> * static_cast<long double>(count) /
         static_cast<long double>(parts);
}

/// Rounded numbers e^(i·angle), and the average factor by which rounding makes them longer. It
/// differs from 1 by not much less than the unit roundoff, since some numbers, such as the square
/// root of 1/2, are much more frequent than others. All outputs would share this error.
template <class T>
class UnitNumbers {
 public:
  /// Returns the real and the imaginary part.
  std::array<T, 2> rounded(long double angle) {
    const long double re = std::cos(angle);
    const long double im = std::sin(angle);
    const std::array<T, 2> number{static_cast<T>(re), static_cast<T>(im)};
    sum_ += re * number[0] + im * number[1];
    ++count_;
    return number;
  }
  long double growth() const { return count_ == 0 ? 1 : sum_ / static_cast<long double>(count_); }

 private:
  long double sum_ = 0;
  index_t count_ = 0;
};

template <class T>
void append(const std::array<T, 2>& number, std::vector<T>& numbers) {
  numbers.insert(numbers.end(), number.begin(), number.end());
}

/// The average growth of the roots of unity in a butterfly's sums.
template <class T>
long double growth_of_dft(int radix) {
  UnitNumbers<T> roots;
  for (int j = 0; j < radix; ++j) {
    for (int f = 0; f < radix; ++f) roots.rounded(turns(j * f, radix));
  }
  return roots.growth();
}

}  // namespace

long double Residue::angle(Packing packing) const {
  const index_t quarters = packing == Packing::right_angle ? 1 : 0;
  return turns(quarters + 4 * index, 4 * count);
}

template <class T>
bool TransformAxis<T>::takes(index_t points) {
  if (points <= 0 || points % 16 != 0) return false;
  index_t odd = points / even_part(points);
  for (const index_t factor : {3, 5}) {
    while (odd % factor == 0) odd /= factor;
  }
  return odd == 1;
}

template <class T>
TransformAxis<T>::TransformAxis(index_t points, long double angle) : length(points) {
  for (index_t block = length; block > 1;) {
    const int radix = first_radix(block);
    passes.push_back({radix, block, static_cast<index_t>(twiddles.size())});
    UnitNumbers<T> factors;
    for (index_t j = 0; j < block / radix; ++j) {
      for (int f = 0; f < radix; ++f) {
        const auto factor = factors.rounded(-turns(j * f, block));
        if (j > 0 && f > 0) append(factor, twiddles);
      }
    }
    growth *= factors.growth() * growth_of_dft<T>(radix);
    block /= radix;
  }
  if (angle == 0) return;
  UnitNumbers<T> factors;
  for (index_t j = 0; j < length; ++j) {
    append(factors.rounded(angle * static_cast<long double>(j) / static_cast<long double>(length)),
           weights);
  }
  growth *= factors.growth();
}

template <class T>
index_t TransformAxis<T>::position(index_t frequency) const {
  index_t at = 0;
  for (const Pass& pass : passes) {
    at += frequency % pass.radix * (pass.length / pass.radix);
    frequency /= pass.radix;
  }
  return at;
}

template <class T>
Residues<T>::Residues(Residue residue, Packing packing) : own(residue) {
  UnitNumbers<T> factors;
  for (int index = 0; index < own.count; ++index) {
    for (int m = 0; m < own.count; ++m) {
      append(factors.rounded(m * Residue{index, own.count}.angle(packing)), powers);
    }
  }
  growth = factors.growth();
}

template struct TransformAxis<float>;
template struct TransformAxis<double>;
template struct Residues<float>;
template struct Residues<double>;

}  // namespace fullconv
