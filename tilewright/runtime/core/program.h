// The runnable form of a plan.
#pragma once
#include <string>
#include <vector>

#include "axes.h"
#include "runner.h"

namespace tw {

struct Output {
    DType dtype;
    std::vector<int> dims;  // the slot of each
    bool given = false;     // whether it is written to memory of the caller's, of any strides: they are in the head
};

// What becomes of results: new tensors, of merged axes undone if there was merging, or those that the caller gives.
struct Destination {
    const AxesForm& form;
    const Merging* merging;     // null: axes are as they are
    Tensor* const* given;       // per result, null where it is a new one; null: all are
    const Operand* seen;        // those given as the kernels see them
};

// Why a call did not succeed, for the error callback of the op: see Op in _core.pyi. Holds a reference to `info`.
struct Failure {
    const char* kind = nullptr;  // null: a Python error is set instead
    PyObject* info = nullptr;
};

struct Program {
    TwSizes sizes;
    int head, tail;
    std::vector<Output> outputs;
    int scratch;  // the slot of the scratch bytes
    std::vector<Step> steps;
    std::vector<std::string> checks;
    std::vector<DType> scalars;

    // Gets a call ready: fills the size table, of head + tail slots, and makes the results, of which `results` gets new
    // references. `inputs` and given outputs fill the head exactly. On failure returns false and leaves no results.
    bool prepare(const Operand* inputs, int count, const Destination& to, int64_t* table, Tensor** results,
                 Failure& failure) const;

    // Computes the results of a call that is ready. On failure returns false and leaves no results.
    bool compute(const Operand* inputs, int count, const int64_t* table, const uint64_t* cells, Tensor** results,
                 Failure& failure) const;
};

}  // namespace tw
