// The little that the C++ tests need: CHECK counts failures and says where they are.
#pragma once
#include <cstdio>

inline int failures = 0;

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            ++failures;                                                           \
            std::printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);   \
        }                                                                         \
    } while (0)
