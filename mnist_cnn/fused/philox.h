// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011). Block number n of a key is a function of n and the key
// alone, so that the numbers depend neither on the vector's width nor on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "parallel.h"

namespace philox {

// Blocks made side by side. Plain loops over them: the compiler turns each into vectors.
constexpr int SIDE = 16, GROUP = 4 * SIDE;

// The words of SIDE consecutive blocks: out[word * SIDE + k] is word `word` of block first + k.
inline void blocks(uint64_t key, uint64_t first, uint32_t out[GROUP]) {
    uint32_t *a = out, *b = out + SIDE, *c = out + 2 * SIDE, *d = out + 3 * SIDE;
    for (int k = 0; k < SIDE; k++) {
        a[k] = (uint32_t)(first + k);
        b[k] = (uint32_t)((first + k) >> 32);
        c[k] = d[k] = 0;
    }
    uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        for (int k = 0; k < SIDE; k++) {
            const uint64_t p = (uint64_t)a[k] * 0xD2511F53u, q = (uint64_t)c[k] * 0xCD9E8D57u;
            const uint32_t from_b = b[k], from_d = d[k];
            a[k] = (uint32_t)(q >> 32) ^ from_b ^ key0;
            b[k] = (uint32_t)q;
            c[k] = (uint32_t)(p >> 32) ^ from_d ^ key1;
            d[k] = (uint32_t)p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

// mask[i] = 1 where word i is less than `keep` (of 2**32), else 0. Word i is word (i % 64) / 16 of
// block first + i / 64 * 16 + i % 16. Returns the first block not used.
inline uint64_t bernoulli(uint64_t key, uint64_t first, uint64_t keep, float *mask, size_t n) {
    const size_t groups = (n + GROUP - 1) / GROUP;
    const uint32_t last = (uint32_t)(keep - 1);
    const int parts = (int)(groups / 128 + 1);      // 8192 numbers a part
    parallel::run(parts, parallel::threads(), [&](int part, int) {
        for (size_t g = groups * part / parts; g < groups * (part + 1) / parts; g++) {
            uint32_t words[GROUP];
            blocks(key, first + g * SIDE, words);
            float *to = mask + g * GROUP;
            const size_t left = n - g * GROUP;
            const int count = left < (size_t)GROUP ? (int)left : GROUP;
            if (keep == 0) for (int k = 0; k < count; k++) to[k] = 0;
            else if (count == GROUP) for (int k = 0; k < GROUP; k++) to[k] = words[k] <= last ? 1.f : 0.f;
            else for (int k = 0; k < count; k++) to[k] = words[k] <= last ? 1.f : 0.f;
        }
    });
    return first + (uint64_t)groups * SIDE;
}

}  // namespace philox
