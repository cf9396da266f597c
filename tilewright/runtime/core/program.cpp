#include "program.h"

#include <chrono>
#include <string>

#include "small_array.h"

namespace tw {

namespace {

constexpr int64_t kLargeCall = 64 << 10;  // bytes of a call from which letting other Python threads run pays anyway

bool fail(Failure& failure, const char* kind, PyObject* info) {
    if (info) failure = {kind, info};
    return false;
}

// Fills the size table; false when a check of the plan fails.
bool measure(const Program& program, const Operand* inputs, int count, const Destination& to, int64_t* table,
             Failure& failure) {
    int64_t* slot = table;
    for (int i = 0; i < count; ++i) slot = copy_few(inputs[i].extents, 2 * inputs[i].rank, slot);
    for (size_t i = 0; i < program.outputs.size(); ++i)
        if (program.outputs[i].given) slot = copy_few(to.seen[i].strides(), to.seen[i].rank, slot);
    size_t check = program.sizes(table, slot);
    if (check == 0) return true;
    const char* message = check <= program.checks.size() ? program.checks[check - 1].c_str() : "an unknown check failed";
    return fail(failure, "check", PyUnicode_FromString(message));
}

bool read_dims(const Output& output, const int64_t* table, int64_t* dims, Failure& failure) {
    for (size_t a = 0; a < output.dims.size(); ++a) {
        dims[a] = table[output.dims[a]];
        const char* message = "axis %d of the result would have the negative extent %lld";
        if (dims[a] < 0)
            return fail(failure, "check", PyUnicode_FromFormat(message, static_cast<int>(a), static_cast<long long>(dims[a])));
    }
    return true;
}

// Refuses a tensor that is to be written to.
bool refuse(const Output& output, Tensor* given, const int64_t* dims, Failure& failure) {
    std::string wanted = described(output.dtype, dims, static_cast<int>(output.dims.size()));
    std::string found = described(given->dtype, given->dims(), given->rank());
    const char* message = "the result is %s, but out= is %s";
    if (given->readonly) message = "the result, %s, cannot be written to out=, %s: it is read-only";
    else if (given->still) message = "the result, %s, cannot be written to out=, %s: several of its elements are one";
    return fail(failure, "out", PyUnicode_FromFormat(message, wanted.c_str(), found.c_str()));
}

bool fits(const Output& output, const Operand& given, const int64_t* dims) {
    int rank = static_cast<int>(output.dims.size());
    return given.dtype == output.dtype && given.rank == rank && few_equal(given.dims(), rank, dims);
}

// On failure `result` may be a tensor without memory, or null.
bool make_result(const Program& program, int number, const int64_t* table, const Destination& to, Tensor*& result,
                 Failure& failure) {
    const Output& output = program.outputs[number];
    int rank = static_cast<int>(output.dims.size());
    int64_t dims[kMaxRank];
    result = nullptr;
    if (!read_dims(output, table, dims, failure)) return false;
    if (to.given && to.given[number]) {
        Tensor* given = to.given[number];
        if (given->readonly || given->still || !fits(output, to.seen[number], dims)) return refuse(output, given, dims, failure);
        return result = reinterpret_cast<Tensor*>(Py_NewRef(given)), true;
    }
    if (to.merging && rank) return (result = to.merging->whole(to.form.results[number], output.dtype, dims, rank)) != nullptr;
    if (!(result = new_tensor(output.dtype, rank))) return false;
    copy_few(dims, rank, result->dims());
    return give_memory(result);
}

bool take_scratch(int64_t wanted, char*& data) {
    if (wanted == 0 || (data = scratch(wanted))) return true;
    return PyErr_Format(PyExc_MemoryError, "no memory for intermediates: %s", refusal(wanted).c_str()), false;
}

// The GIL let go for a while. Signals are looked for now and then: an interrupt ends a long call between two chunks.
class Released : public Watch {
  public:
    Released() : state_(PyEval_SaveThread()) {}
    ~Released() { PyEval_RestoreThread(state_); }

    bool goes_on() override {
        Clock::time_point now = Clock::now();
        if (now < next_) return true;
        PyEval_RestoreThread(state_);
        bool good = look();
        state_ = PyEval_SaveThread();
        next_ = now + kEvery;
        return good;
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kEvery{50};

    bool look() {
        ScratchAside kept;  // a handler may call ops
        return PyErr_CheckSignals() == 0;
    }

    PyThreadState* state_;
    Clock::time_point next_ = Clock::now() + kEvery;
};

// Runs the steps, without the GIL when that pays; false with what a handler of signals has raised.
bool execute(const Program& program, TwArgs& args, int64_t bytes) {
    bool large = bytes + args.table[program.scratch] > kLargeCall || is_long(program.steps, args.table);
    if (!large) return run_steps(program.steps, args);
    Released watch;
    return run_steps(program.steps, args, &watch);
}

bool report(const TwStatus& status, Failure& failure) {
    if (status.code == 0) return true;
    PyObject* info = Py_BuildValue("(LLLL)", static_cast<long long>(status.code), static_cast<long long>(status.operand),
                                   static_cast<long long>(status.position), static_cast<long long>(status.value));
    return fail(failure, "index", info);
}

// Runs the steps on the operands and the results.
bool run(const Program& program, const Operand* inputs, int count, const int64_t* table, const uint64_t* cells,
             Tensor** results, Failure& failure) {
    int made = static_cast<int>(program.outputs.size());
    SmallArray<void*, 16> data(count + made);
    TwStatus status{};
    TwArgs args{data.data(), table, cells, nullptr, &status, nullptr};
    int64_t bytes = 0;
    for (int i = 0; i < count; ++i) data[i] = inputs[i].data, bytes += inputs[i].bytes;
    for (int i = 0; i < made; ++i) data[count + i] = results[i]->data, bytes += results[i]->bytes;
    if (!take_scratch(table[program.scratch], args.scratch)) return false;
    return execute(program, args, bytes) && report(status, failure);
}

bool drop(Tensor** results, int count) {
    for (int i = 0; i < count; ++i) Py_CLEAR(results[i]);
    return false;
}

}  // namespace

bool Program::prepare(const Operand* inputs, int count, const Destination& to, int64_t* table, Tensor** results,
                      Failure& failure) const {
    int made = static_cast<int>(outputs.size()), done = 0;
    bool good = measure(*this, inputs, count, to, table, failure);
    while (good && done < made) {
        good = make_result(*this, done, table, to, results[done], failure);
        done += results[done] != nullptr;
    }
    return good || drop(results, done);
}

bool Program::compute(const Operand* inputs, int count, const int64_t* table, const uint64_t* cells, Tensor** results,
                      Failure& failure) const {
    int made = static_cast<int>(outputs.size());
    return run(*this, inputs, count, table, cells, results, failure) || drop(results, made);
}

}  // namespace tw
