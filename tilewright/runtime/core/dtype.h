// Element types: the same names and order as tilewright/ir/types.py.
#pragma once
#include <cstdint>
#include <string_view>

namespace tw {

enum class DType : uint8_t { Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, Field };

struct DTypeInfo {
    const char* name;
    int64_t bytes;
    const char* format;  // of the buffer protocol, null where it has none; field is shown as its bits
};

constexpr DTypeInfo kDTypes[] = {{"bool", 1, "?"}, {"i8", 1, "b"},  {"i16", 2, "h"},  {"i32", 4, "i"}, {"i64", 8, "q"},
                                 {"u8", 1, "B"},   {"u16", 2, "H"}, {"u32", 4, "I"},  {"u64", 8, "Q"}, {"f16", 2, "e"},
                                 {"bf16", 2, nullptr}, {"f32", 4, "f"}, {"f64", 8, "d"}, {"field", 8, "Q"}};
constexpr int kDTypeCount = sizeof kDTypes / sizeof kDTypes[0];

inline const DTypeInfo& info(DType t) { return kDTypes[static_cast<int>(t)]; }

// Sets `out` and returns true if there is an element type called `name`.
inline bool dtype_named(std::string_view name, DType& out) {
    for (int i = 0; i < kDTypeCount; ++i)
        if (name == kDTypes[i].name) return out = static_cast<DType>(i), true;
    return false;
}

}  // namespace tw
