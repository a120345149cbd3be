// New values of a parameter, its velocity and running averages, in one pass over the memory.
//
// The rule is a program that updates.py writes. No Python here: the Theano side is bindings/update.h.
#pragma once

#include <algorithm>
#include <cstddef>

#include "runtime/threads.h"

// Before a loop whose steps do not depend on each other, though it may overwrite what it reads.
#if defined(__clang__)
#define UPDATE_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define UPDATE_LOOP _Pragma("GCC ivdep")
#endif

namespace update {

constexpr size_t CHUNK = 512;  // numbers of each array that the program goes over while the first-level cache has them
constexpr size_t PART = 1 << 14;  // numbers that a thread takes at once

// Rule::chunk(arrays, scalars, updated, locals, n) computes n numbers of each new value. `updated` may be among
// `arrays`, as the rule expects; otherwise no two arrays overlap. Each of the local arrays has CHUNK numbers.
template <class Rule>
void step(const float *const *arrays, const float *scalars, float *const *updated, size_t size) {
    parallel::for_parts((int)((size + PART - 1) / PART), parallel::threads(), [&](int part, int) {
        alignas(64) float locals[Rule::LOCALS + 1][CHUNK];
        const size_t last = std::min(size, (part + 1) * PART);
        for (size_t first = part * PART; first < last; first += CHUNK) {
            const float *from[Rule::ARRAYS];
            float *to[Rule::UPDATED];
            for (int k = 0; k < Rule::ARRAYS; k++) from[k] = arrays[k] + first;
            for (int k = 0; k < Rule::UPDATED; k++) to[k] = updated[k] + first;
            Rule::chunk(from, scalars, to, locals, (int)std::min(CHUNK, last - first));
        }
    });
}

}  // namespace update
