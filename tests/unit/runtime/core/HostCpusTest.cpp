// HostCpusTest.cpp - run alone: unit_runtime_core --gtest_filter='HostCpus*'
#include "runtime/core/HostCpus.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace qwen {
namespace {

// A root folder with the given files.
class HostCpus : public testing::Test {
protected:
  std::string root =
      testing::TempDir() + "host_cpus_" +
      testing::UnitTest::GetInstance()->current_test_info()->name();

  void SetUp() override { std::filesystem::remove_all(root); }
  void TearDown() override { std::filesystem::remove_all(root); }

  void put(const std::string &path, const std::string &text) {
    std::filesystem::path file = root + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void putSiblings(int cpu, const std::string &list) {
    put("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
            "/topology/thread_siblings_list",
        list + "\n");
  }
};

TEST_F(HostCpus, HardwareThreadsOfOneCoreCountOnce) {
  for (int cpu = 0; cpu < 8; ++cpu)
    putSiblings(cpu,
                std::to_string(cpu % 4) + "," + std::to_string(cpu % 4 + 4));
  EXPECT_EQ(physicalCores({0, 1, 2, 3, 4, 5, 6, 7}, root), 4);
  EXPECT_EQ(physicalCores({0, 4}, root), 1);
  EXPECT_EQ(physicalCores({0, 1, 4}, root), 2);
}

TEST_F(HostCpus, WithoutATopologyEveryCpuIsACore) {
  EXPECT_EQ(physicalCores({0, 1, 2}, root), 3);
}

TEST_F(HostCpus, NoGroupsNoLimit) { EXPECT_EQ(cgroupMilliCpus(root), 0); }

TEST_F(HostCpus, Version2TakesTheSmallestQuotaOfTheAncestors) {
  put("/proc/self/cgroup", "0::/user/app\n");
  put("/sys/fs/cgroup/user/app/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 0);
  put("/sys/fs/cgroup/user/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 2500);
  put("/sys/fs/cgroup/user/app/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 500);
}

TEST_F(HostCpus, Version1ReadsTheCpuController) {
  put("/proc/self/cgroup",
      "12:memory:/m\n4:cpu,cpuacct:/box\n1:name=systemd:/init\n");
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 0);
  put("/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 3000);
}

TEST_F(HostCpus, AGroupThatIsNotVisibleCountsThroughTheMount) {
  put("/proc/self/cgroup", "4:cpuacct,cpu:/docker/0123\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(cgroupMilliCpus(root), 2000);
}

TEST_F(HostCpus, GarbageIsNoLimit) {
  put("/proc/self/cgroup", "\n:\n0::\nnonsense\n0::/../../..\n");
  put("/sys/fs/cgroup/cpu.max", "-5 x\n");
  EXPECT_EQ(cgroupMilliCpus(root), 0);
  put("/sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
  EXPECT_EQ(cgroupMilliCpus(root), 0);
}

TEST_F(HostCpus, DefaultIsAtLeastOneAndWithinTheQuota) {
  EXPECT_GE(defaultThreads(), 1);
  EXPECT_LE(defaultThreads(), static_cast<int64_t>(allowedCpus().size()));
  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_EQ(defaultThreads(root), 1);
}

} // namespace
} // namespace qwen
