#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <new>
#include <utility>

#include "layout.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace tw {

namespace {

constexpr uint64_t kSmallest = 64;
constexpr uint64_t kHuge = 2 << 20;          // the size of a huge page
constexpr int64_t kCacheBytes = 256 << 20;   // free blocks kept for reuse, in all
constexpr int64_t kScratchBytes = 64 << 20;  // the largest scratch a thread keeps between calls

// Blocks come in classes, four to a power of two, so that a freed block serves the next request of its class.
struct SizeClass {
    int number;
    uint64_t bytes;  // without the Storage in front of them
};

SizeClass class_of(uint64_t bytes) {
    uint64_t last = (bytes < kSmallest ? kSmallest : bytes) - 1;
    int shift = std::bit_width(last) - 3;
    uint64_t quarter = last >> shift;  // 4 to 7
    return {shift * 4 + static_cast<int>(quarter - 4), (quarter + 1) << shift};
}

Storage* free_blocks[64 * 4];
MemoryStats stats;                    // but for its scratch
std::atomic<int64_t> all_scratch{0};  // ending threads give theirs back without the GIL
int64_t limit = -1;

// Free Storages of borrowed memory: calls on NumPy arrays need one per operand.
constexpr int kMostHeaders = 64;
Storage* free_headers = nullptr;
int kept_headers = 0;

bool within_limit(uint64_t bytes) {
    int64_t held = stats.in_use + stats.cached + all_scratch.load(std::memory_order_relaxed);
    return limit < 0 || (held <= limit && bytes <= static_cast<uint64_t>(limit - held));
}

void* try_block(uint64_t bytes, uint64_t header) {
    void* block = nullptr;
    bool large = bytes >= 2 * kHuge;
    if (!within_limit(bytes) || posix_memalign(&block, large ? kHuge : kAlignment, header + bytes) != 0) return nullptr;
    if (large) madvise(block, header + bytes, MADV_HUGEPAGE);  // 4 KiB pages cost more than the work itself
    return block;
}

// A block of header + bytes; what is cached is given back when there is no other way.
void* new_block(uint64_t bytes, uint64_t header) {
    void* block = try_block(bytes, header);
    if (block) return block;
    empty_cache();
    return try_block(bytes, header);
}

void put_block(Storage* storage) {
    SizeClass size = class_of(storage->bytes);
    auto bytes = static_cast<int64_t>(size.bytes);
    stats.in_use -= bytes;
    if (stats.cached + bytes > kCacheBytes) return std::free(storage);
    stats.cached += bytes;
    storage->next_free = free_blocks[size.number];
    free_blocks[size.number] = storage;
}

void put_header(Storage* storage) {
    if (kept_headers == kMostHeaders) return delete storage;
    ++kept_headers;
    storage->next_free = std::exchange(free_headers, storage);
}

struct Scratch {
    char* data = nullptr;
    int64_t bytes = 0;
    ~Scratch() { give_back(); }
    void give_back() {
        std::free(std::exchange(data, nullptr));
        all_scratch -= std::exchange(bytes, 0);
    }
    void take(int64_t wanted) {
        if (!(data = static_cast<char*>(new_block(wanted, 0)))) return;
        all_scratch += bytes = wanted;
    }
};

thread_local Scratch this_scratch;

}  // namespace

Storage* allocate(int64_t bytes) {
    if (bytes < 0 || bytes > kLargest) return nullptr;
    SizeClass size = class_of(bytes);
    void* block = free_blocks[size.number];
    if (block) {
        free_blocks[size.number] = static_cast<Storage*>(block)->next_free;
        stats.cached -= size.bytes;
        ++stats.hits;
    } else if (!(block = new_block(size.bytes, sizeof(Storage)))) {
        return nullptr;
    }
    ++stats.allocations;
    stats.in_use += size.bytes;
    stats.peak = std::max(stats.peak, stats.in_use);
    char* data = static_cast<char*>(block) + sizeof(Storage);
    return new (block) Storage{1, false, false, data, bytes, nullptr, nullptr, {nullptr}, 0};
}

Storage* borrow(void* data, int64_t bytes, void* owner, void (*let_go)(void*)) {
    Storage borrowed{1, false, true, static_cast<char*>(data), bytes, owner, let_go, {nullptr}, 0};
    Storage* header = free_headers;
    if (!header) return new (std::nothrow) Storage{borrowed};
    free_headers = header->next_free;
    --kept_headers;
    *header = borrowed;
    return header;
}

void release_last(Storage* storage) {
    if (!storage->let_go) return put_block(storage);
    storage->let_go(storage->owner);
    put_header(storage);
}

char* scratch(int64_t bytes) {
    if (bytes < 0 || bytes > INT64_MAX / 2) return nullptr;
    Scratch& mine = this_scratch;
    bool wasteful = mine.bytes > kScratchBytes && bytes < mine.bytes / 2;
    if (mine.data && bytes <= mine.bytes && !wasteful) return mine.data;
    mine.give_back();
    mine.take(std::max<int64_t>(bytes, 4096));
    return mine.data;
}

MemoryStats memory_stats() {
    MemoryStats now = stats;
    now.scratch = all_scratch.load(std::memory_order_relaxed);
    now.thread_scratch = this_scratch.bytes;
    return now;
}

void reset_peak() { stats.peak = stats.in_use; }

void empty_cache() {
    for (Storage*& first : free_blocks)
        while (first) std::free(std::exchange(first, first->next_free));
    stats.cached = 0;
    this_scratch.give_back();
#ifdef __GLIBC__
    malloc_trim(0);  // blocks below malloc's mmap threshold stay in its heap otherwise
#endif
}

int64_t memory_limit() { return limit; }

void set_memory_limit(int64_t bytes) {
    limit = bytes;
    if (!within_limit(0)) empty_cache();
}

bool has_room(int64_t bytes) {
    void* block = nullptr;
    if (posix_memalign(&block, kAlignment, bytes) == 0) return std::free(block), true;
    empty_cache();
    return posix_memalign(&block, kAlignment, bytes) == 0 ? std::free(block), true : false;
}

std::string refusal(int64_t bytes) {
    std::string asked = bytes < 0 ? "more than " + std::to_string(kLargest) : std::to_string(bytes);
    std::string text = asked + " bytes asked for, " + std::to_string(stats.in_use) + " in use";
    return limit < 0 ? text : text + ", the limit is " + std::to_string(limit);
}

}  // namespace tw
