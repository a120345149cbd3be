// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (SC 2011). Block number n of a key is a function of n and the key
// alone, so that the numbers depend neither on the vector's width nor on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace philox {

using namespace simd;

constexpr int SIDE = 16, GROUP = 4 * SIDE;      // blocks made side by side, and their words

// The words of SIDE consecutive blocks: out[word * SIDE + k] is word `word` of block first + k.
inline void blocks(uint64_t key, uint64_t first, uint32_t out[GROUP]) {
    // A word in the lower half of each lane, blocks of even number apart from odd ones: so the ten rounds move
    // nothing between lanes. The upper halves hold what is left there.
    constexpr int PAIR = VL / 2;
    wide step;
    for (int l = 0; l < PAIR; l++) step[l] = 2 * l;
    for (int k = 0; k < SIDE; k += VL) {
        wide a[2], b[2], c[2] = {}, d[2] = {};
        UNROLL for (int odd = 0; odd < 2; odd++) {
            a[odd] = step + (first + k + odd);
            b[odd] = a[odd] >> 32;
        }
        uint32_t key0 = (uint32_t)key, key1 = (uint32_t)(key >> 32);
        for (int round = 0; round < 10; round++) {
            UNROLL for (int odd = 0; odd < 2; odd++) {
                const wide p = multiply_low(a[odd], wide{} + 0xD2511F53u), q = multiply_low(c[odd], wide{} + 0xCD9E8D57u);
                a[odd] = q >> 32 ^ b[odd] ^ key0;
                b[odd] = q;
                c[odd] = p >> 32 ^ d[odd] ^ key1;
                d[odd] = p;
            }
            key0 += 0x9E3779B9u;
            key1 += 0xBB67AE85u;
        }
        const wide *words[4] = {a, b, c, d};
        UNROLL for (int w = 0; w < 4; w++) {
            const wide both = (words[w][0] & 0xffffffff) | words[w][1] << 32;
            memcpy(out + w * SIDE + k, &both, sizeof both);
        }
    }
}

// mask[i] = 1 where word i is less than `keep` (of 2**32), else 0. Word i is word (i % 64) / 16 of
// block first + i / 64 * 16 + i % 16. Returns the first block not used.
inline uint64_t bernoulli(uint64_t key, uint64_t first, uint64_t keep, float *mask, size_t n) {
    const size_t groups = (n + GROUP - 1) / GROUP;
    const uint32_t last = (uint32_t)(keep - 1);
    const int parts = (int)(groups / 128 + 1);      // 8192 numbers a part
    parallel::for_parts(parts, parallel::threads(), [&](int part, int) {
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
