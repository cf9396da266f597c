// Tensors and the buffer protocol: memory shared with NumPy and others, in both directions.
#include <cstring>
#include <memory>

#include "recording.h"
#include "small_array.h"

namespace tw {

namespace {

struct ReleaseBuffer {
    void operator()(Py_buffer* view) const {
        PyBuffer_Release(view);
        delete view;
    }
};
using Buffer = std::unique_ptr<Py_buffer, ReleaseBuffer>;

void let_go(void* owner) { ReleaseBuffer()(static_cast<Py_buffer*>(owner)); }

// The element type of a struct-module format of one native item.
bool dtype_of_format(const char* format, int64_t item, DType& out) {
    if (!format) format = "B";
    bool foreign = strchr(">!", *format) && item > 1;
    if (strchr("@=<>!", *format)) ++format;
    if (foreign || !*format || format[1]) return false;
    int log = item == 1 ? 0 : item == 2 ? 1 : item == 4 ? 2 : item == 8 ? 3 : -1;
    if (log < 0) return false;
    if (*format == '?') return out = DType::Bool, item == 1;
    if (strchr("bhilqn", *format)) return out = static_cast<DType>(static_cast<int>(DType::I8) + log), true;
    if (strchr("BHILQN", *format)) return out = static_cast<DType>(static_cast<int>(DType::U8) + log), true;
    if (*format == 'e') return out = DType::F16, item == 2;
    if (*format == 'f') return out = DType::F32, item == 4;
    if (*format == 'd') return out = DType::F64, item == 8;
    return false;
}

bool is_aligned(const Py_buffer& view, int64_t item) {
    bool aligned = reinterpret_cast<uintptr_t>(view.buf) % item == 0;
    for (int a = 0; a < view.ndim; ++a) aligned &= view.shape[a] <= 1 || view.strides[a] % item == 0;
    return aligned || is_empty(view.shape, view.ndim);
}

// Whether the buffer can be a tensor of `dtype` (found from the format when null); a TypeError when not.
bool accept(const Py_buffer& view, const DType* asked, DType& dtype) {
    bool known = asked ? view.itemsize == info(*asked).bytes : dtype_of_format(view.format, view.itemsize, dtype);
    if (asked) dtype = *asked;
    const char* format = view.format ? view.format : "B";
    if (!known && asked)
        PyErr_Format(PyExc_TypeError, "a buffer of %zd-byte elements cannot be read as %s", view.itemsize,
                     info(*asked).name);
    else if (!known)
        PyErr_Format(PyExc_TypeError, "no element type for the buffer format '%s'", format);
    else if (view.ndim > kMaxRank)
        PyErr_Format(PyExc_ValueError, "a tensor has at most %d axes, not %d", kMaxRank, view.ndim);
    else if (int64_t strides[kMaxRank]; row_major(view.shape, strides, view.ndim, view.itemsize) < 0)
        PyErr_Format(PyExc_ValueError, "a tensor has at most %lld bytes", static_cast<long long>(kLargest));
    else if (!is_aligned(view, view.itemsize))
        PyErr_SetString(PyExc_TypeError, "the elements are not aligned to their size");
    return !PyErr_Occurred();
}

}  // namespace

PyObject* tensor_from_buffer(PyObject* object, const DType* asked) {
    auto* view = new (std::nothrow) Py_buffer;
    if (!view) return PyErr_NoMemory();
    if (PyObject_GetBuffer(object, view, asked ? PyBUF_STRIDED_RO : PyBUF_RECORDS_RO) < 0) return delete view, nullptr;
    Buffer buffer(view);
    DType dtype{};
    if (!accept(*view, asked, dtype)) return nullptr;
    Tensor* tensor = new_tensor(dtype, view->ndim);
    if (!tensor) return nullptr;
    copy_few(view->shape, view->ndim, tensor->dims());
    copy_few(view->strides, view->ndim, tensor->strides());
    tensor->readonly = view->readonly;
    if (!borrow_storage(tensor, static_cast<char*>(view->buf), view, let_go)) return Py_DECREF(tensor), PyErr_NoMemory();
    buffer.release();
    return reinterpret_cast<PyObject*>(tensor);
}

namespace {

bool refuse(Py_buffer* view, const char* why) {
    PyErr_SetString(PyExc_BufferError, why);
    view->obj = nullptr;
    return false;
}

// Whether a full description of the memory answers a request with these flags.
bool answers(Py_buffer* view, int flags) {
    auto wants = [&](int flag) { return (flags & flag) == flag; };
    if (wants(PyBUF_WRITABLE) && view->readonly) return refuse(view, "the tensor is read-only");
    char order = wants(PyBUF_F_CONTIGUOUS) ? 'F' : wants(PyBUF_ANY_CONTIGUOUS) ? 'A' : 'C';
    bool any = wants(PyBUF_STRIDES) && !wants(PyBUF_C_CONTIGUOUS) && order == 'C';
    if (!any && !PyBuffer_IsContiguous(view, order)) return refuse(view, "the tensor is not contiguous");
    return true;
}

}  // namespace

int tensor_get_buffer(PyObject* self, Py_buffer* view, int flags) {
    Tensor* tensor = reinterpret_cast<Tensor*>(self);
    const DTypeInfo& type = info(tensor->dtype);
    if (!expose(tensor)) return view->obj = nullptr, -1;
    *view = Py_buffer{};
    view->buf = tensor->data;
    view->len = tensor->bytes;
    view->itemsize = type.bytes;
    view->readonly = tensor->readonly;
    view->ndim = tensor->rank();
    view->format = const_cast<char*>(type.format);
    view->shape = reinterpret_cast<Py_ssize_t*>(tensor->dims());
    view->strides = reinterpret_cast<Py_ssize_t*>(tensor->strides());
    if (!type.format && (flags & PyBUF_FORMAT)) return refuse(view, "the buffer protocol has no bfloat16"), -1;
    if (!answers(view, flags)) return -1;
    if (!(flags & PyBUF_FORMAT)) view->format = nullptr;
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) view->strides = nullptr;
    if ((flags & PyBUF_ND) != PyBUF_ND) view->shape = nullptr;
    view->obj = Py_NewRef(self);
    return 0;
}

}  // namespace tw
