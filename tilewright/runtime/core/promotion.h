// The dtype that operands of several dtypes are brought to.
#pragma once
#include "tensor.h"

namespace tw {

enum class Category : uint8_t { None, Bool, Int, Float };

inline Category category(DType t) {
    if (t == DType::Bool) return Category::Bool;
    return t >= DType::F16 ? Category::Float : Category::Int;
}

// The dtype of a float that is nothing but a Python number; and of the results of functions of floats, given integers.
extern DType default_float;

// The least dtype that both fit into; field goes with itself alone.
DType promoted(DType a, DType b);

// Gathers operands by three priorities: tensors with axes, tensors without, Python numbers. Each has a say only if those
// before it are of a lower category.
class Promotion {
  public:
    void add_tensor(Tensor* tensor) { add(tensor->rank() ? with_axes_ : without_axes_, tensor->dtype); }
    void add_dtype(DType dtype) { add(with_axes_, dtype); }
    void add_number(PyObject* number) { add(numbers_, number_dtype(number)); }
    bool empty() const { return !with_axes_.known && !without_axes_.known && !numbers_.known; }
    DType result() const;

  private:
    struct Part {
        bool known = false;
        DType dtype = DType::Bool;
    };
    static void add(Part& part, DType dtype) {
        part.dtype = !part.known || part.dtype == dtype ? dtype : promoted(part.dtype, dtype);
        part.known = true;
    }
    static Part combine(Part higher, Part lower);
    static DType number_dtype(PyObject* number);

    Part with_axes_, without_axes_, numbers_;
};

// Whether an object is a Python bool, int or float.
inline bool is_number(PyObject* object) { return PyFloat_Check(object) || PyLong_Check(object); }

// A tensor without axes that holds a Python number; null with a Python error if the dtype does not hold it.
Tensor* tensor_of_number(PyObject* number, DType dtype);

}  // namespace tw
