// Compiled code in memory: an ELF object file that needs nothing from outside, laid out and relocated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tw {

class Object {
   public:
    // Code is made executable and never writable again. Throws std::invalid_argument that says what is wrong with the
    // image: not an object of this machine, damaged, in need of something from outside, or of more than is supported.
    explicit Object(std::string_view image);
    ~Object();
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    // The address of a global symbol, or null.
    void* symbol(const std::string& name) const;

   private:
    char* memory_ = nullptr;
    size_t bytes_ = 0;
    std::unordered_map<std::string, void*> symbols_;
};

}  // namespace tw
