// How many CPUs this process may use.
#pragma once
#include <string>

namespace tw {

// The CPUs of the affinity mask, capped by the quotas of the cgroups the process is in, of version 1 and 2; at least 1.
// Found out once.
int usable_cpus();

// The cap that the cgroups set, part of a CPU counted as one, or `otherwise` when they set none. /proc and what is
// mounted are looked for below `root`.
int cgroup_cpus(int otherwise, const std::string& root = "");

}  // namespace tw
