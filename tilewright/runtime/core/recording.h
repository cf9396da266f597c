// Calls that are recorded instead of run, and the memory that they read and write.
//
// A recorder is a Python object with two methods: `record` notes a call (OpCall::note in op_note.cpp), `settle` computes all that
// was noted. Storages that noted calls read or write to have it as their `recorder`; what is to be written is `pending`.
// So whoever reads a pending storage, or writes to one that has a recorder, has the recorder settle first.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "tensor.h"

namespace tw {

// What becomes of the calls of this thread: they run, or a recorder notes them. One that settles runs its calls, and is
// not asked to settle on their account.
struct Mode {
    PyObject* recorder = nullptr;
    bool settling = false;
};
extern thread_local Mode mode;

extern int64_t watched;  // how many storages have a recorder

// Has recorders settle until the storage has none but perhaps `own`, or is not pending; false with a Python error.
// Nothing happens while this thread's settles.
bool settle_but(Storage* storage, PyObject* own);
bool settle_pending(Storage* storage);

// Makes sure that a storage has no recorder but perhaps `own`; that a tensor's contents are there; that others may have
// its address. False with a Python error.
inline bool settled_for(Storage* storage, PyObject* own) { return !watched || settle_but(storage, own); }
inline bool readable(Tensor* tensor) { return !watched || settle_pending(tensor->storage); }
inline bool expose(Tensor* tensor) {
    tensor->storage->exposed = true;
    return settled_for(tensor->storage, nullptr);
}

// Notes that recorded calls of `recorder` read the storage or, if `pending`, write to it.
void watch(Storage* storage, PyObject* recorder, bool pending);

// The storage is as it was before.
void forget(Storage* storage);

// Whether a write to all of the tensor's elements replaces all that anybody can see of its memory.
bool is_whole(Tensor* tensor);

// Sets what becomes of this thread's calls: None: they run; False: they run, and nobody is asked to settle; else the
// recorder that notes them. Returns what it was.
PyObject* set_mode(PyObject* to);

}  // namespace tw
