// Runs the steps of a plan.
#pragma once
#include <cstdint>
#include <vector>

#include "abi.h"
#include "watch.h"

namespace tw {

// A phase (kernel set), or a repeat of `body`. Slots are places in the size table.
struct Step {
    TwKernel kernel;
    int count;  // the slot of the phase's tasks or of the repeat's trips
    int chunk;
    std::vector<Step> body;
};

constexpr int kMaxDepth = 8;  // repeats inside of each other

// How deep repeats are nested in `steps`.
int depth_of(const std::vector<Step>& steps);

// Whether a phase has more than a few chunks, over all trips: about 10 us of work, as plans make chunks.
bool is_long(const std::vector<Step>& steps, const int64_t* table, double trips = 1);

// Runs the steps one after another, each phase on up to thread_limit() threads; args.counters is set here. False if the
// watch, which may be null, has stopped it.
bool run_steps(const std::vector<Step>& steps, TwArgs& args, Watch* watch = nullptr);

}  // namespace tw
