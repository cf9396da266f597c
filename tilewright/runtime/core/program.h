// The runnable form of a plan.
#pragma once
#include <string>
#include <vector>

#include "runner.h"
#include "tensor.h"

namespace tw {

struct Output {
    DType dtype;
    std::vector<int> dims;  // the slot of each
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

    // Runs one call. `inputs` fill the head exactly; `results` has room for the outputs and gets new references.
    // On failure returns false and leaves no results.
    bool run(Tensor* const* inputs, int count, const uint64_t* cells, Tensor** results, Failure& failure) const;
};

}  // namespace tw
