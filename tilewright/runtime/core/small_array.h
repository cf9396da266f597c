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

}  // namespace tw
