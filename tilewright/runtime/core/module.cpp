// The extension module tilewright.runtime._core.
#include <pybind11/pybind11.h>

#include "pool.h"

namespace py = pybind11;

namespace {

void set_threads(int n) {
    if (n < 1) throw py::value_error("the number of threads is at least 1");
    tw::set_threads(n);
}

}  // namespace

PYBIND11_MODULE(_core, m) {
    m.doc() = "Tensors, compiled ops and the threads that run them.";
    m.def("get_threads", &tw::get_threads);
    m.def("set_threads", &set_threads, py::arg("n"));
}
