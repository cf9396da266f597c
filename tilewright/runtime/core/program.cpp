#include "program.h"

#include "small_array.h"

namespace tw {

namespace {

constexpr int64_t kLargeCall = 64 << 10;  // bytes of a call from which letting other Python threads run pays anyway

bool fail(Failure& failure, const char* kind, PyObject* info) {
    if (info) failure = {kind, info};
    return false;
}

// Fills the size table; false when a check of the plan fails.
bool measure(const Program& program, Tensor* const* inputs, int count, int64_t* table, Failure& failure) {
    int64_t* slot = table;
    for (int i = 0; i < count; ++i) slot = copy_few(inputs[i]->extents, 2 * inputs[i]->rank(), slot);
    size_t check = program.sizes(table, slot);
    if (check == 0) return true;
    const char* message = check <= program.checks.size() ? program.checks[check - 1].c_str() : "an unknown check failed";
    return fail(failure, "check", PyUnicode_FromString(message));
}

// On failure `result` may be a tensor without memory, or null.
bool make_result(const Output& output, const int64_t* table, Tensor*& result, Failure& failure) {
    int rank = static_cast<int>(output.dims.size());
    if (!(result = new_tensor(output.dtype, rank))) return false;
    for (int a = 0; a < rank; ++a) {
        int64_t dim = result->dims()[a] = table[output.dims[a]];
        const char* message = "axis %d of the result would have the negative extent %lld";
        if (dim < 0) return fail(failure, "check", PyUnicode_FromFormat(message, a, static_cast<long long>(dim)));
    }
    return give_memory(result);
}

bool take_scratch(int64_t wanted, char*& data) {
    if (wanted == 0 || (data = scratch(wanted))) return true;
    return PyErr_Format(PyExc_MemoryError, "no memory for intermediates: %s", refusal(wanted).c_str()), false;
}

// Runs the steps, without the GIL when that pays: nothing in here touches Python.
void execute(const Program& program, TwArgs& args, int64_t bytes) {
    bool large = bytes + args.table[program.scratch] > kLargeCall || is_long(program.steps, args.table);
    PyThreadState* state = large ? PyEval_SaveThread() : nullptr;
    run_steps(program.steps, args);
    if (large) PyEval_RestoreThread(state);
}

bool report(const TwStatus& status, Failure& failure) {
    if (status.code == 0) return true;
    PyObject* info = Py_BuildValue("(LLLL)", static_cast<long long>(status.code), static_cast<long long>(status.operand),
                                   static_cast<long long>(status.position), static_cast<long long>(status.value));
    return fail(failure, "index", info);
}

// Runs the steps on the operands and the results.
bool compute(const Program& program, Tensor* const* inputs, int count, const int64_t* table, const uint64_t* cells,
             Tensor** results, Failure& failure) {
    int all = count + static_cast<int>(program.outputs.size());
    SmallArray<void*, 16> data(all);
    TwStatus status{};
    TwArgs args{data.data(), table, cells, nullptr, &status, nullptr};
    int64_t bytes = 0;
    for (int i = 0; i < all; ++i) {
        Tensor* tensor = i < count ? inputs[i] : results[i - count];
        data[i] = tensor->data;
        bytes += tensor->bytes;
    }
    if (!take_scratch(table[program.scratch], args.scratch)) return false;
    execute(program, args, bytes);
    return report(status, failure);
}

}  // namespace

bool Program::run(Tensor* const* inputs, int count, const uint64_t* cells, Tensor** results, Failure& failure) const {
    int made = static_cast<int>(outputs.size()), done = 0;
    SmallArray<int64_t, 128> table(head + tail);
    bool good = measure(*this, inputs, count, table.data(), failure);
    while (good && done < made) {
        good = make_result(outputs[done], table.data(), results[done], failure);
        done += results[done] != nullptr;
    }
    good = good && compute(*this, inputs, count, table.data(), cells, results, failure);
    while (!good && done > 0) Py_CLEAR(results[--done]);
    return good;
}

}  // namespace tw
