#include "dlpack.h"

#include <cstring>
#include <new>

#include "recording.h"
#include "small_array.h"

namespace tw {

namespace {

// The layout of these structs is DLPack's, the names are ours.

constexpr int32_t kCpu = 1;
constexpr uint64_t kReadOnly = 1, kIsCopied = 2;

struct Device {
    int32_t type, id;
};

struct ElementType {
    uint8_t code, bits;
    uint16_t lanes;
};

struct Array {
    void* data;
    Device device;
    int32_t rank;
    ElementType type;
    int64_t* dims;
    int64_t* strides;  // in elements; null: row-major
    uint64_t byte_offset;
};

struct Legacy {
    static constexpr const char *kName = "dltensor", *kUsed = "used_dltensor";
    Array array;
    void* context;
    void (*deleter)(Legacy*);
};

struct Versioned {
    static constexpr const char *kName = "dltensor_versioned", *kUsed = "used_dltensor_versioned";
    struct {
        uint32_t major, minor;
    } version;
    void* context;
    void (*deleter)(Versioned*);
    uint64_t flags;
    Array array;
};

constexpr int8_t kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6, kNone = -1;
constexpr int8_t kCodes[kDTypeCount] = {kBool, kInt,  kInt,   kInt,    kInt,   kUInt,  kUInt,
                                        kUInt, kUInt, kFloat, kBFloat, kFloat, kFloat, kNone};

int8_t code_of(DType dtype) { return kCodes[static_cast<int>(dtype)]; }

bool dtype_of(const ElementType& type, DType& out) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (kCodes[i] == type.code && kDTypes[i].bytes * 8 == type.bits) return out = static_cast<DType>(i), true;
    return false;
}

// To other libraries

template <class Managed>
struct Exported {
    Managed managed;  // first: its address is what consumers know
    int64_t strides[kMaxRank];
};

// Consumers call it on any thread.
template <class Managed>
void let_go_exported(Managed* managed) {
    if (!Py_IsInitialized()) return;  // the memory went with the interpreter
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF(static_cast<PyObject*>(managed->context));
    PyGILState_Release(state);
    delete reinterpret_cast<Exported<Managed>*>(managed);
}

template <class Managed>
void let_go_unconsumed(PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, Managed::kName)) return;
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
    managed->deleter(managed);
}

// Strides are whole numbers of elements: no tensor is made of memory where they are not.
template <class Managed>
PyObject* capsule_of(Tensor* tensor, [[maybe_unused]] uint64_t flags) {
    if (!expose(tensor)) return nullptr;
    auto* exported = new (std::nothrow) Exported<Managed>{};
    if (!exported) return PyErr_NoMemory();
    int64_t item = info(tensor->dtype).bytes;
    for (int a = 0; a < tensor->rank(); ++a) exported->strides[a] = tensor->strides()[a] / item;
    ElementType type{static_cast<uint8_t>(code_of(tensor->dtype)), static_cast<uint8_t>(item * 8), 1};
    void* data = tensor->bytes ? tensor->data : nullptr;
    Managed& managed = exported->managed;
    managed.array = {data, {kCpu, 0}, tensor->rank(), type, tensor->dims(), exported->strides, 0};
    managed.context = Py_NewRef(reinterpret_cast<PyObject*>(tensor));
    managed.deleter = let_go_exported<Managed>;
    if constexpr (requires { managed.flags; }) managed.version = {1, 0}, managed.flags = flags;
    PyObject* capsule = PyCapsule_New(&managed, Managed::kName, let_go_unconsumed<Managed>);
    if (!capsule) managed.deleter(&managed);
    return capsule;
}

// A row-major copy of the elements.
Tensor* copied(Tensor* tensor) {
    Tensor* copy = new_tensor(tensor->dtype, tensor->rank());
    if (!copy) return nullptr;
    memcpy(copy->dims(), tensor->dims(), tensor->rank() * sizeof(int64_t));
    Py_buffer view;
    bool good = give_memory(copy) && PyObject_GetBuffer(reinterpret_cast<PyObject*>(tensor), &view, PyBUF_STRIDED_RO) == 0;
    if (good) {
        good = PyBuffer_ToContiguous(copy->data, &view, view.len, 'C') == 0;
        PyBuffer_Release(&view);
    }
    if (!good) Py_CLEAR(copy);
    return copy;
}

// A tuple of two integers, such as a version or a device.
bool read_pair(PyObject* value, const char* what, long (&pair)[2]) {
    if (!PyTuple_Check(value) || PyTuple_GET_SIZE(value) != 2)
        return PyErr_Format(PyExc_TypeError, "%s is a tuple of two integers, not %R", what, value), false;
    for (int i = 0; i < 2; ++i)
        if ((pair[i] = PyLong_AsLong(PyTuple_GET_ITEM(value, i))) == -1 && PyErr_Occurred()) return false;
    return true;
}

struct Request {
    PyObject *stream = Py_None, *max_version = Py_None, *device = Py_None, *copy = Py_None;

    // Whether a tensor of `dtype` can answer; sets the error if not.
    bool accept(DType dtype) const {
        long wanted[2] = {kCpu, 0};
        if (stream != Py_None) PyErr_Format(PyExc_BufferError, "memory of the CPU has no stream: stream is None, not %R", stream);
        else if (device != Py_None && !read_pair(device, "dl_device", wanted)) return false;
        else if (wanted[0] != kCpu || wanted[1] != 0)
            PyErr_Format(PyExc_BufferError, "tensors are on the device (1, 0), the CPU; they are not copied to %R", device);
        else if (code_of(dtype) == kNone)
            PyErr_Format(PyExc_BufferError, "DLPack has no element type for %s", info(dtype).name);
        return !PyErr_Occurred();
    }
};

// DLPack allows negative strides, but PyTorch 2.13 ends the process when it gets one.
bool runs_backwards(Tensor* tensor) {
    for (int a = 0; a < tensor->rank(); ++a)
        if (tensor->strides()[a] < 0 && tensor->dims()[a] > 1) return tensor->bytes != 0;
    return false;
}

PyObject* export_as(Tensor* tensor, bool versioned, uint64_t flags) {
    if (runs_backwards(tensor))
        return PyErr_Format(PyExc_BufferError, "negative strides are not given to other libraries, some of which they end: "
                                               "ask with copy=True, or use numpy.asarray");
    if (tensor->readonly) flags |= kReadOnly;
    if (versioned) return capsule_of<Versioned>(tensor, flags);
    if (!tensor->readonly) return capsule_of<Legacy>(tensor, flags);
    PyErr_SetString(PyExc_BufferError, "the tensor is read-only, which DLPack cannot say before version 1: "
                                       "ask with max_version=(1, 0), or with copy=True");
    return nullptr;
}

}  // namespace

PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs) {
    static const char* keywords[] = {"stream", "max_version", "dl_device", "copy", nullptr};
    Request asked;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", const_cast<char**>(keywords), &asked.stream,
                                     &asked.max_version, &asked.device, &asked.copy))
        return nullptr;
    Tensor* tensor = reinterpret_cast<Tensor*>(self);
    long version[2] = {0, 0};
    int copy = asked.copy == Py_None ? 0 : PyObject_IsTrue(asked.copy);
    if (copy < 0 || !asked.accept(tensor->dtype)) return nullptr;
    if (asked.max_version != Py_None && !read_pair(asked.max_version, "max_version", version)) return nullptr;
    if (!copy) return export_as(tensor, version[0] >= 1, 0);
    Tensor* own = copied(tensor);
    if (!own) return nullptr;
    PyObject* capsule = export_as(own, version[0] >= 1, kIsCopied);
    Py_DECREF(own);
    return capsule;
}

PyObject* tensor_dlpack_device(PyObject*, PyObject*) { return Py_BuildValue("(ii)", kCpu, 0); }

namespace {

// From other libraries

bool is_supported(const Legacy&) { return true; }
bool is_supported(const Versioned& managed) {
    if (managed.version.major <= 1) return true;
    PyErr_Format(PyExc_ValueError, "DLPack %u.%u is too new: versions up to 1 are known", managed.version.major,
                 managed.version.minor);
    return false;
}

bool is_readonly(const Legacy&) { return false; }  // read-only memory is not given away so
bool is_readonly(const Versioned& managed) { return managed.flags & kReadOnly; }

// With the GIL; the deleter may run Python, and must not see an error that is on its way.
template <class Managed>
void let_go_imported(void* owner) {
    auto* managed = static_cast<Managed*>(owner);
    if (!managed->deleter) return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    managed->deleter(managed);
    PyErr_Restore(type, value, trace);
}

uintptr_t first_element(const Array& array) { return reinterpret_cast<uintptr_t>(array.data) + array.byte_offset; }

struct Layout {
    DType dtype;
    int64_t bytes;
    int64_t strides[kMaxRank];  // in bytes
};

// Whether the array can be a tensor, laid out in row-major order; sets the error if not.
bool accept(const Array& array, Layout& layout) {
    const ElementType& type = array.type;
    if (array.device.type != kCpu)
        PyErr_Format(PyExc_ValueError, "its memory is on the device (%d, %d), not the CPU", array.device.type,
                     array.device.id);
    else if (array.rank < 0 || array.rank > kMaxRank)
        PyErr_Format(PyExc_ValueError, "a tensor has at most %d axes, not %d", kMaxRank, array.rank);
    else if (type.lanes != 1)
        PyErr_Format(PyExc_TypeError, "its elements are vectors of %d lanes", type.lanes);
    else if (!dtype_of(type, layout.dtype))
        PyErr_Format(PyExc_TypeError, "no element type for DLPack's code %d of %d bits", type.code, type.bits);
    else if (array.rank && !array.dims)
        PyErr_SetString(PyExc_ValueError, "it has axes, but no shape");
    else if ((layout.bytes = row_major(array.dims, layout.strides, array.rank, type.bits / 8)) < 0)
        PyErr_Format(PyExc_ValueError, "no dim is negative, and a tensor has at most %lld bytes",
                     static_cast<long long>(kLargest));
    else if (!array.data && !is_empty(array.dims, array.rank))
        PyErr_SetString(PyExc_ValueError, "it has elements, but no memory");
    else if (first_element(array) % (type.bits / 8) != 0 && !is_empty(array.dims, array.rank))
        PyErr_SetString(PyExc_ValueError, "the elements are not aligned to their size");
    return !PyErr_Occurred();
}

// Takes the array's own strides on axes where they count.
bool read_strides(const Array& array, Layout& layout) {
    if (!array.strides || layout.bytes == 0) return true;
    for (int a = 0; a < array.rank; ++a) {
        if (array.dims[a] == 1) continue;
        int64_t item = info(layout.dtype).bytes, stride = array.strides[a], furthest = kLargest / item / array.dims[a];
        if (stride < -furthest || stride > furthest)
            return PyErr_Format(PyExc_ValueError, "axis %d has a stride out of range", a), false;
        layout.strides[a] = stride * item;
    }
    return true;
}

template <class Managed>
PyObject* consume(PyObject* capsule) {
    auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
    if (!is_supported(*managed)) return nullptr;
    const Array& array = managed->array;
    Layout layout;
    if (!accept(array, layout) || !read_strides(array, layout)) return nullptr;
    if (PyCapsule_SetName(capsule, Managed::kUsed) < 0) return nullptr;
    auto* data = reinterpret_cast<char*>(first_element(array));
    Tensor* tensor = new_tensor(layout.dtype, array.rank);
    if (!tensor) return let_go_imported<Managed>(managed), nullptr;
    copy_few(array.dims, array.rank, tensor->dims());
    copy_few(layout.strides, array.rank, tensor->strides());
    tensor->readonly = is_readonly(*managed);
    if (borrow_storage(tensor, data, managed, let_go_imported<Managed>)) return reinterpret_cast<PyObject*>(tensor);
    Py_DECREF(tensor);
    return let_go_imported<Managed>(managed), PyErr_NoMemory();
}

}  // namespace

PyObject* tensor_from_capsule(PyObject*, PyObject* capsule) {
    if (PyCapsule_IsValid(capsule, Versioned::kName)) return consume<Versioned>(capsule);
    if (PyCapsule_IsValid(capsule, Legacy::kName)) return consume<Legacy>(capsule);
    if (PyCapsule_IsValid(capsule, Versioned::kUsed) || PyCapsule_IsValid(capsule, Legacy::kUsed))
        PyErr_SetString(PyExc_ValueError, "its capsule is used already: each is for one consumer");
    else if (PyCapsule_CheckExact(capsule) && PyCapsule_GetName(capsule))
        PyErr_Format(PyExc_TypeError, "its capsule is no tensor's but named '%s'", PyCapsule_GetName(capsule));
    else
        PyErr_Format(PyExc_TypeError, "__dlpack__ is to give a capsule, not %R", capsule);
    return nullptr;
}

}  // namespace tw
