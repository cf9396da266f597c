// Facts about dims and byte strides.
#pragma once
#include <cstdint>

namespace tw {

constexpr int kMaxRank = 32;

inline bool is_empty(const int64_t* dims, int rank) {
    for (int a = 0; a < rank; ++a)
        if (dims[a] == 0) return true;
    return false;
}

// The unit axis of the dispatch key (docs/architecture.md), or -1.
inline int unit_axis(const int64_t* dims, const int64_t* strides, int rank, int64_t item) {
    if (rank == 0) return -1;
    int last = rank - 1;
    if (strides[last] == item || dims[last] <= 1 || is_empty(dims, rank)) return last;
    for (int a = 0; a < last; ++a)
        if (dims[a] > 1 && strides[a] == item) return a;
    return -1;
}

// A bit for each axis along which all elements are one: those of stride 0, extents of at most 1 and empty tensors aside.
inline uint32_t still_axes(const int64_t* dims, const int64_t* strides, int rank) {
    uint32_t still = 0;
    for (int a = 0; a < rank; ++a) {
        if (dims[a] == 0) return 0;
        still |= static_cast<uint32_t>(dims[a] > 1 && strides[a] == 0) << a;
    }
    return still;
}

// No tensor has more bytes, an empty axis counted as one element: compiled code multiplies dims on the strength of it.
constexpr int64_t kLargest = int64_t{1} << 48;

// Fills the strides of a row-major tensor and returns its bytes, or -1 if it is too large or a dim is negative.
inline int64_t row_major(const int64_t* dims, int64_t* strides, int rank, int64_t item) {
    int64_t bytes = item;
    for (int a = rank - 1; a >= 0; --a) {
        strides[a] = bytes;
        int64_t dim = dims[a] > 1 ? dims[a] : 1;
        if (dims[a] < 0 || __builtin_mul_overflow(bytes, dim, &bytes) || bytes > kLargest) return -1;
    }
    return is_empty(dims, rank) ? 0 : bytes;
}

// Whether strides are those of a row-major tensor; along axes of extent 1, and of what is empty, they do not count.
inline bool is_row_major(const int64_t* dims, const int64_t* strides, int rank, int64_t item) {
    for (int a = rank - 1; a >= 0; --a) {
        if (dims[a] == 1) continue;
        if (strides[a] != item) return is_empty(dims, rank);
        item *= dims[a];
    }
    return true;
}

// Whether each byte of one block, the first element's first, is of one element; strides along axes of extent 1 do not
// count.
inline bool is_dense(const int64_t* dims, const int64_t* strides, int rank, int64_t item) {
    int open = 0;
    for (int a = 0; a < rank; ++a) open += dims[a] != 1;
    for (bool found = true; open && found; --open) {
        found = false;
        for (int a = 0; a < rank && !found; ++a)
            if (dims[a] > 1 && strides[a] == item) found = true, item *= dims[a];
    }
    return open == 0;
}

// The lowest and one past the highest byte offset that elements lie at; {0, 0} when there are none.
struct Span {
    int64_t low, high;
};

inline Span span(const int64_t* dims, const int64_t* strides, int rank, int64_t item) {
    if (is_empty(dims, rank)) return {0, 0};
    Span s{0, item};
    for (int a = 0; a < rank; ++a) (strides[a] < 0 ? s.low : s.high) += (dims[a] - 1) * strides[a];
    return s;
}

}  // namespace tw
