#include "memory.h"

#include <sys/mman.h>

#include <bit>
#include <cstdlib>
#include <new>

namespace tw {

namespace {

constexpr uint64_t kSmallest = 128;
constexpr uint64_t kHuge = 2 << 20;        // the size of a huge page
constexpr uint64_t kCacheBytes = 256 << 20;  // free blocks kept for reuse, in all
constexpr uint64_t kScratchBytes = 64 << 20;  // the largest scratch a thread keeps between calls

// Blocks come in classes, four to a power of two, so that a freed block serves the next request of its class.
struct SizeClass {
    int number;
    uint64_t bytes;
};

SizeClass class_of(uint64_t bytes) {
    uint64_t last = (bytes < kSmallest ? kSmallest : bytes) - 1;
    int shift = std::bit_width(last) - 3;
    uint64_t quarter = last >> shift;  // 4 to 7
    return {shift * 4 + static_cast<int>(quarter - 4), (quarter + 1) << shift};
}

Storage* free_blocks[64 * 4];
uint64_t cached_bytes = 0;

void* new_block(uint64_t bytes) {
    void* block = nullptr;
    if (posix_memalign(&block, bytes < 2 * kHuge ? kAlignment : kHuge, bytes) != 0) return nullptr;
    if (bytes >= 2 * kHuge) madvise(block, bytes, MADV_HUGEPAGE);  // 4 KiB pages cost more than the work itself
    return block;
}

void put_block(Storage* storage) {
    SizeClass size = class_of(sizeof(Storage) + storage->bytes);
    if (cached_bytes + size.bytes > kCacheBytes) return std::free(storage);
    cached_bytes += size.bytes;
    storage->next_free = free_blocks[size.number];
    free_blocks[size.number] = storage;
}

struct Scratch {
    char* data = nullptr;
    int64_t bytes = 0;
    ~Scratch() { std::free(data); }
};

thread_local Scratch this_scratch;

}  // namespace

Storage* allocate(int64_t bytes) {
    if (bytes < 0 || bytes > INT64_MAX / 2) return nullptr;
    SizeClass size = class_of(sizeof(Storage) + bytes);
    void* block = free_blocks[size.number];
    if (block) {
        free_blocks[size.number] = static_cast<Storage*>(block)->next_free;
        cached_bytes -= size.bytes;
    } else if (!(block = new_block(size.bytes))) {
        return nullptr;
    }
    char* data = static_cast<char*>(block) + sizeof(Storage);
    return new (block) Storage{1, data, bytes, nullptr, nullptr, nullptr};
}

Storage* borrow(void* data, int64_t bytes, void* owner, void (*let_go)(void*)) {
    return new (std::nothrow) Storage{1, static_cast<char*>(data), bytes, owner, let_go, nullptr};
}

void release_last(Storage* storage) {
    if (!storage->let_go) return put_block(storage);
    storage->let_go(storage->owner);
    delete storage;
}

char* scratch(int64_t bytes) {
    if (bytes < 0 || bytes > INT64_MAX / 2) return nullptr;
    Scratch& mine = this_scratch;
    bool wasteful = mine.bytes > static_cast<int64_t>(kScratchBytes) && bytes < mine.bytes / 2;
    if (mine.data && bytes <= mine.bytes && !wasteful) return mine.data;
    std::free(mine.data);
    mine.bytes = bytes < 4096 ? 4096 : bytes;
    mine.data = static_cast<char*>(new_block(mine.bytes));
    return mine.data;
}

}  // namespace tw
