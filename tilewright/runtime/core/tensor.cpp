#include "tensor.h"

#include "dlpack.h"
#include "errors.h"
#include "function.h"
#include "methods.h"
#include "recording.h"
#include "small_array.h"
#include "tensor_doc.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace tw {

static_assert(sizeof(Py_ssize_t) == sizeof(int64_t), "Tilewright needs a 64-bit Python");

PyTypeObject *TensorType = nullptr, *BaseType = nullptr;

namespace {

// Freed objects by rank, chained through `storage`.
constexpr int kKeptRanks = 8, kKeptEach = 64;
struct {
    Tensor* first;
    int count;
} kept[kKeptRanks];

PyObject *names[kDTypeCount], *types[kDTypeCount];  // as .tw calls them; as users hold them

Tensor* tensor_memory(int rank) {
    if (rank < kKeptRanks && kept[rank].first) {
        Tensor* tensor = kept[rank].first;
        kept[rank].first = reinterpret_cast<Tensor*>(tensor->storage);
        --kept[rank].count;
        return tensor;
    }
    return static_cast<Tensor*>(PyObject_Malloc(offsetof(Tensor, extents) + 2 * rank * sizeof(int64_t)));
}

void dealloc(PyObject* self) {
    Tensor* tensor = reinterpret_cast<Tensor*>(self);
    PyTypeObject* type = Py_TYPE(self);
    int rank = tensor->rank();
    Storage* storage = tensor->storage;
    if (watched && storage && storage->references == 1) forget(storage);
    if (storage) release(storage);
    if (rank < kKeptRanks && kept[rank].count < kKeptEach) {
        tensor->storage = reinterpret_cast<Storage*>(kept[rank].first);
        kept[rank].first = tensor;
        ++kept[rank].count;
    } else {
        PyObject_Free(self);
    }
    Py_DECREF(type);
}

Tensor* as_tensor(PyObject* self) { return reinterpret_cast<Tensor*>(self); }

PyObject* get_shape(PyObject* self, void*) { return int_tuple(as_tensor(self)->dims(), as_tensor(self)->rank()); }
PyObject* get_strides(PyObject* self, void*) { return int_tuple(as_tensor(self)->strides(), as_tensor(self)->rank()); }
PyObject* get_dtype(PyObject* self, void*) { return Py_NewRef(dtype_object(as_tensor(self)->dtype)); }
PyObject* data_ptr(PyObject* self, PyObject*) {
    return expose(as_tensor(self)) ? PyLong_FromVoidPtr(as_tensor(self)->data) : nullptr;
}
PyObject* get_nbytes(PyObject* self, void*) { return PyLong_FromLongLong(as_tensor(self)->bytes); }

PyObject* get_array_interface(PyObject* self, void*) {
    Tensor* tensor = as_tensor(self);
    if (!info(tensor->dtype).format)  // NumPy asks __array__ then
        return PyErr_Format(PyExc_AttributeError, "__array_interface__ has no %s", info(tensor->dtype).name);
    if (!expose(tensor)) return nullptr;
    char format = info(tensor->dtype).format[0];
    char kind = format == '?' ? 'b' : strchr("efd", format) ? 'f' : strchr("bhiq", format) ? 'i' : 'u';
    int64_t bytes = info(tensor->dtype).bytes;
    std::string type = (bytes == 1 ? "|" : "<") + std::string(1, kind) + std::to_string(bytes);
    return Py_BuildValue("{s:N, s:s, s:N, s:(NO), s:i}", "shape", get_shape(self, nullptr), "typestr", type.c_str(),
                         "strides", get_strides(self, nullptr), "data", data_ptr(self, nullptr),
                         tensor->readonly ? Py_True : Py_False, "version", 3);
}

// Sets MemoryError for a tensor of so many bytes (negative: more than any has); returns false.
bool no_memory(Tensor* tensor, int64_t bytes) {
    PyErr_Format(PyExc_MemoryError, "no memory for a result %s: %s", described(tensor).c_str(), refusal(bytes).c_str());
    return false;
}

bool take_block(Tensor* tensor, int64_t bytes) {
    Storage* storage = bytes < 0 ? nullptr : allocate(bytes);
    if (!storage) return no_memory(tensor, bytes);
    tensor->storage = storage;
    tensor->data = storage->data;
    tensor->bytes = bytes;
    tensor->still = 0;
    return true;
}

PyObject* from_buffer(PyObject*, PyObject* args, PyObject* kwargs) {
    static const char* keywords[] = {"obj", "dtype", nullptr};
    PyObject* object;
    const char* name = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|z", const_cast<char**>(keywords), &object, &name)) return nullptr;
    if (!name) return tensor_from_buffer(object, nullptr);
    DType dtype;
    if (!dtype_named(name, dtype)) return PyErr_Format(PyExc_TypeError, "unknown dtype '%s'", name);
    return tensor_from_buffer(object, &dtype);
}

// __array__(dtype=None, copy=None) is written in Python.
PyObject* to_array(PyObject* self, PyObject* args, PyObject* kwargs) {
    PyObject* module = PyImport_ImportModule("tilewright.runtime.arrays");
    PyObject* function = module ? PyObject_GetAttrString(module, "array") : nullptr;
    PyObject* bound = function ? PyMethod_New(function, self) : nullptr;
    PyObject* result = bound ? PyObject_Call(bound, args, kwargs) : nullptr;
    Py_XDECREF(bound);
    Py_XDECREF(function);
    Py_XDECREF(module);
    return result;
}

Attributes attributes = {{"shape", get_shape, nullptr, doc::shape, nullptr},
                         {"strides", get_strides, nullptr, doc::strides, nullptr},
                         {"dtype", get_dtype, nullptr, doc::dtype, nullptr},
                         {"nbytes", get_nbytes, nullptr, doc::nbytes, nullptr},
                         {"__array_interface__", get_array_interface, nullptr, nullptr, nullptr}};

PyCFunction with_keywords(PyCFunctionWithKeywords function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

Methods methods = {
    {"__array__", with_keywords(to_array), METH_VARARGS | METH_KEYWORDS, "A NumPy array, over this memory if it can be."},
    {"__dlpack__", with_keywords(tensor_dlpack), METH_VARARGS | METH_KEYWORDS, "A DLPack capsule of this memory."},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, "DLPack's name of the CPU."},
    {"data_ptr", data_ptr, METH_NOARGS, doc::data_ptr},
    {"from_capsule", tensor_from_capsule, METH_O | METH_STATIC, doc::from_capsule},
    {"from_buffer", with_keywords(from_buffer), METH_VARARGS | METH_KEYWORDS | METH_STATIC, doc::from_buffer}};

// Brings the methods and attributes of the other files to those above. What the type refers to stays where it is.
void complete_tables() {
    for (auto add : {add_view_methods, add_part_methods, add_layout_methods, add_item_methods}) add(methods, attributes);
    methods.push_back({});
    attributes.push_back({});
}

PyTypeObject* make_type() {
    complete_tables();
    PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("An n-dimensional array of one element type.")},
                           {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                           {Py_tp_iter, reinterpret_cast<void*>(tensor_iterator)},
                           {Py_tp_getset, attributes.data()},
                           {Py_tp_methods, methods.data()},
                           {Py_bf_getbuffer, reinterpret_cast<void*>(tensor_get_buffer)},
                           {Py_mp_length, reinterpret_cast<void*>(tensor_length)},
                           {Py_mp_subscript, reinterpret_cast<void*>(tensor_getitem)},
                           {Py_mp_ass_subscript, reinterpret_cast<void*>(tensor_setitem)},
                           {Py_nb_bool, reinterpret_cast<void*>(tensor_bool)},
                           {Py_nb_int, reinterpret_cast<void*>(tensor_int)},
                           {Py_nb_float, reinterpret_cast<void*>(tensor_float)},
                           {Py_nb_index, reinterpret_cast<void*>(tensor_index)},
                           {0, nullptr}};
    std::vector<PyType_Slot> all = operator_slots();
    all.insert(all.end(), std::begin(slots), std::end(slots));
    PyType_Spec spec = {"tilewright.runtime._core.Tensor", offsetof(Tensor, extents), 2 * sizeof(int64_t),
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE |
                            Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        all.data()};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace

Tensor* new_tensor(DType dtype, int rank) {
    Tensor* tensor = tensor_memory(rank);
    if (!tensor) return PyErr_NoMemory(), nullptr;
    PyObject_InitVar(reinterpret_cast<PyVarObject*>(tensor), TensorType, rank);
    tensor->storage = nullptr;
    tensor->dtype = dtype;
    tensor->readonly = false;
    return tensor;
}

bool give_memory(Tensor* tensor) {
    int64_t bytes = row_major(tensor->dims(), tensor->strides(), tensor->rank(), info(tensor->dtype).bytes);
    if (!take_block(tensor, bytes)) return false;
    tensor->unit = static_cast<int8_t>(tensor->rank() - 1);
    return true;
}

bool give_block(Tensor* tensor, int64_t bytes) {
    if (!take_block(tensor, bytes)) return false;
    int64_t item = info(tensor->dtype).bytes;
    tensor->unit = static_cast<int8_t>(unit_axis(tensor->dims(), tensor->strides(), tensor->rank(), item));
    return true;
}

bool is_row_major(Tensor* tensor) {
    return is_row_major(tensor->dims(), tensor->strides(), tensor->rank(), info(tensor->dtype).bytes);
}

std::string described(DType dtype, const int64_t* dims, int rank) { return info(dtype).name + shown(dims, rank); }

std::string described(Tensor* tensor) { return described(tensor->dtype, tensor->dims(), tensor->rank()); }

void give_storage(Tensor* tensor, Storage* storage, char* data) {
    int64_t item = info(tensor->dtype).bytes, bytes = item;
    for (int a = 0; a < tensor->rank(); ++a) bytes *= tensor->dims()[a];
    tensor->storage = storage;
    tensor->data = data;
    tensor->bytes = bytes;
    tensor->unit = static_cast<int8_t>(unit_axis(tensor->dims(), tensor->strides(), tensor->rank(), item));
    tensor->still = still_axes(tensor->dims(), tensor->strides(), tensor->rank());
}

Tensor* over(Storage* storage, char* data, DType dtype, const int64_t* dims, const int64_t* strides, int rank) {
    Tensor* tensor = new_tensor(dtype, rank);
    if (!tensor) return nullptr;
    copy_few(dims, rank, tensor->dims());
    copy_few(strides, rank, tensor->strides());
    ++storage->references;
    give_storage(tensor, storage, data);
    return tensor;
}

// Elements may lie before the first one.
bool borrow_storage(Tensor* tensor, char* data, void* owner, void (*let_go)(void*)) {
    Span all = span(tensor->dims(), tensor->strides(), tensor->rank(), info(tensor->dtype).bytes);
    Storage* storage = borrow(data + all.low, all.high - all.low, owner, let_go);
    if (storage) give_storage(tensor, storage, data);
    return storage;
}

PyObject* dtype_name(DType dtype) { return names[static_cast<int>(dtype)]; }

PyObject* dtype_object(DType dtype) { return types[static_cast<int>(dtype)]; }

bool set_dtypes(PyObject* objects) {
    PyObject* all = PySequence_Tuple(objects);
    bool good = all && PyTuple_GET_SIZE(all) == kDTypeCount;
    for (int i = 0; good && i < kDTypeCount; ++i) Py_XSETREF(types[i], Py_NewRef(PyTuple_GET_ITEM(all, i)));
    if (all && !good) PyErr_Format(PyExc_ValueError, "there are %d element types", kDTypeCount);
    Py_XDECREF(all);
    return good;
}

bool dtype_of(PyObject* object, DType& dtype) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (object == types[i]) return dtype = static_cast<DType>(i), true;
    return false;
}

// Tensors of the new type are made and freed as those of its base: they have no header for the garbage collector.
bool set_tensor_type(PyObject* type) {
    auto* made = reinterpret_cast<PyTypeObject*>(type);
    if (!PyType_Check(type) || !PyType_IsSubtype(made, BaseType) || made->tp_basicsize != BaseType->tp_basicsize)
        return PyErr_SetString(PyExc_TypeError, "a subtype of Tensor without attributes of its own is needed"), false;
    made->tp_dealloc = dealloc;
    made->tp_flags &= ~Py_TPFLAGS_HAVE_GC;
    made->tp_traverse = nullptr;
    made->tp_clear = nullptr;
    made->tp_free = PyObject_Free;
    PyType_Modified(made);
    TensorType = reinterpret_cast<PyTypeObject*>(Py_NewRef(type));
    return true;
}

PyObject* int_tuple(const int64_t* values, int count) {
    PyObject* tuple = PyTuple_New(count);
    for (int i = 0; tuple && i < count; ++i) {
        PyObject* value = PyLong_FromLongLong(values[i]);
        if (!value) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}

bool add_tensor_type(PyObject* module) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (!(names[i] = PyUnicode_InternFromString(kDTypes[i].name))) return false;
    std::copy_n(names, kDTypeCount, types);
    TensorType = BaseType = make_type();
    return TensorType && PyModule_AddType(module, TensorType) == 0;
}

}  // namespace tw
