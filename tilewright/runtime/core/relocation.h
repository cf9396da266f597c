// What relocations of the machines we know write, by the ELF supplements of their ABIs. Those of aarch64
// have not yet run.
#pragma once

#include <cstdint>

namespace tw {

#if defined(__x86_64__)
constexpr uint16_t kMachine = 62;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = 183;
#else
constexpr uint16_t kMachine = 0;
#endif

// The bytes that a relocation of this type writes; 0 if the type is unknown.
int relocation_bytes(uint16_t machine, uint32_t type);

// Writes to `field`, which will lie at `place`, what refers to `target`; false if that is too far away.
bool relocate(uint16_t machine, uint32_t type, char* field, uint64_t place, uint64_t target);

}  // namespace tw
