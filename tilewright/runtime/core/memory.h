// Reference-counted storage of tensors, and scratch memory.
#pragma once
#include <cstdint>

namespace tw {

constexpr int64_t kAlignment = 64;

// Memory that tensors share. Counting and the free lists behind allocate() are not thread-safe: callers hold the GIL.
struct alignas(kAlignment) Storage {
    int64_t references;
    char* data;
    int64_t bytes;
    void* owner;                   // what a borrowed storage keeps alive
    void (*let_go)(void* owner);   // null for own memory
    Storage* next_free;
};

// Own memory, 64-byte aligned, with one reference; null when there is not enough.
Storage* allocate(int64_t bytes);

// Memory of `owner`; let_go(owner) is called with the last reference. Null when there is not enough memory.
Storage* borrow(void* data, int64_t bytes, void* owner, void (*let_go)(void*));

void release_last(Storage* storage);
inline void release(Storage* storage) {
    if (--storage->references == 0) release_last(storage);
}

// This thread's scratch, at least `bytes` long and 64-byte aligned; the contents of earlier calls are lost.
// Valid until this thread's next call. Null when there is not enough memory.
char* scratch(int64_t bytes);

}  // namespace tw
