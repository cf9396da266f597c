#include "runner.h"

#include <algorithm>

#include "pool.h"

namespace tw {

namespace {

bool run_phase(const Step& phase, const TwArgs& args, Watch* watch) {
    int64_t tasks = args.table[phase.count], chunk = args.table[phase.chunk];
    int limit = tasks <= chunk ? 1 : thread_limit();
    if (limit == 1) return run_serial(phase.kernel, &args, tasks, chunk, watch);
    return pool().run(phase.kernel, &args, tasks, chunk, limit, watch);
}

bool run_at(const std::vector<Step>& steps, const TwArgs& args, int64_t* counters, int depth, Watch* watch) {
    for (const Step& step : steps) {
        if (step.kernel) {
            if (!run_phase(step, args, watch)) return false;
            continue;
        }
        int64_t trips = args.table[step.count];
        for (counters[depth] = 0; counters[depth] < trips; ++counters[depth])
            if (!run_at(step.body, args, counters, depth + 1, watch)) return false;
    }
    return true;
}

}  // namespace

int depth_of(const std::vector<Step>& steps) {
    int depth = 0;
    for (const Step& step : steps)
        if (!step.kernel) depth = std::max(depth, 1 + depth_of(step.body));
    return depth;
}

bool is_long(const std::vector<Step>& steps, const int64_t* table, double trips) {
    constexpr double few = 4;
    for (const Step& step : steps) {
        double times = trips * static_cast<double>(table[step.count]);
        bool long_step =
            step.kernel ? times > few * static_cast<double>(table[step.chunk]) : is_long(step.body, table, times);
        if (long_step) return true;
    }
    return false;
}

bool run_steps(const std::vector<Step>& steps, TwArgs& args, Watch* watch) {
    int64_t counters[kMaxDepth];
    args.counters = counters;
    return run_at(steps, args, counters, 0, watch);
}

}  // namespace tw
