// Axes of packs as a call sees them: neighbours that lie like one axis are merged, those of extent 1 left out, and where
// their places do not count they are put in the order of their strides. So one program serves many layouts.
#pragma once
#include <cstdint>
#include <vector>

#include "tensor.h"

namespace tw {

// A tensor as a kernel sees it: dims, then strides.
struct Operand {
    char* data;
    int64_t bytes;
    const int64_t* extents;
    int rank;
    DType dtype;
    int8_t unit;     // the unit axis, or -1
    uint32_t still;  // a bit for each axis along which all elements are one

    const int64_t* dims() const { return extents; }
    const int64_t* strides() const { return extents + rank; }
};

Operand seen(Tensor* tensor);

using Pattern = std::vector<int8_t>;  // per dim the number of its pack, -1 for a plain dim

// What an op says of its axes: tilewright/dsl/axes.py.
struct AxesForm {
    struct Pack {
        bool free;      // whether its axes may be reordered
        int rank_word;  // which word of the key is its rank, -1: none
    };
    std::vector<Pack> packs;
    std::vector<Pattern> operands, results;
    bool mergeable = false;
    std::vector<bool> overwritable;  // per operand, whether the result may be written over it
};

// An operand with its pattern.
struct Part {
    Operand* operand;
    const Pattern* pattern;
};

// The axes of the packs of one call.
class Merging {
  public:
    // Chooses for all packs at once; false if all stays as it is. Earlier parts decide the order of axes.
    bool choose(const AxesForm& form, const Part* parts, int count, const uint64_t* key);

    // Replaces what an operand looks like; `extents` has room for its dims and strides, the first unused is returned.
    int64_t* merge(const Part& part, int64_t* extents) const;

    // The rank that a pack has now.
    int rank(int pack) const { return packs_[pack].rank < 2 ? packs_[pack].rank : packs_[pack].groups; }

    // A new tensor, with memory, for a result whose merged dims are known; null with a Python error.
    Tensor* whole(const Pattern& pattern, DType dtype, const int64_t* merged, int rank) const;

  private:
    struct Pack {
        int rank = -1, groups = 0;
        bool empty = false;
        int8_t kept[kMaxRank];       // the axes that are not left out, outermost first
        int8_t first[kMaxRank + 1];  // where in `kept` each group begins
        int64_t dims[kMaxRank];      // of all its axes
    };

    bool solve(const Part* parts, int count);
    bool solve_one(const Part& part, bool& open);
    bool group(int pack, bool free, const Part* parts, int count);
    int start(const Part& part, int pack) const;

    int count_ = 0;
    Pack packs_[8];
};

constexpr int kMaxPacks = 8;

// Whether dims and strides are those of a row-major tensor.
bool is_row_major(const Operand& operand);

}  // namespace tw
