#include "recording.h"

#include <utility>

#include "layout.h"

namespace tw {

thread_local Mode mode;
int64_t watched = 0;

namespace {

// Meanwhile other threads may note calls again.
constexpr int kMostTurns = 1000;

template <class Wrong>
bool settle_while(Storage* storage, Wrong wrong) {
    for (int turn = 0; !mode.settling && wrong(); ++turn) {
        if (turn == kMostTurns) return PyErr_SetString(PyExc_RuntimeError, "what a recorder settled stays pending"), false;
        PyObject* recorder = Py_NewRef(storage->recorder);
        PyObject* done = PyObject_CallMethod(recorder, "settle", nullptr);
        Py_DECREF(recorder);
        if (!done) return false;
        Py_DECREF(done);
    }
    return true;
}

}  // namespace

bool settle_but(Storage* storage, PyObject* own) {
    return settle_while(storage, [&] { return storage->recorder && storage->recorder != own; });
}

bool settle_pending(Storage* storage) {
    return settle_while(storage, [&] { return storage->pending; });
}

void watch(Storage* storage, PyObject* recorder, bool pending) {
    storage->pending |= pending;
    if (storage->recorder == recorder) return;
    watched += storage->recorder == nullptr;
    Py_XSETREF(storage->recorder, Py_NewRef(recorder));
}

void forget(Storage* storage) {
    storage->pending = false;
    if (!storage->recorder) return;
    --watched;
    Py_CLEAR(storage->recorder);
}

bool is_whole(Tensor* tensor) {
    Storage* storage = tensor->storage;
    int64_t item = info(tensor->dtype).bytes;
    return !tensor->readonly && !storage->exposed && tensor->data == storage->data && tensor->bytes == storage->bytes &&
           is_dense(tensor->dims(), tensor->strides(), tensor->rank(), item);
}

PyObject* set_mode(PyObject* to) {
    PyObject* before = mode.settling ? Py_NewRef(Py_False) : mode.recorder ? mode.recorder : Py_NewRef(Py_None);
    mode.settling = to == Py_False;
    mode.recorder = to == Py_False || to == Py_None ? nullptr : Py_NewRef(to);
    return before;
}

}  // namespace tw
