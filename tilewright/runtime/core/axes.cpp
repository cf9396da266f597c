#include "axes.h"

#include <algorithm>
#include <cstdlib>

#include "small_array.h"

namespace tw {

namespace {

// The pack's axes in one operand.
struct Run {
    const int64_t *dims, *strides;
};

// Whether axis `a` lies outside of axis `b`: told by the first operand that moves along both.
bool outside(int a, int b, const Run* runs, int count) {
    for (int i = 0; i < count; ++i) {
        int64_t x = std::llabs(runs[i].strides[a]), y = std::llabs(runs[i].strides[b]);
        if (x && y && x != y) return x > y;
    }
    return a < b;
}

bool lie_like_one(int outer, int inner, const Run* runs, int count) {
    for (int i = 0; i < count; ++i)
        if (runs[i].strides[outer] != runs[i].strides[inner] * runs[i].dims[inner]) return false;
    return true;
}

}  // namespace

Operand seen(Tensor* tensor) {
    return {tensor->data, tensor->bytes, tensor->extents, tensor->rank(), tensor->dtype, tensor->unit, tensor->still};
}

bool is_row_major(const Operand& operand) {
    return is_row_major(operand.dims(), operand.strides(), operand.rank, info(operand.dtype).bytes);
}

// Solves for the one pack of the operand whose rank is not known, or checks that the ranks add up.
bool Merging::solve_one(const Part& part, bool& open) {
    int rest = part.operand->rank, unknown = -1, unknowns = 0;
    for (int8_t pack : *part.pattern) {
        if (pack < 0) --rest;
        else if (packs_[pack].rank >= 0) rest -= packs_[pack].rank;
        else unknown = pack, ++unknowns;
    }
    if (unknowns > 1) return open = true;
    if (unknowns == 0) return rest == 0;
    packs_[unknown].rank = rest;
    return rest >= 0;
}

bool Merging::solve(const Part* parts, int count) {
    bool open = true;
    for (int turn = 0; open && turn <= count_; ++turn) {
        open = false;
        for (int i = 0; i < count; ++i)
            if (!solve_one(parts[i], open)) return false;
    }
    return !open;
}

// Where in an operand a pack begins, or -1.
int Merging::start(const Part& part, int pack) const {
    int at = 0;
    for (int8_t p : *part.pattern) {
        if (p == pack) return at;
        at += p < 0 ? 1 : packs_[p].rank;
    }
    return -1;
}

bool Merging::choose(const AxesForm& form, const Part* parts, int count, const uint64_t* key) {
    count_ = static_cast<int>(form.packs.size());
    int most = 0;
    for (int p = 0; p < count_; ++p) {
        packs_[p].rank = form.packs[p].rank_word < 0 ? -1 : static_cast<int>(static_cast<int64_t>(key[form.packs[p].rank_word]));
        packs_[p].rank = std::clamp(packs_[p].rank, -1, kMaxRank);
    }
    if (!solve(parts, count)) return false;
    for (int p = 0; p < count_; ++p) most = std::max(most, packs_[p].rank);
    if (most < 2) return false;
    bool changed = false;
    for (int p = 0; p < count_; ++p) {
        if (packs_[p].rank < 2) continue;
        if (!group(p, form.packs[p].free, parts, count)) return false;
        const Pack& pack = packs_[p];
        changed |= pack.groups < pack.rank;
        for (int a = 0; a < pack.groups; ++a) changed |= pack.kept[a] != a;
    }
    return changed;
}

// False if operands do not agree on the pack's dims.
bool Merging::group(int number, bool free, const Part* parts, int count) {
    Pack& pack = packs_[number];
    SmallArray<Run, 16> runs(count);
    int found = 0;
    for (int i = 0; i < count; ++i) {
        int at = start(parts[i], number);
        if (at < 0) continue;
        runs[found++] = {parts[i].operand->dims() + at, parts[i].operand->strides() + at};
        if (!few_equal(runs[0].dims, pack.rank, runs[found - 1].dims)) return false;
    }
    if (!found) return false;
    copy_few(runs[0].dims, pack.rank, pack.dims);
    pack.empty = is_empty(pack.dims, pack.rank);
    int kept = 0;
    for (int a = 0; a < pack.rank; ++a)
        if (pack.dims[a] != 1 || pack.empty) pack.kept[kept++] = static_cast<int8_t>(a);
    if (!kept) pack.kept[kept++] = static_cast<int8_t>(pack.rank - 1);
    for (int i = 1; free && !pack.empty && i < kept; ++i)
        for (int j = i; j > 0 && outside(pack.kept[j], pack.kept[j - 1], runs.data(), found); --j)
            std::swap(pack.kept[j], pack.kept[j - 1]);
    pack.groups = 0;
    for (int i = 0; i < kept; ++i) {
        bool joins = i > 0 && (pack.empty || lie_like_one(pack.kept[i - 1], pack.kept[i], runs.data(), found));
        if (!joins) pack.first[pack.groups++] = static_cast<int8_t>(i);
    }
    pack.first[pack.groups] = static_cast<int8_t>(kept);
    return true;
}

int64_t* Merging::merge(const Part& part, int64_t* extents) const {
    Operand& operand = *part.operand;
    int rank = 0, at = 0;
    for (int8_t p : *part.pattern) rank += p < 0 ? 1 : this->rank(p);
    int64_t *dims = extents, *strides = extents + rank, item = info(operand.dtype).bytes;
    for (int8_t p : *part.pattern) {
        if (p < 0 || packs_[p].rank < 2) {
            int axes = p < 0 ? 1 : packs_[p].rank;
            dims = copy_few(operand.dims() + at, axes, dims);
            strides = copy_few(operand.strides() + at, axes, strides);
            at += axes;
            continue;
        }
        const Pack& pack = packs_[p];
        for (int g = 0; g < pack.groups; ++g) {
            int64_t extent = 1;
            for (int k = pack.first[g]; k < pack.first[g + 1]; ++k) extent *= pack.dims[pack.kept[k]];
            *dims++ = extent;
            *strides++ = pack.empty ? item : operand.strides()[at + pack.kept[pack.first[g + 1] - 1]];
        }
        at += pack.rank;
    }
    operand.extents = extents;
    operand.rank = rank;
    operand.unit = static_cast<int8_t>(unit_axis(extents, extents + rank, rank, item));
    operand.still = still_axes(extents, extents + rank, rank);
    return extents + 2 * rank;
}

Tensor* Merging::whole(const Pattern& pattern, DType dtype, const int64_t* merged, int rank) const {
    int64_t item = info(dtype).bytes, outer[kMaxRank];
    int64_t bytes = row_major(merged, outer, rank, item);
    int axes = 0, at = 0, from = 0;
    for (int8_t p : pattern) axes += p < 0 ? 1 : packs_[p].rank;
    Tensor* made = new_tensor(dtype, axes);
    if (!made) return nullptr;
    for (int8_t p : pattern) {
        if (p < 0 || packs_[p].rank < 2) {
            int same = p < 0 ? 1 : packs_[p].rank;
            copy_few(merged + from, same, made->dims() + at);
            copy_few(outer + from, same, made->strides() + at);
            at += same, from += same;
            continue;
        }
        const Pack& pack = packs_[p];
        copy_few(pack.dims, pack.rank, made->dims() + at);
        for (int g = 0; g < pack.groups; ++g) {
            int64_t stride = outer[from + g];
            for (int k = pack.first[g + 1] - 1; k >= pack.first[g]; --k) {
                made->strides()[at + pack.kept[k]] = stride;
                stride *= pack.dims[pack.kept[k]];
            }
        }
        at += pack.rank, from += pack.groups;
    }
    for (int a = axes - 1; a >= 0; --a)  // those that were left out
        if (made->dims()[a] == 1) made->strides()[a] = a + 1 < axes ? made->strides()[a + 1] * made->dims()[a + 1] : item;
    if (bytes == 0) row_major(made->dims(), made->strides(), axes, item);
    return give_block(made, bytes) ? made : (Py_DECREF(made), nullptr);
}

}  // namespace tw
