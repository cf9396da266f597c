// An array of a size known only at run time, on the stack when it is small.
#pragma once
#include <memory>

namespace tw {

template <class T, int N>
class SmallArray {
  public:
    explicit SmallArray(int size) : heap_(size > N ? new T[size] : nullptr), data_(size > N ? heap_.get() : stack_) {}
    SmallArray(const SmallArray&) = delete;
    SmallArray& operator=(const SmallArray&) = delete;
    T* data() { return data_; }
    T& operator[](int i) { return data_[i]; }

  private:
    T stack_[N];
    std::unique_ptr<T[]> heap_;
    T* data_;
};

// For a few elements: calling memmove or memcmp costs more than they do.
template <class T>
T* copy_few(const T* from, int count, T* to) {
    for (int i = 0; i < count; ++i) to[i] = from[i];
    return to + count;
}

template <class T>
bool few_equal(const T* a, int count, const T* b) {
    for (int i = 0; i < count; ++i)
        if (a[i] != b[i]) return false;
    return true;
}

}  // namespace tw
