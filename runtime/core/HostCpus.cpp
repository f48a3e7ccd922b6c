// HostCpus.cpp - affinity, topology and control groups.
//
// Source  Linux Documentation/admin-guide/cgroup-v2.rst (cpu.max), cgroup-v1
// sched-bwc (cpu.cfs_quota_us),
//         Documentation/ABI/stable/sysfs-devices-system-cpu
//         (thread_siblings_list)
#include "runtime/core/HostCpus.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <set>
#include <string_view>

namespace qwen {
namespace {

// The text of a small file; empty if there is none.
std::string readText(const std::string &path) {
  std::string text;
  if (FILE *file = fopen(path.c_str(), "re")) {
    char buffer[4096];
    size_t got;
    while (text.size() < 1 << 16 &&
           (got = fread(buffer, 1, sizeof(buffer), file)) > 0)
      text.append(buffer, got);
    fclose(file);
  }
  return text;
}

// Thousandths of a CPU that `quota` of every `period` gives; 0 for no limit.
int64_t milliCpus(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0 || quota > INT64_MAX / 1000)
    return 0;
  return std::max<int64_t>(1, quota * 1000 / period);
}

int64_t quotaOfV2(const std::string &folder) {
  std::string text = readText(folder + "/cpu.max");
  char *rest = nullptr;
  int64_t quota = strtoll(text.c_str(), &rest, 10); // 0 for "max"
  return milliCpus(quota, strtoll(rest, nullptr, 10));
}

int64_t quotaOfV1(const std::string &folder) {
  return milliCpus(
      strtoll(readText(folder + "/cpu.cfs_quota_us").c_str(), nullptr, 10),
      strtoll(readText(folder + "/cpu.cfs_period_us").c_str(), nullptr, 10));
}

// The smallest limit of `group` and its ancestors below `mount`. A group that
// is not visible there (a container sees its own group as the mount) counts
// through the mount itself.
int64_t smallestQuota(const std::string &mount, std::string group,
                      int64_t (*quotaOf)(const std::string &)) {
  int64_t smallest = 0;
  for (;;) {
    while (!group.empty() && group.back() == '/')
      group.pop_back();
    int64_t quota = quotaOf(mount + group);
    if (quota > 0 && (smallest == 0 || quota < smallest))
      smallest = quota;
    if (group.empty())
      return smallest;
    size_t slash = group.rfind('/');
    group.resize(slash == std::string::npos ? 0 : slash);
  }
}

bool listHas(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == name)
      return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

} // namespace

std::vector<int> allowedCpus() {
  std::vector<int> cpus;
  for (int capacity = 1024; capacity <= 1 << 20; capacity *= 4) {
    cpu_set_t *set = CPU_ALLOC(capacity);
    if (!set)
      break;
    size_t bytes = CPU_ALLOC_SIZE(capacity);
    bool read = sched_getaffinity(0, bytes, set) == 0;
    for (int cpu = 0; read && cpu < capacity; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set))
        cpus.push_back(cpu);
    CPU_FREE(set);
    if (read)
      break;
  }
  return cpus;
}

int64_t physicalCores(const std::vector<int> &cpus, const std::string &root) {
  std::set<std::string> cores;
  for (int cpu : cpus) {
    std::string siblings =
        readText(root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                 "/topology/thread_siblings_list");
    // Without a topology every CPU is a core of its own.
    cores.insert(siblings.empty() ? "cpu" + std::to_string(cpu) : siblings);
  }
  return static_cast<int64_t>(cores.size());
}

int64_t cgroupMilliCpus(const std::string &root) {
  std::string groups = readText(root + "/proc/self/cgroup");
  int64_t smallest = 0;
  for (std::string_view rest = groups; !rest.empty();) {
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end); // hierarchy:controllers:/path
    rest.remove_prefix(std::min(end + 1, rest.size()));
    size_t first = line.find(':');
    size_t second =
        first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos)
      continue;
    std::string_view controllers = line.substr(first + 1, second - first - 1);
    std::string path(line.substr(second + 1));
    int64_t quota = 0;
    if (controllers.empty())
      quota = smallestQuota(root + "/sys/fs/cgroup", path, quotaOfV2);
    else if (listHas(controllers, "cpu"))
      quota = smallestQuota(root + "/sys/fs/cgroup/cpu", path, quotaOfV1);
    if (quota > 0 && (smallest == 0 || quota < smallest))
      smallest = quota;
  }
  return smallest;
}

int64_t defaultThreads(const std::string &root) {
  int64_t threads = physicalCores(allowedCpus(), root);
  if (int64_t milli = cgroupMilliCpus(root); milli > 0)
    threads = std::min(threads, milli / 1000);
  return std::max<int64_t>(1, threads);
}

} // namespace qwen
