/* Kernels that follow the ABI of docs/architecture.md, for tests/test_runtime.py. */
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef struct { int64_t lock, code, operand, position, value; } TwStatus;
typedef struct {
    void* const* data;
    const int64_t* table;
    const uint64_t* scalars;
    char* scratch;
    TwStatus* status;
    const int64_t* counters;
} TwArgs;

#define KERNEL(name) void name(const TwArgs* args, int64_t lo, int64_t hi, int64_t tid)

/* copy: y[M, N] = x[M, N] of 4-byte cells; head M N s0 s1; tail M N scratch tasks chunk */
int copy_sizes(const int64_t* head, int64_t* tail) {
    tail[0] = head[0], tail[1] = head[1], tail[2] = 0, tail[3] = head[0], tail[4] = 2;
    return 0;
}
KERNEL(copy) {
    const int64_t* t = args->table;
    for (int64_t i = lo; i < hi; ++i)
        for (int64_t j = 0; j < t[1]; ++j)
            ((int32_t*)args->data[1])[i * t[1] + j] = *(int32_t*)((char*)args->data[0] + i * t[2] + j * t[3]);
}

/* add: y[N] = a[N] + b[N]; head N s N s; tail N scratch tasks chunk; checks: 1 same length, 2 not longer than 1000 */
int add_sizes(const int64_t* head, int64_t* tail) {
    tail[0] = head[0], tail[1] = 0, tail[2] = 1, tail[3] = 1;
    return head[0] != head[2] ? 1 : head[0] > 1000 ? 2 : 0;
}
KERNEL(add) {
    for (int64_t i = 0; i < args->table[0]; ++i)
        ((float*)args->data[2])[i] = ((float*)args->data[0])[i] + ((float*)args->data[1])[i];
}

/* total: y[] = sum of x[N] of f64 in two phases, partial sums of 10 in scratch; z[] = the address of the scratch.
   head N s; tail tasks chunk 1 scratch */
int total_sizes(const int64_t* head, int64_t* tail) {
    tail[0] = (head[0] + 9) / 10, tail[1] = 1, tail[2] = 1, tail[3] = tail[0] * 8;
    return 0;
}
KERNEL(partial) {
    for (int64_t t = lo; t < hi; ++t) {
        double sum = 0;
        for (int64_t i = t * 10; i < args->table[0] && i < t * 10 + 10; ++i) sum += ((double*)args->data[0])[i];
        ((double*)args->scratch)[t] = sum;
    }
}
KERNEL(combine) {
    double sum = 0;
    for (int64_t t = 0; t < args->table[2]; ++t) sum += ((double*)args->scratch)[t];
    *(double*)args->data[1] = sum;
    *(uint64_t*)args->data[2] = (uint64_t)args->scratch;
}

/* trips: y[2, 3] and z[2]; a nested repeat writes 1 + its place into y, the outer one into z; x[0] says how often.
   head N s; tail 2 3 outer inner one none scratch */
int trips_sizes(const int64_t* head, int64_t* tail) {
    int64_t some = head[0] != 0;
    tail[0] = 2, tail[1] = 3, tail[2] = 2 * some, tail[3] = 3, tail[4] = 1, tail[5] = 0, tail[6] = 0;
    return 0;
}
KERNEL(zero) { memset(args->data[1], 0, 48), memset(args->data[2], 0, 16); }
KERNEL(trip) {
    int64_t i = args->counters[0], j = args->counters[1];
    ((int64_t*)args->data[1])[i * 3 + j] += 1 + i * 3 + j;
}
KERNEL(outer_trip) { ((int64_t*)args->data[2])[args->counters[0]] += 1 + args->counters[0]; }
KERNEL(never) { *(int64_t*)args->data[1] = -1; }

/* note: y[5] = what the kernel notes in the status: x[5] as lock, code, operand, position, value.
   head 5 s (or 5 s 5 s); tail 1 0 */
int note_sizes(const int64_t* head, int64_t* tail) { return tail[0] = 1, tail[1] = 0, 0; }
KERNEL(note) { memcpy(args->status, args->data[0], sizeof(TwStatus)); }

/* cells: y[S] = the scalar cells; S is head 0, the length of x */
int cells_sizes(const int64_t* head, int64_t* tail) { return tail[0] = head[0], tail[1] = 0, tail[2] = 1, 0; }
KERNEL(cells) { memcpy(args->data[1], args->scalars, args->table[0] * 8); }

/* where: y[2] = the addresses of x and y; head N s; tail 2 0 1 */
int where_sizes(const int64_t* head, int64_t* tail) { return tail[0] = 2, tail[1] = 0, tail[2] = 1, 0; }
KERNEL(where) {
    ((uint64_t*)args->data[1])[0] = (uint64_t)args->data[0];
    ((uint64_t*)args->data[1])[1] = (uint64_t)args->data[1];
}

/* crew: y[N, 3] = per task: runs, 1 + tid, length of its chunk; x[N]: microseconds to sleep per task.
   head N s; tail N 3 0 chunk */
int crew_sizes(const int64_t* head, int64_t* tail) { return tail[0] = head[0], tail[1] = 3, tail[2] = 0, tail[3] = 4, 0; }
KERNEL(crew_clear) { memset((int64_t*)args->data[1] + 3 * lo, 0, 24 * (hi - lo)); }
KERNEL(crew) {
    for (int64_t t = lo; t < hi; ++t) {
        int64_t* row = (int64_t*)args->data[1] + 3 * t;
        row[0] += 1, row[1] = 1 + tid, row[2] = hi - lo;
        if (((int64_t*)args->data[0])[t]) usleep(((int64_t*)args->data[0])[t]);
    }
}

/* bad: an output with a negative extent, or one too large to exist (x empty) */
int bad_sizes(const int64_t* head, int64_t* tail) {
    return tail[0] = head[0] ? -3 : (int64_t)1 << 61, tail[1] = head[0] ? 1 : 1 << 10, tail[2] = 0, 0;
}
