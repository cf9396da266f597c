#include "cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

namespace tw {

namespace {

using Words = std::vector<std::string>;

int affinity_cpus() {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    return static_cast<int>(std::thread::hardware_concurrency());  // more CPUs than the mask has room for
}

Words words_of(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

bool lists(const std::string& commas, const std::string& word) {
    return ("," + commas + ",").find("," + word + ",") != std::string::npos;
}

bool begins(const std::string& text, const std::string& with) { return text.compare(0, with.size(), with) == 0; }

// A mounted hierarchy that may limit CPUs: its version, the cgroup mounted, and where.
struct Mount {
    int version;
    std::string top, place;
};

// A line of mountinfo: "id parent device top place options [more ...] - type source super-options".
bool read_mount(const std::string& line, Mount& mount) {
    Words words = words_of(line);
    auto dash = std::find(words.begin(), words.end(), "-");
    if (dash - words.begin() < 6 || words.end() - dash < 4) return false;
    mount = {dash[1] == "cgroup2" ? 2 : 1, words[3], words[4]};
    return mount.version == 2 || (dash[1] == "cgroup" && lists(dash[3], "cpu"));
}

// The cgroup of this process in the hierarchy of that version: of a line "number:controllers:path" or "0::path".
std::string cgroup_of(int version, const std::string& root) {
    std::ifstream file(root + "/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        size_t first = line.find(':'), second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        std::string controllers = line.substr(first + 1, second - first - 1);
        if (version == 2 ? controllers.empty() : lists(controllers, "cpu")) return line.substr(second + 1);
    }
    return "";
}

int quota_of(const Mount& mount, const std::string& folder, int otherwise) {
    double quota = 0, period = 0;
    if (mount.version == 2) {
        std::ifstream(folder + "/cpu.max") >> quota >> period;
    } else {
        std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
        std::ifstream(folder + "/cpu.cfs_period_us") >> period;
    }
    if (quota <= 0 || period <= 0) return otherwise;  // "max" and -1 are no quota
    return static_cast<int>(std::min<double>(otherwise, std::ceil(quota / period)));
}

// The least quota of the process's cgroup and those above it, as far as they are mounted.
int mount_cpus(const Mount& mount, const std::string& root, int otherwise) {
    std::string path = cgroup_of(mount.version, root);
    if (mount.top != "/") path = begins(path, mount.top) ? path.substr(mount.top.size()) : "";
    int cpus = otherwise;
    for (;; path.erase(path.rfind('/'))) {
        cpus = quota_of(mount, root + mount.place + path, cpus);
        if (path.find('/') == std::string::npos) return cpus;
    }
}

}  // namespace

int cgroup_cpus(int otherwise, const std::string& root) {
    std::ifstream file(root + "/proc/self/mountinfo");
    int cpus = otherwise;
    Mount mount;
    for (std::string line; std::getline(file, line);)
        if (read_mount(line, mount)) cpus = mount_cpus(mount, root, cpus);
    return cpus;
}

int usable_cpus() {
    static const int cpus = std::max(1, cgroup_cpus(affinity_cpus()));
    return cpus;
}

}  // namespace tw
