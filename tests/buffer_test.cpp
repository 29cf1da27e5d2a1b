// What threads are given of a workspace.

#include "core/buffer.h"

#include <gtest/gtest.h>

namespace fullconv::testing {
namespace {

TEST(Buffer, SharesOfThreadsLieApart) {
  constexpr index_t kLine = 64, kPage = 4096;
  for (const index_t scalar_bytes : {1, 4, 8}) {
    for (const index_t count : {1, 15, 16, 17, 1000, 4096, 123457}) {
      const index_t bytes = share_of_thread(count, scalar_bytes) * scalar_bytes;
      EXPECT_EQ(bytes % kLine, 0) << count << " of " << scalar_bytes;
      EXPECT_GE(bytes - count * scalar_bytes, 4 * kPage) << count << " of " << scalar_bytes;
      EXPECT_LT(bytes - count * scalar_bytes, 4 * kPage + kLine) << count << " of " << scalar_bytes;
    }
  }
}

}  // namespace
}  // namespace fullconv::testing
