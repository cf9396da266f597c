// What Python has of LLVM's code generator.
#pragma once

#include <pybind11/pybind11.h>

namespace tw {

void add_llvm_types(pybind11::module_& m);

}  // namespace tw
