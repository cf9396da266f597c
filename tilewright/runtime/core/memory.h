// Reference-counted storage of tensors, and scratch memory.
#pragma once
#include <cstdint>
#include <string>

struct _object;  // PyObject

namespace tw {

constexpr int64_t kAlignment = 64;

// Memory that tensors share. Counting and the free lists behind allocate() are not thread-safe: callers hold the GIL.
struct alignas(kAlignment) Storage {
    int32_t references;
    bool pending;  // whether its contents are yet to be computed
    bool exposed;  // whether its address was given to others, who may read and write there at any time
    char* data;
    int64_t bytes;
    void* owner;                  // what a borrowed storage keeps alive
    void (*let_go)(void* owner);  // null for own memory
    union {
        _object* recorder;   // whose recorded calls read it or write to it; owned, null: there are none (recording.h)
        Storage* next_free;  // of one that is free
    };
    int64_t version;  // how often it was written to in place
};

// Own memory, 64-byte aligned, with one reference; null when there is not enough, though the cache was given back.
Storage* allocate(int64_t bytes);

// Memory of `owner`; let_go(owner) is called with the last reference. Null when there is not enough memory.
Storage* borrow(void* data, int64_t bytes, void* owner, void (*let_go)(void*));

void release_last(Storage* storage);
inline void release(Storage* storage) {
    if (--storage->references == 0) release_last(storage);
}

// This thread's scratch, at least `bytes` long and 64-byte aligned; the contents of earlier calls are lost.
// Valid until this thread's next call. Null when there is not enough memory. Callers hold the GIL.
char* scratch(int64_t bytes);

// The account of what allocate() and scratch() gave: bytes, rounded up to the sizes of blocks; then numbers of calls.
struct MemoryStats {
    int64_t in_use, cached, scratch;
    int64_t thread_scratch;     // what of the scratch is this thread's
    int64_t peak;               // the most that was in use at once
    int64_t allocations, hits;  // calls of allocate(), and those that the cache served
};
MemoryStats memory_stats();

// Starts `peak` anew from what is in use.
void reset_peak();

// Gives the free blocks, and the scratch of this thread, back to the system.
void empty_cache();

// The most bytes that may be in use, cached and scratch together; negative: no limit. What is held already stays.
int64_t memory_limit();
void set_memory_limit(int64_t bytes);

// Whether the system would give a block of so many bytes now, the cache given back if it must be.
bool has_room(int64_t bytes);

// Why there are no `bytes` bytes (negative: more than any tensor has), in words.
std::string refusal(int64_t bytes);

}  // namespace tw
