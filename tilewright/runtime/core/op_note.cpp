// Calls that are noted instead of run: recording.h.
#include <algorithm>
#include <iterator>

#include "op_call.h"
#include "recording.h"

namespace tw {

namespace {

// A tuple of what `make(i)` gives, which is a new reference or null with an error.
template <class Make>
PyObject* tuple_of(int size, Make make) {
    PyObject* all = PyTuple_New(size);
    for (int i = 0; all && i < size; ++i) {
        auto* item = reinterpret_cast<PyObject*>(make(i));
        if (item) PyTuple_SET_ITEM(all, i, item);
        else Py_CLEAR(all);
    }
    return all;
}

Tensor* twin(Tensor* t) { return over(t->storage, t->data, t->dtype, t->dims(), t->strides(), t->rank()); }

}  // namespace

// Whether the recorder of this thread may note the call: NumPy's arrays are answered at once, and writes go to all of a
// memory that nobody else sees.
bool OpCall::may_note() {
    if (others && !tensors) return false;
    for (int i = 0; out && i < results(op); ++i) {
        if (!given[i]) continue;
        if (!is_whole(given[i])) return false;
        for (int other = 0; other < i; ++other)
            if (given[other] && given[other]->storage == given[i]->storage) return false;
    }
    return true;
}

// What the call reads is computed, and what it writes to is not to be read first. The recorder that notes the call knows
// of that itself.
bool OpCall::ready() {
    PyObject* own = noted ? mode.recorder : nullptr;
    for (int i = 0; i < count; ++i) {
        bool good = own ? settled_for(inputs[i]->storage, own) : readable(inputs[i]);
        if (!good) return false;
    }
    for (int i = 0; out && i < results(op); ++i)
        if (given[i] && !settled_for(given[i]->storage, own)) return false;
    return true;
}

// The values of the parameters; operands as tensors of the recorder's own.
PyObject* OpCall::arguments() {
    int present = 0;
    return tuple_of(size(op.parameters), [&](int i) {
        bool operand = is_operand(op.parameters[i].kind) && values[i] != Py_None;
        return operand ? reinterpret_cast<PyObject*>(twin(inputs[present++])) : Py_NewRef(values[i]);
    });
}

// The operands that are present, as kernels see them.
PyObject* OpCall::merged_operands() {
    return tuple_of(count, [&](int i) {
        const Operand& x = views[i];
        return over(inputs[i]->storage, x.data, x.dtype, x.dims(), x.strides(), x.rank);
    });
}

// The results as kernels see them.
PyObject* OpCall::merged_results(const Program& program, const int64_t* table, Tensor* const* made) {
    return tuple_of(size(program.outputs), [&](int i) {
        const Output& output = program.outputs[i];
        int rank = static_cast<int>(output.dims.size());
        int64_t dims[kMaxRank], strides[kMaxRank];
        for (int a = 0; a < rank; ++a) dims[a] = table[output.dims[a]];
        if (out && given[i]) copy_few(views[count + i].strides(), rank, strides);
        else row_major(dims, strides, rank, info(output.dtype).bytes);
        return over(made[i]->storage, made[i]->data, output.dtype, dims, strides, rank);
    });
}

// Has the recorder note the call: recorder.record(op, arguments, key, operands, results, merged results).
bool OpCall::note(const Program& program, PyObject* self, const int64_t* table, Tensor* const* made) {
    int outputs = size(program.outputs);
    PyObject* own = Py_NewRef(mode.recorder);
    PyObject* parts[] = {arguments(), describe(), merged_operands(),
                         tuple_of(outputs, [&](int i) { return twin(made[i]); }), merged_results(program, table, made)};
    bool good = std::all_of(std::begin(parts), std::end(parts), [](PyObject* part) { return part != nullptr; });
    PyObject* done = !good ? nullptr
                           : PyObject_CallMethod(own, "record", "OOOOOO", self, parts[0], parts[1], parts[2], parts[3], parts[4]);
    for (PyObject* part : parts) Py_XDECREF(part);
    for (int i = 0; !done && i < outputs; ++i) Py_DECREF(made[i]);
    Py_DECREF(own);
    Py_XDECREF(done);
    return done != nullptr;
}

}  // namespace tw
