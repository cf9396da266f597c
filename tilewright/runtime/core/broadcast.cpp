// Operands that share the anonymous axis pack are stretched to one shape, by NumPy's rules.
#include <algorithm>
#include <string>

#include "op.h"
#include "small_array.h"

namespace tw {

namespace {

// The axes of the pack, outermost first.
struct Pack {
    int64_t shape[kMaxRank];
    int rank = 0;
};

std::string listed(Tensor* tensor) {
    std::string text;
    for (int a = 0; a < tensor->rank(); ++a) text += (a ? ", " : "") + std::to_string(tensor->dims()[a]);
    return "[" + text + "]";
}

int pack_rank(Tensor* tensor, const Parameter& parameter) { return tensor->rank() - parameter.lead - parameter.trail; }

// Widens `pack` by the pack's axes of `tensor`; false if an extent is neither the same nor 1.
bool widen(Pack& pack, Tensor* tensor, const Parameter& parameter) {
    int rank = pack_rank(tensor, parameter), more = rank - pack.rank;
    if (more > 0) {
        std::copy_backward(pack.shape, pack.shape + pack.rank, pack.shape + rank);
        std::fill_n(pack.shape, more, 1);
        pack.rank = rank;
    }
    const int64_t* dims = tensor->dims() + parameter.lead;
    int64_t* common = pack.shape + pack.rank - rank;
    for (int a = 0; a < rank; ++a) {
        if (common[a] == 1) common[a] = dims[a];
        else if (dims[a] != 1 && dims[a] != common[a]) return false;
    }
    return true;
}

// Whether the packs of two operands have an axis of different extents, neither 1.
bool conflict(Tensor* a, const Parameter& at, Tensor* b, const Parameter& bt) {
    int ranks[] = {pack_rank(a, at), pack_rank(b, bt)};
    for (int n = 1; n <= std::min(ranks[0], ranks[1]); ++n) {
        int64_t x = a->dims()[at.lead + ranks[0] - n], y = b->dims()[bt.lead + ranks[1] - n];
        if (x != y && x != 1 && y != 1) return true;
    }
    return false;
}

// Operands too small for their other axes are left to what checks ranks.
bool takes_part(Tensor* tensor, const Parameter& parameter) {
    return tensor && parameter.lead >= 0 && pack_rank(tensor, parameter) >= 0;
}

// The error for operand `wrong`, which does not fit one before it.
bool refuse(const Definition& op, Tensor* const* operands, int wrong) {
    int other = 0;
    const std::vector<Parameter>& all = op.parameters;
    while (!takes_part(operands[other], all[other]) || !conflict(operands[other], all[other], operands[wrong], all[wrong]))
        ++other;
    std::string first = listed(operands[other]), second = listed(operands[wrong]);
    const char* message = "%U(): the axes ... of %R and %R do not broadcast: their shapes are %s and %s";
    return raise(op, "shape", PyUnicode_FromFormat(message, op.name, all[other].name, all[wrong].name, first.c_str(),
                                                   second.c_str()));
}

// A view with the pack's axes of `pack`; a stretched axis has the stride 0.
Tensor* stretched(Tensor* tensor, const Parameter& parameter, const Pack& pack) {
    int rank = pack_rank(tensor, parameter), more = pack.rank - rank, whole = tensor->rank() + more;
    if (whole > kMaxRank) return PyErr_Format(PyExc_ValueError, "more than %d axes", kMaxRank), nullptr;
    Tensor* view = new_tensor(tensor->dtype, whole);
    if (!view) return nullptr;
    for (int a = 0; a < whole; ++a) {
        int from = a < parameter.lead ? a : a - more;
        bool inside = a >= parameter.lead && a < parameter.lead + pack.rank;
        bool stretch = inside && (from < parameter.lead || tensor->dims()[from] != pack.shape[a - parameter.lead]);
        view->dims()[a] = inside ? pack.shape[a - parameter.lead] : tensor->dims()[from];
        view->strides()[a] = stretch ? 0 : tensor->strides()[from];
    }
    ++tensor->storage->references;
    give_storage(view, tensor->storage, tensor->data);
    view->readonly = tensor->readonly;
    return view;
}

bool same_pack(Tensor* a, const Parameter& at, Tensor* b, const Parameter& bt) {
    int rank = pack_rank(a, at);
    return rank == pack_rank(b, bt) && few_equal(a->dims() + at.lead, rank, b->dims() + bt.lead);
}

}  // namespace

bool broadcasts(const Definition& op, Tensor* const* operands) {
    int first = -1;
    for (int i = 0; i < op.operands; ++i) {
        if (!takes_part(operands[i], op.parameters[i])) continue;
        if (first < 0) first = i;
        else if (!same_pack(operands[first], op.parameters[first], operands[i], op.parameters[i])) return true;
    }
    return false;
}

bool broadcast(const Definition& op, Tensor** operands) {
    Pack pack;
    for (int i = 0; i < op.operands; ++i) {
        const Parameter& parameter = op.parameters[i];
        if (takes_part(operands[i], parameter) && !widen(pack, operands[i], parameter)) return refuse(op, operands, i);
    }
    for (int i = 0; i < op.operands; ++i) {
        const Parameter& parameter = op.parameters[i];
        if (!takes_part(operands[i], parameter)) continue;
        int rank = pack_rank(operands[i], parameter);
        const int64_t* dims = operands[i]->dims() + parameter.lead;
        if (rank == pack.rank && few_equal(dims, rank, pack.shape)) continue;
        Tensor* view = stretched(operands[i], parameter, pack);
        if (!view) return false;
        Py_DECREF(operands[i]);
        operands[i] = view;
    }
    return true;
}

}  // namespace tw
