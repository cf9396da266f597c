// A compiled operator as Python calls it: binds arguments, finds the program of their key and runs it.
#pragma once
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "program.h"

namespace tw {

enum class Kind : uint8_t { Tensor, Optional, Int, Float, Bool, Choice, Scalar };

inline bool is_operand(Kind kind) { return kind <= Kind::Optional; }
inline bool is_attribute(Kind kind) { return kind >= Kind::Int && kind <= Kind::Choice; }

struct Parameter {
    PyObject* name;      // interned
    PyObject* fallback;  // null: required
    Kind kind;
    bool keyword_only;
    std::string type;              // what an attribute takes, in words
    int length = 0;                // of an attribute that is a tuple; 0: it is none
    PyObject* choices = nullptr;   // of an attribute that is one of some texts: a tuple of them
    std::vector<uint64_t> fallback_words = {};  // the key words of an attribute's fallback
    int lead = -1, trail = 0;  // how many axes of an operand stand before and after a shared pack; -1: it has none
};

struct HashBytes {
    using is_transparent = void;
    size_t operator()(std::string_view bytes) const { return std::hash<std::string_view>()(bytes); }
};

struct Entry {
    PyObject* object;  // keeps the program alive
    const Program* program;
};

// What an op knows. All Python objects are owned.
struct Definition {
    PyObject* name = nullptr;  // null until the op is initialised
    std::vector<Parameter> parameters;
    int positional = 0, operands = 0, key_words = 0, scalars = 0;
    bool shares = false;  // whether operands share a pack; then the operands are the first parameters
    AxesForm axes;        // of the operands, which are the first parameters then, and of the results
    PyObject *on_miss = nullptr, *on_error = nullptr, *coerce = nullptr, *to_numpy = nullptr;
    std::unordered_map<std::string, Entry, HashBytes, std::equal_to<>> programs;
    std::vector<uint64_t> last_key;  // of the call before: most calls are like it
    const Program* last = nullptr;
    int64_t misses = 0;
};

// Reads the list of parameter tuples (see Op in _core.pyi); false with a Python error.
bool read_parameters(PyObject* list, Definition& definition);

// Reads where the shared pack stands in each operand: (lead, trail) or None; false with a Python error.
bool read_packs(PyObject* list, Definition& definition);

// Reads what tilewright/dsl/axes.py says, or None; false with a Python error.
bool read_axes(PyObject* form, Definition& definition);

// Whether the operands (null: absent) that share the pack differ in it; and the replacing of those that do by views that
// are stretched to the common shape. The latter takes and gives references; false with an error of the user's.
bool broadcasts(const Definition& op, Tensor* const* operands);
bool broadcast(const Definition& op, Tensor** operands);

// Puts the arguments of a call, or the defaults, in the order of the parameters: borrowed references. `out` is the
// argument of that name, null if there is none. `whole`: whether all that has no default must be there.
bool bind(const Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords, PyObject** values,
          PyObject*& out, bool whole = true);

// Calls on_error(kind, info), which is to raise; takes the reference to info. Always returns false.
bool raise(const Definition& definition, const char* kind, PyObject* info);

// How many key words a parameter has.
inline int key_words(const Parameter& p) { return p.kind == Kind::Scalar ? 0 : p.length ? p.length : 1; }

// The key words of an attribute's value, one value standing for a tuple of equal ones; false with a Python error when
// the value is not of the kind. And the value that they say.
bool attribute_words(PyObject* value, const Parameter& parameter, uint64_t* words);
PyObject* attribute_value(const uint64_t* words, const Parameter& parameter);

// The 8-byte cell of a run-time scalar; false with a Python error when the value is not of the type.
bool scalar_cell(PyObject* value, DType dtype, uint64_t& cell);

// The call itself; `self` is the op. An operand whose type has `__tilewright_record__` is asked in place of a run.
PyObject* call(PyObject* self, Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

// The key of such a call: what on_miss would be told.
PyObject* key_of(Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

// The program inside of a Python Program object, or null.
const Program* program_of(PyObject* object);

bool add_op_type(PyObject* module);

}  // namespace tw
