// How many CPUs this process may use.
#pragma once
#include <string>

namespace tw {

// The CPUs of the affinity mask, capped by the cpu.max of every cgroup the process is in; at least 1.
int usable_cpus();

// The cap that one cpu.max text ("quota period" or "max period") sets, or `otherwise` when it sets none.
int cpus_of_cpu_max(const std::string& text, int otherwise);

}  // namespace tw
