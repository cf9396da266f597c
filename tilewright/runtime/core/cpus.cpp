#include "cpus.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

namespace tw {

namespace {

int affinity_cpus() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(std::thread::hardware_concurrency());  // more CPUs than the mask has room for
}

// The path of this process in the unified hierarchy ("0::/path"), or nothing.
std::string cgroup_path() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.rfind("0::/", 0) == 0) return line.substr(3);
    return "";
}

int cgroup_cpus(int otherwise) {
    int cpus = otherwise;
    for (std::string path = cgroup_path(); !path.empty(); path.erase(path.rfind('/'))) {
        std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
        std::string text;
        if (std::getline(file, text)) cpus = std::min(cpus, cpus_of_cpu_max(text, cpus));
    }
    return cpus;
}

}  // namespace

int cpus_of_cpu_max(const std::string& text, int otherwise) {
    std::istringstream words(text);
    double quota = 0, period = 0;
    if (!(words >> quota >> period) || quota <= 0 || period <= 0) return otherwise;  // "max ..." is no number
    double cpus = std::max(1.0, quota / period + 0.999);  // part of a CPU counts as one
    return cpus < otherwise ? static_cast<int>(cpus) : otherwise;
}

int usable_cpus() { return std::max(1, cgroup_cpus(affinity_cpus())); }

}  // namespace tw
