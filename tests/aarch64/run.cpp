// Runs artifacts one after another: a stream of jobs in, a stream of results out. Built for the machine whose objects
// are to be run, which an emulator then is. See machine.py, which writes the jobs.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "abi.h"
#include "object.h"
#include "runner.h"

namespace {

void read_bytes(void* to, size_t size) {
    if (size && fread(to, 1, size, stdin) != size) exit(feof(stdin) ? 0 : 1);
}

int64_t number() {
    int64_t n;
    read_bytes(&n, sizeof n);
    return n;
}

std::vector<int64_t> numbers() {
    std::vector<int64_t> found(number());
    read_bytes(found.data(), found.size() * sizeof(int64_t));
    return found;
}

std::string text() {
    std::string found(number(), 0);
    read_bytes(found.data(), found.size());
    return found;
}

void write_numbers(const void* from, size_t count) { fwrite(from, sizeof(int64_t), count, stdout); }

// 64-byte aligned, as operands are; what is in it before a kernel writes it is no number.
char* memory(int64_t bytes) {
    auto* found = static_cast<char*>(aligned_alloc(64, (bytes / 64 + 1) * 64));
    for (int64_t i = 0; i < bytes; ++i) found[i] = '\xA5';
    return found;
}

using Objects = std::vector<std::unique_ptr<tw::Object>>;

void* find(const Objects& objects, const std::string& name) {
    for (const auto& o : objects)
        if (void* found = o->symbol(name)) return found;
    throw std::runtime_error("no function " + name);
}

std::vector<tw::Step> steps(const Objects& objects) {
    std::vector<tw::Step> found(number());
    for (tw::Step& step : found) {
        std::string kernel = text();
        step = {kernel.empty() ? nullptr : reinterpret_cast<TwKernel>(find(objects, kernel)), static_cast<int>(number()),
                static_cast<int>(number()), {}};
        if (!step.kernel) step.body = steps(objects);
    }
    return found;
}

void run() {
    Objects objects(number());
    for (auto& object : objects) object = std::make_unique<tw::Object>(text());
    auto sizes = reinterpret_cast<TwSizes>(find(objects, "sizes"));
    std::vector<tw::Step> plan = steps(objects);
    std::vector<int64_t> table = numbers();
    int64_t head = number(), scratch = number();
    std::vector<void*> data;
    for (int64_t n = number(); n > 0; --n) {
        int64_t first = number(), bytes = number();
        char* operand = memory(bytes);
        read_bytes(operand, bytes);
        data.push_back(operand + first);
    }
    std::vector<int64_t> cells = numbers();
    int64_t failed = sizes(table.data(), table.data() + head);
    write_numbers(&failed, 1);
    std::vector<std::vector<int64_t>> results(number());
    for (auto& dims : results) dims = numbers();  // the size of an element, then the slots of the extents
    std::vector<int64_t> lengths;
    for (const auto& dims : results) {
        int64_t bytes = dims[0];
        for (size_t a = 1; a < dims.size(); ++a) bytes *= table[dims[a]];
        lengths.push_back(bytes);
        data.push_back(memory(bytes));
    }
    TwStatus status{};
    auto* scalars = reinterpret_cast<const uint64_t*>(cells.data());
    TwArgs args{data.data(), table.data(), scalars, memory(table[scratch]), &status, nullptr};
    if (!failed) tw::run_steps(plan, args);
    write_numbers(&status, 5);
    write_numbers(table.data(), table.size());
    for (size_t n = 0; n < lengths.size(); ++n) fwrite(data[data.size() - lengths.size() + n], 1, lengths[n], stdout);
    fflush(stdout);
}

}  // namespace

int main() {
    try {
        for (;;) run();
    } catch (const std::exception& e) {
        fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
