// x[...] and x[...] = value: what integers, slices, ... and None ask for is a view; Python does the rest.
#include <new>

#include "arguments.h"
#include "hooks.h"
#include "methods.h"
#include "view.h"

namespace tw {

namespace {

enum class Item { Int, Slice, Ellipsis, Axis, Advanced };

bool is_integer(DType dtype) { return dtype > DType::Bool && dtype <= DType::U64; }

Item kind_of(PyObject* item, int64_t& value) {
    if (PyLong_CheckExact(item)) return Item::Int;
    if (PySlice_Check(item)) return Item::Slice;
    if (item == Py_None) return Item::Axis;
    if (item == Py_Ellipsis) return Item::Ellipsis;
    if (is_tensor(item) && !is_integer(reinterpret_cast<Tensor*>(item)->dtype)) return Item::Advanced;
    return is_int(item, value) ? Item::Int : Item::Advanced;
}

// The items of an index.
struct Index {
    PyObject* const* items;
    Py_ssize_t count;
    Py_ssize_t axes = 0;  // how many they take
    int ellipses = 0;
    bool basic = true;

    explicit Index(PyObject* const& index) : items(&index), count(1) {
        if (PyTuple_Check(index)) items = &PyTuple_GET_ITEM(index, 0), count = PyTuple_GET_SIZE(index);
        for (Py_ssize_t i = 0; basic && i < count; ++i) look_at(items[i]);
    }
    void look_at(PyObject* item) {
        int64_t value;
        switch (kind_of(item, value)) {
            case Item::Int:
            case Item::Slice: ++axes; break;
            case Item::Ellipsis: ++ellipses; break;
            case Item::Axis: break;
            case Item::Advanced: basic = false;
        }
    }
};

bool too_many(Tensor* tensor, const Index& index) {
    std::string whole = described(tensor) + ", which has " + counted(tensor->rank(), "axis", "axes");
    bool axes = tensor->rank();
    return fail(Wrong::Index, "too many indices: " + std::to_string(index.axes) + " for " + whole,
                axes ? "every axis has at most one; None adds an axis" : "x[()] is all of it, x.item() its number"),
           false;
}

std::string range_of(int64_t extent) {
    if (!extent) return "the axis is empty";
    return "it takes " + std::to_string(-extent) + " to " + std::to_string(extent - 1);
}

bool add_int(Tensor* tensor, int axis, PyObject* item, Layout& layout) {
    int64_t i, extent = tensor->dims()[axis];
    if (!is_int(item, i))
        return fail(Wrong::Index, "the index " + shown(item) + " does not fit 64 bits", range_of(tensor->dims()[axis])),
               false;
    if (i < -extent || i >= extent) return out_of_range(tensor, axis, i), false;
    layout.offset = plus(layout.offset, times(i < 0 ? i + extent : i, tensor->strides()[axis]));
    return true;
}

// Says of a slice what Python said.
bool wrong_slice(PyObject* slice) {
    if (PyErr_ExceptionMatches(PyExc_ValueError))
        return fail(Wrong::Value, "the step of " + shown(slice) + " is 0",
                    "1 takes every element, -1 from the last on"),
               false;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        return fail(Wrong::Type, shown(slice) + " has a bound that is no int", "bounds and steps are ints or None"),
               false;
    return false;
}

bool add_slice(Tensor* tensor, int axis, PyObject* slice, Layout& layout) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) return wrong_slice(slice);
    Py_ssize_t length = PySlice_AdjustIndices(tensor->dims()[axis], &start, &stop, step);
    if (length || step > 0) layout.offset = plus(layout.offset, times(start, tensor->strides()[axis]));
    layout.add(length, times(tensor->strides()[axis], step));
    return true;
}

bool read_items(Tensor* tensor, const Index& index, Layout& layout) {
    int axis = 0, rest = tensor->rank() - static_cast<int>(index.axes);
    for (Py_ssize_t i = 0; i < index.count; ++i) {
        PyObject* item = index.items[i];
        if (item == Py_None) {
            layout.add(1, unit_stride(tensor, axis));
        } else if (item == Py_Ellipsis) {
            layout.add_axes(tensor, axis, axis + rest);
            axis += rest;
        } else {
            bool good =
                PySlice_Check(item) ? add_slice(tensor, axis, item, layout) : add_int(tensor, axis, item, layout);
            if (!good) return false;
            ++axis;
        }
    }
    layout.add_axes(tensor, axis, tensor->rank());
    return true;
}

PyObject* seen(Tensor* tensor, const Index& index) {
    if (index.axes > tensor->rank()) return too_many(tensor, index), nullptr;
    if (index.ellipses > 1)
        return fail(Wrong::Index, "an index has ... at most once", "write : for every axis left out");
    Layout layout;
    return read_items(tensor, index, layout) ? view_of(tensor, layout) : nullptr;
}

PyObject* assigned(PyObject* self, PyObject* at, PyObject* value) {
    Tensor* tensor = reinterpret_cast<Tensor*>(self);
    if (tensor->readonly) return fail(Wrong::Value, described(tensor) + " is read-only", "x.clone() can be written to");
    Index index(at);
    if (!index.basic) return call_hook(Hook::AdvancedSetitem, {self, at, value});
    PyObject* view = seen(tensor, index);
    PyObject* result = view ? call_hook(Hook::Assign, {view, value}) : nullptr;
    Py_XDECREF(view);
    return result;
}

}  // namespace

PyObject* out_of_range(Tensor* tensor, int axis, int64_t index) {
    int64_t extent = tensor->dims()[axis];
    return fail(Wrong::Index,
                "index " + std::to_string(index) + " is out of range for axis " + std::to_string(axis) + " of " +
                    described(tensor),
                range_of(extent));
}

PyObject* tensor_getitem(PyObject* self, PyObject* at) try {
    Index index(at);
    if (!index.basic) return call_hook(Hook::AdvancedGetitem, {self, at});
    return seen(reinterpret_cast<Tensor*>(self), index);
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

int tensor_setitem(PyObject* self, PyObject* at, PyObject* value) try {
    if (!value) return fail(Wrong::Type, "elements of a tensor cannot be deleted", "index those that stay"), -1;
    PyObject* result = assigned(self, at, value);
    Py_XDECREF(result);
    return result ? 0 : -1;
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory(), -1;
}

}  // namespace tw
