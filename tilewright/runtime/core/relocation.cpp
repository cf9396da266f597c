#include "relocation.h"

#include <cstring>

namespace tw {

namespace {

template <class T>
bool write(char* field, T value) {
    memcpy(field, &value, sizeof value);
    return true;
}

bool fits(int64_t value, int bits) { return value >> (bits - 1) == 0 || value >> (bits - 1) == -1; }

namespace x86_64 {

enum { k64 = 1, kPc32 = 2, kPlt32 = 4, kPc64 = 24 };

int bytes(uint32_t type) {
    return type == kPc32 || type == kPlt32 ? 4 : type == k64 || type == kPc64 ? 8 : 0;
}

bool apply(uint32_t type, char* field, uint64_t place, uint64_t target) {
    if (type == k64) return write(field, target);
    auto distance = static_cast<int64_t>(target - place);
    if (type == kPc64) return write(field, distance);
    return fits(distance, 32) && write(field, static_cast<int32_t>(distance));
}

}  // namespace x86_64

namespace aarch64 {

enum {
    kAbs64 = 257,
    kPrel64 = 260,
    kPrel32 = 261,
    kAdrPage = 275,
    kAddLow = 277,
    kLoad8 = 278,
    kBranch14 = 279,
    kBranch19 = 280,
    kJump = 282,
    kCall = 283,
    kLoad16 = 284,
    kLoad32 = 285,
    kLoad64 = 286,
    kLoad128 = 299
};

int bytes(uint32_t type) {
    switch (type) {
        case kAbs64:
        case kPrel64:
            return 8;
        case kPrel32:
        case kAdrPage:
        case kAddLow:
        case kLoad8:
        case kBranch14:
        case kBranch19:
        case kJump:
        case kCall:
        case kLoad16:
        case kLoad32:
        case kLoad64:
        case kLoad128:
            return 4;
        default:
            return 0;
    }
}

// Puts `bits` bits of `value` into the instruction at `field`, from bit `at` on.
bool patch(char* field, int64_t value, int bits, int at) {
    uint32_t instruction, mask = ((uint32_t{1} << bits) - 1) << at;
    memcpy(&instruction, field, sizeof instruction);
    return write(field, (instruction & ~mask) | ((static_cast<uint32_t>(value) << at) & mask));
}

// A branch of so many instructions.
bool branch(char* field, int64_t distance, int bits, int at) {
    return distance % 4 == 0 && fits(distance / 4, bits) && patch(field, distance / 4, bits, at);
}

// The address of the target's 4 KiB page, relative to the place's.
bool page(char* field, uint64_t place, uint64_t target) {
    auto pages = static_cast<int64_t>((target & ~uint64_t{0xfff}) - (place & ~uint64_t{0xfff})) >> 12;
    return fits(pages, 21) && patch(field, pages & 3, 2, 29) && patch(field, pages >> 2, 19, 5);
}

// The low 12 bits of the target's address, in units of what is loaded.
bool low(char* field, uint64_t target, int log) {
    uint64_t offset = target & 0xfff;
    return (offset & ((1u << log) - 1)) == 0 && patch(field, static_cast<int64_t>(offset >> log), 12, 10);
}

bool apply(uint32_t type, char* field, uint64_t place, uint64_t target) {
    auto distance = static_cast<int64_t>(target - place);
    switch (type) {
        case kAbs64:
            return write(field, target);
        case kPrel64:
            return write(field, distance);
        case kPrel32:
            return fits(distance, 32) && write(field, static_cast<int32_t>(distance));
        case kAdrPage:
            return page(field, place, target);
        case kBranch14:
            return branch(field, distance, 14, 5);
        case kBranch19:
            return branch(field, distance, 19, 5);
        case kJump:
        case kCall:
            return branch(field, distance, 26, 0);
        case kLoad16:
            return low(field, target, 1);
        case kLoad32:
            return low(field, target, 2);
        case kLoad64:
            return low(field, target, 3);
        case kLoad128:
            return low(field, target, 4);
        default:
            return low(field, target, 0);
    }
}

}  // namespace aarch64

}  // namespace

int relocation_bytes(uint16_t machine, uint32_t type) {
    return machine == 62 ? x86_64::bytes(type) : machine == 183 ? aarch64::bytes(type) : 0;
}

bool relocate(uint16_t machine, uint32_t type, char* field, uint64_t place, uint64_t target) {
    return machine == 62 ? x86_64::apply(type, field, place, target) : aarch64::apply(type, field, place, target);
}

}  // namespace tw
