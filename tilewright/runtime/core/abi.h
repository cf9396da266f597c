// The kernel ABI, version 2: see docs/architecture.md.
#pragma once
#include <cstdint>

extern "C" {

typedef struct {
    int64_t lock, code, operand, position, value;
} TwStatus;

typedef struct {
    void* const* data;
    const int64_t* table;
    const uint64_t* scalars;
    char* scratch;
    TwStatus* status;
    const int64_t* counters;
} TwArgs;

typedef void (*TwKernel)(const TwArgs* args, int64_t lo, int64_t hi, int64_t tid);
typedef int (*TwSizes)(const int64_t* head, int64_t* tail);
}
