#pragma once

#include "fullconv/view.h"

namespace fullconv {

/// y[2j] = even[j] and y[2j + 1] = odd[j], `count` elements in all; null stands for zeros. Two at a
/// time, which becomes vectors: column by column a layer of stride 2 took 1.2 times as long.
template <class T>
void interleave(const T* __restrict even, const T* __restrict odd, index_t count, T* __restrict y) {
  const index_t pairs = count / 2;
  if (even != nullptr && odd != nullptr) {
    for (index_t j = 0; j < pairs; ++j) y[2 * j] = even[j], y[2 * j + 1] = odd[j];
  } else if (even != nullptr) {
    for (index_t j = 0; j < pairs; ++j) y[2 * j] = even[j], y[2 * j + 1] = T{0};
  } else if (odd != nullptr) {
    for (index_t j = 0; j < pairs; ++j) y[2 * j] = T{0}, y[2 * j + 1] = odd[j];
  } else {
    for (index_t j = 0; j < 2 * pairs; ++j) y[j] = T{0};
  }
  if (count % 2 != 0) y[count - 1] = even != nullptr ? even[pairs] : T{0};
}

}  // namespace fullconv
