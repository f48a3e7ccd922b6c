// HostCpus.h - how many threads the machine has room for.
#ifndef QWEN_RUNTIME_CORE_HOSTCPUS_H
#define QWEN_RUNTIME_CORE_HOSTCPUS_H

#include <cstdint>
#include <string>
#include <vector>

namespace qwen {

/// The CPUs that the scheduler may run this process on, ascending.
std::vector<int> allowedCpus();

/// Physical cores among `cpus` (hardware threads of one core count once), read
/// from `root`/sys.
int64_t physicalCores(const std::vector<int> &cpus, const std::string &root);

/// The CPU limit of this process's control groups, version 1 or 2, in
/// thousandths of a CPU: the smallest quota of the group and its ancestors,
/// read from `root`/proc and `root`/sys. 0 if there is none.
int64_t cgroupMilliCpus(const std::string &root);

/// Threads to use unless the user says otherwise, at least 1: physical cores
/// allowed, within the whole CPUs of the control group's quota (a team that
/// runs over its quota is stopped for the rest of every period).
int64_t defaultThreads(const std::string &root = {});

} // namespace qwen

#endif
