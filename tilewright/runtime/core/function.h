// A function of eager tensors: compiled ops under one name, with promotion of dtypes and PyTorch's `dim` and `keepdim`.
#pragma once
#include <vector>

#include "promotion.h"

namespace tw {

enum class Role : uint8_t { Operand, Keyword, Dim, KeepDim, DType, Out, Ignored };

struct Argument {
    PyObject* name;  // interned
    Role role;
    int operand;        // which one, if it is one
    PyObject* keyword;  // as the ops call it, if it is one of theirs
    PyObject* fallback;  // null: required
    bool keyword_only;
};

struct OperandForm {
    int variable;  // which of the dtype variables it is of; -1: none
    DType dtype;   // then this is its dtype
    bool optional;
    bool moved;  // whether it has the axis that `dim` names
};

// An op, and when it is the one: for which dtypes, ranks and keywords.
struct Overload {
    PyObject* op;                   // or its name, until it is called
    std::vector<uint16_t> accepts;  // a set of dtypes per variable
    std::vector<int> ranks;         // of the operands, -1: any; empty: of any
    uint32_t takes, needs;          // sets of arguments that are keywords
};

// What `dim` names: axes that are reduced; one axis, the last of the op's operands; one between two packs.
enum class Axes : uint8_t { None, Reduced, Last, Between };

// All Python objects are owned.
struct FunctionForm {
    PyObject* name = nullptr;  // null until the function is initialised
    std::vector<Argument> arguments;
    int positional = 0, variables = 0;
    std::vector<OperandForm> operands;
    std::vector<Overload> overloads;
    Axes axes = Axes::None;
    PyObject *rank = nullptr, *rank_only = nullptr;  // the keyword that gives a pack's rank; a tuple of it alone
    std::vector<bool> kept;                          // per result, whether it has the axis that `dim` names
    PyObject* result_type = nullptr;                 // of several results, or null
    bool in_place = false;                           // whether the result is written into the first operand
    bool plain = false;                              // whether tensors of one dtype go to the ops as they are
    bool alike = false;                              // whether the result is of the operands' dtype and common shape
    bool widens = false;                             // whether it takes integers where its ops take floats alone
};

// What Python supplies, and is kept for good: the function and the op of a name; what makes a tensor of an operand; what
// writes one tensor into another.
struct Supplied {
    PyObject *function, *op, *convert, *coerce;
};
extern Supplied supplied;

// Puts in the place of a name what `find` has under it, where that is not done yet; false with a Python error.
bool resolve(PyObject*& place, PyObject* find);

// The call itself.
PyObject* call_function(FunctionForm& form, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

FunctionForm* form_of(PyObject* function);  // null if it is no Function

// Reads what the constructor of Function is given (_core.pyi); false with a Python error.
bool read_form(PyObject* args, PyObject* kwargs, FunctionForm& form);

bool add_function_type(PyObject* module);

// The slots of Tensor's operators, and the names of the functions that they call, by the names of Python's operators.
std::vector<PyType_Slot> operator_slots();
bool set_operators(PyObject* functions);

}  // namespace tw
