// MT19937, the generator behind NumPy's RandomState: M. Matsumoto, T. Nishimura, "Mersenne twister", ACM Transactions
// on Modeling and Computer Simulation 8 (1998). Masks of its uniform doubles, whole blocks of words in vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mt19937 {

constexpr int WORDS = 624, MIDDLE = 397;

// As NumPy has it in memory: the words, and the place of the next one.
struct State {
    uint32_t key[WORDS];
    int pos;
};

inline uint32_t twisted(uint32_t word, uint32_t next, uint32_t middle) {
    return middle ^ ((word & 0x80000000) | (next & 0x7fffffff)) >> 1 ^ (-(next & 1) & 0x9908b0df);
}

inline void next_block(uint32_t *key) {
    for (int i = 0; i < WORDS - MIDDLE; i++) key[i] = twisted(key[i], key[i + 1], key[i + MIDDLE]);
    for (int i = WORDS - MIDDLE; i < WORDS - 1; i++) key[i] = twisted(key[i], key[i + 1], key[i + MIDDLE - WORDS]);
    key[WORDS - 1] = twisted(key[WORDS - 1], key[0], key[MIDDLE - 1]);
}

inline uint32_t tempered(uint32_t y) {
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return y ^ y >> 18;
}

// mask[k]: whether the next double is more than `bound`, or with `turned` whether it is not. A double is a whole number
// below 2^53, of which two words give 27 and 26 bits, divided by 2^53.
template <class T> void draw_mask(State *state, double bound, bool turned, T *mask, size_t n) {
    const int64_t most = (int64_t)(bound * 9007199254740992.);
    uint32_t words[WORDS + 1];  // tempered, the first may be left from the block before
    int kept = 0;
    for (size_t done = 0; done < n;) {
        if (state->pos == WORDS) next_block(state->key), state->pos = 0;
        const size_t wanted = 2 * (n - done) - kept, left = WORDS - state->pos;
        const int some = (int)(wanted < left ? wanted : left), pairs = (kept + some) / 2;
        for (int i = 0; i < some; i++) words[kept + i] = tempered(state->key[state->pos + i]);
        state->pos += some;
        for (int k = 0; k < pairs; k++) {
            const int64_t number = (int64_t)(words[2 * k] >> 5) << 26 | words[2 * k + 1] >> 6;
            mask[done + k] = (T)(int32_t)((uint64_t)(most - number) >> 63 ^ turned);
        }
        done += pairs;
        words[0] = words[kept + some - 1];
        kept = (kept + some) % 2;
    }
}

}  // namespace mt19937
