// Storage, layouts and the runner of steps.
#include <cstring>
#include <string>
#include <thread>

#include "check.h"
#include "layout.h"
#include "memory.h"
#include "runner.h"

namespace {

bool aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % tw::kAlignment == 0; }

void storage() {
    for (int64_t bytes : {0, 1, 63, 64, 65, 4096, 100000, 5 << 20}) {
        tw::Storage* one = tw::allocate(bytes);
        CHECK(one && aligned(one->data) && one->bytes == bytes);
        memset(one->data, 1, bytes);
        char* place = one->data;
        ++one->references;
        tw::release(one);
        tw::Storage* other = tw::allocate(bytes);
        CHECK(other->data != place);  // one is still alive
        tw::release(other);
        tw::release(one);
        tw::Storage* again = tw::allocate(bytes);
        CHECK(again->data == place);  // a block of its class is reused
        tw::release(again);
    }
    CHECK(!tw::allocate(-1) && !tw::allocate(INT64_MAX));
}

void borrowed_storage() {
    static int let_go_of = 0;
    double data[4];
    tw::Storage* storage = tw::borrow(data, sizeof data, &let_go_of, [](void* owner) { ++*static_cast<int*>(owner); });
    ++storage->references;
    tw::release(storage);
    CHECK(let_go_of == 0 && storage->data == reinterpret_cast<char*>(data));
    tw::release(storage);
    CHECK(let_go_of == 1);
}

void scratch_memory() {
    char* mine = tw::scratch(100);
    CHECK(aligned(mine) && tw::scratch(50) == mine);
    char* more = tw::scratch(1 << 20);
    CHECK(aligned(more));
    memset(more, 1, 1 << 20);
    std::thread([&] { CHECK(tw::scratch(1 << 20) != more); }).join();
    CHECK(!tw::scratch(-1));
}

void units() {
    auto unit = [](std::initializer_list<int64_t> dims, std::initializer_list<int64_t> strides) {
        return tw::unit_axis(dims.begin(), strides.begin(), static_cast<int>(dims.size()), 4);
    };
    CHECK(unit({}, {}) == -1);
    CHECK(unit({2, 3}, {12, 4}) == 1 && unit({2, 3}, {4, 8}) == 0 && unit({2, 3}, {24, 8}) == -1);
    CHECK(unit({2, 1}, {4, 99}) == 1 && unit({1, 3}, {4, 8}) == -1 && unit({0, 3}, {4, 8}) == 1);
    CHECK(unit({1, 2, 3}, {4, 4, 8}) == 1 && unit({2, 3}, {0, -4}) == -1 && unit({2, 3}, {0, 4}) == 1);
}

void row_major() {
    int64_t dims[] = {2, 0, 3}, strides[3];
    CHECK(tw::row_major(dims, strides, 3, 8) == 0 && strides[0] == 24 && strides[1] == 24 && strides[2] == 8);
    dims[1] = 5;
    CHECK(tw::row_major(dims, strides, 3, 8) == 240 && strides[0] == 120);
    dims[1] = INT64_MAX / 4;
    CHECK(tw::row_major(dims, strides, 3, 8) == -1);
    dims[1] = -1;
    CHECK(tw::row_major(dims, strides, 3, 8) == -1);
}

std::string trace;

template <int depth>
void note(const TwArgs* args, int64_t lo, int64_t hi, int64_t) {
    for (int d = 0; d < depth; ++d) trace += std::to_string(args->counters[d]) + ",";
    trace += std::to_string(lo) + "-" + std::to_string(hi) + " ";
}

void steps() {
    // slots: 0 and 1 trips, 2 tasks, 3 chunk, 4 no tasks, 5 no trips
    int64_t table[] = {2, 3, 5, 5, 0, 0};
    TwArgs args{nullptr, table, nullptr, nullptr, nullptr, nullptr};
    tw::Step phase{note<0>, 2, 3, {}}, once{note<1>, 2, 3, {}}, twice{note<2>, 2, 3, {}}, idle{note<2>, 4, 3, {}};
    tw::Step inner{nullptr, 1, 0, {twice, idle}}, outer{nullptr, 0, 0, {inner, once}}, never{nullptr, 5, 0, {once}};
    CHECK(tw::depth_of({outer}) == 2 && tw::depth_of({phase}) == 0);
    CHECK(!tw::is_long({phase, inner, never, idle}, table) && tw::is_long({outer}, table));
    table[3] = 1;
    CHECK(tw::is_long({phase}, table));
    table[3] = 5;
    tw::run_steps({phase, outer, never}, args);
    CHECK(trace == "0-5 0,0,0-5 0,1,0-5 0,2,0-5 0,0-5 1,0,0-5 1,1,0-5 1,2,0-5 1,0-5 ");
}

}  // namespace

int main() {
    storage();
    borrowed_storage();
    scratch_memory();
    units();
    row_major();
    steps();
    return failures != 0;
}
