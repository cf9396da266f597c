// One call of an op, from its arguments to its results.
#pragma once
#include <algorithm>

#include "axes.h"
#include "op.h"
#include "small_array.h"

namespace tw {

constexpr int kUsual = 16;  // as many of anything as usual calls have
constexpr int kExtents = 256;  // calls with more dims and strides in all keep their axes as they are

// One call. The inputs are the operands that are present, in order; they are owned.
struct OpCall {
    Definition& op;
    SmallArray<PyObject*, kUsual> values;
    SmallArray<uint64_t, kUsual> key;
    SmallArray<Tensor*, kUsual> inputs;
    SmallArray<Operand, kUsual> views;   // the inputs, then the tensors given for results, as kernels see them
    SmallArray<Tensor*, kUsual> given;   // per result the tensor that it is written to, or null; owned
    int64_t extents[kExtents];           // of merged axes
    Merging merging;
    PyObject* out = nullptr;
    bool may_merge, merged = false, again = false;  // again: to be done without merging, for what there is to say
    int count = 0;
    bool tensors = false, others = false;  // what the operands came as
    PyObject* recorder = nullptr;          // an operand that records the call instead of running it; borrowed
    bool noted = false;                    // whether the call is noted by the thread's recorder instead of run

    OpCall(Definition& definition, bool merge)
        : op(definition), values(size(definition.parameters)), key(words(definition)), inputs(definition.operands),
          views(definition.operands + results(definition)), given(results(definition)), may_merge(merge) {
        std::fill_n(given.data(), results(definition), nullptr);
    }
    ~OpCall() {
        for (int i = 0; i < count; ++i) Py_DECREF(inputs[i]);
        for (int i = 0; out && i < results(op); ++i) Py_XDECREF(given[i]);
    }
    template <class T>
    static int size(const std::vector<T>& all) {
        return static_cast<int>(all.size());
    }

    static int results(const Definition& definition) { return size(definition.axes.results); }
    static int words(const Definition& definition) { return definition.key_words + results(definition); }

    bool read();
    bool take_out();
    bool clashes();
    bool look();
    void merge();
    bool take_attribute(PyObject* value, const Parameter& parameter, uint64_t* words);
    bool stretch();
    bool take_operand(PyObject* value, const Parameter& parameter, uint64_t& word);
    PyObject* convert(PyObject* value, const Parameter& parameter);
    PyObject* record(PyObject* self);
    const Program* find();
    const Program* miss(std::string_view bytes);
    PyObject* describe();
    bool pack(const Program& program, uint64_t* cells);
    bool may_note();
    bool ready();
    PyObject* run(const Program& program, PyObject* self);
    bool note(const Program& program, PyObject* self, const int64_t* table, Tensor* const* results);
    PyObject* arguments();
    PyObject* merged_operands();
    PyObject* merged_results(const Program& program, const int64_t* table, Tensor* const* results);
    bool fail(const Failure& failure);
    PyObject* all_operands();
    PyObject* deliver(Tensor** results, int made);
    PyObject* deliver_out(Tensor** results, int made);
    PyObject* deliver_one(Tensor* result);
};

}  // namespace tw
