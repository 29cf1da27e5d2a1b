// What limits of control groups leave, in folders of our own making.

#include "core/available_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "fullconv/memory.h"

namespace fullconv::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

class AvailableMemory : public ::testing::Test {
 protected:
  AvailableMemory() : root_(fs::path(::testing::TempDir()) / name()) { fs::remove_all(root_); }
  ~AvailableMemory() override { fs::remove_all(root_); }

  static std::string name() {
    return std::string("fullconv-groups-") +
           ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }

  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  std::size_t left() const { return memory_of_groups(root_ / "groups", root_); }

  fs::path root_;
};

TEST_F(AvailableMemory, HasNoLimitWithoutGroups) {
  EXPECT_EQ(left(), kNoLimit);
  write("groups", "0::/\n");
  EXPECT_EQ(left(), kNoLimit);
  write("groups", "\nnonsense\n0:\n");
  EXPECT_EQ(left(), kNoLimit);
}

TEST_F(AvailableMemory, Version2) {
  write("groups", "0::/a/b\n");
  write("a/b/memory.max", "max\n");
  write("a/b/memory.current", "500\n");
  EXPECT_EQ(left(), kNoLimit);
  write("a/b/memory.max", "1000\n");
  EXPECT_EQ(left(), 500u);
  write("a/b/memory.stat", "anon 300\nactive_file 90\ninactive_file 110\n");
  EXPECT_EQ(left(), 610u);
  write("a/b/memory.current", "2000\n");
  EXPECT_EQ(left(), 0u);
}

TEST_F(AvailableMemory, IsTheLeastOfAllGroupsAbove) {
  write("groups", "0::/a/b\n");
  write("a/b/memory.max", "1000\n");
  write("a/b/memory.current", "100\n");
  write("a/memory.max", "700\n");
  write("a/memory.current", "400\n");
  EXPECT_EQ(left(), 300u);
  write("memory.max", "max\n");
  write("memory.current", "5000\n");
  EXPECT_EQ(left(), 300u);
}

TEST_F(AvailableMemory, Version1) {
  write("groups", "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n");
  write("memory/job/memory.limit_in_bytes", "1000\n");
  write("memory/job/memory.usage_in_bytes", "800\n");
  write("memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
  EXPECT_EQ(left(), 250u);
}

TEST_F(AvailableMemory, OfContainersIsThatOfTheirRoot) {
  write("groups", "4:memory:/outside/of/the/container\n");
  write("memory/memory.limit_in_bytes", "1000\n");
  write("memory/memory.usage_in_bytes", "400\n");
  EXPECT_EQ(left(), 600u);
}

TEST(AvailableMemoryOfThisMachine, IsSomething) {
  EXPECT_GT(available_memory(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace fullconv::internal
