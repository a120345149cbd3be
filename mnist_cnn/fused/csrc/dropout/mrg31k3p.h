// MRG31k3p, the generator behind Theano's MRG_RandomStreams: P. L'Ecuyer, R. Touzin, "Fast combined multiple
// recursive generators with multipliers of the form a = +/- 2^d +/- 2^e", Winter Simulation Conference 2000.
//
// The numbers and states are those of theano.sandbox.rng_mrg, bit for bit, whatever the vectors' length and the
// number of threads. No Python here: the Theano side is bindings/mrg31k3p.h.
#pragma once

#include <algorithm>
#include <utility>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace mrg31k3p {

using namespace simd;

typedef uint32_t uvec __attribute__((vector_size(VL * 4), may_alias));
typedef uint32_t uvec_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));

constexpr uint32_t M1 = 2147483647, M2 = 2147462579;  // the moduli: 2^31 - 1, 2^31 - 21069
constexpr int WORDS = 6;                              // of a stream's state: three modulo M1, three modulo M2

// Lane l of the result is lane Lanes::at(l) of a, from VL on of b.
template <class Lanes, int... L> ALWAYS_INLINE uvec pick(uvec a, uvec b, std::integer_sequence<int, L...>) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, Lanes::at(L)...);
#else
    return __builtin_shuffle(a, b, uvec{(uint32_t)Lanes::at(L)...});
#endif
}
template <class Lanes> ALWAYS_INLINE uvec pick(uvec a, uvec b) {
    return pick<Lanes>(a, b, std::make_integer_sequence<int, VL>());
}

// Three vectors hold x0 y0 z0 x1 y1 z1 ... Each lane of x is in another lane there, as 3 does not divide VL: two
// choices by lane bring them into one vector, and one permutation into their order.
constexpr int owner(int vector, int lane) { return (vector * VL + lane) % 3; }
template <int VECTOR, int WORD> struct FromVector {
    static constexpr int at(int l) { return owner(VECTOR, l) == WORD ? VL + l : l; }
};
template <int WORD> struct Ordered {
    static constexpr int at(int l) { return (3 * l + WORD) % VL; }
};
template <int WORD> struct Spread {  // the inverse of Ordered
    static constexpr int at(int l) { return (l + VL - WORD) * (VL == 16 ? 11 : 3) % VL; }
};
template <int FIRST, int STEP> struct Every {
    static constexpr int at(int l) { return FIRST + STEP * l; }
};
template <int FIRST> struct Zipped {
    static constexpr int at(int l) { return FIRST + l / 2 + l % 2 * VL; }
};
template <int WORD> ALWAYS_INLINE uvec third(const uvec v[3]) {
    const uvec mixed = pick<FromVector<2, WORD>>(pick<FromVector<1, WORD>>(v[0], v[1]), v[2]);
    return pick<Ordered<WORD>>(mixed, mixed);
}
template <int VECTOR> ALWAYS_INLINE uvec mix(uvec x, uvec y, uvec z) {
    return pick<FromVector<VECTOR, 2>>(pick<FromVector<VECTOR, 1>>(x, y), z);
}

// The states of VL streams, a word a vector; in memory a stream's words lie side by side.
struct States {
    uvec word[WORDS];

    ALWAYS_INLINE void load(const int32_t *from) {
        uvec even[3], odd[3];
        UNROLL for (int k = 0; k < 3; k++) {
            const uvec a = *(const uvec_unaligned *)(from + 2 * k * VL);
            const uvec b = *(const uvec_unaligned *)(from + (2 * k + 1) * VL);
            even[k] = pick<Every<0, 2>>(a, b);
            odd[k] = pick<Every<1, 2>>(a, b);
        }
        word[0] = third<0>(even), word[2] = third<1>(even), word[4] = third<2>(even);
        word[1] = third<0>(odd), word[3] = third<1>(odd), word[5] = third<2>(odd);
    }
    ALWAYS_INLINE void store(int32_t *to) const {
        uvec spread[WORDS];
        UNROLL for (int k = 0; k < 2; k++) {
            spread[k] = pick<Spread<0>>(word[k], word[k]);
            spread[k + 2] = pick<Spread<1>>(word[k + 2], word[k + 2]);
            spread[k + 4] = pick<Spread<2>>(word[k + 4], word[k + 4]);
        }
        const uvec even[3] = {mix<0>(spread[0], spread[2], spread[4]), mix<1>(spread[0], spread[2], spread[4]),
                              mix<2>(spread[0], spread[2], spread[4])};
        const uvec odd[3] = {mix<0>(spread[1], spread[3], spread[5]), mix<1>(spread[1], spread[3], spread[5]),
                             mix<2>(spread[1], spread[3], spread[5])};
        UNROLL for (int k = 0; k < 3; k++) {
            *(uvec_unaligned *)(to + 2 * k * VL) = pick<Zipped<0>>(even[k], odd[k]);
            *(uvec_unaligned *)(to + (2 * k + 1) * VL) = pick<Zipped<VL / 2>>(even[k], odd[k]);
        }
    }
    // The next number of each stream, 1 to 2^31 - 1.
    ALWAYS_INLINE ivec next() {
        const auto shifted = [](uvec x, int bits) { return (uvec)((ivec)x >> bits); };  // as Theano's signed words
        const auto modulo = [](uvec y, uint32_t m) { return y - m < y ? y - m : y; };
        const auto product = [&](uvec x) { return modulo(((x & 65535) << 15) + 21069u * shifted(x, 16), M2); };
        const uvec x12 = word[1], x13 = word[2];
        uvec y = ((x12 & 511) << 22) + shifted(x12, 9) + ((x13 & 16777215) << 7) + shifted(x13, 24);
        y = modulo(modulo(y, M1) + x13, M1);
        word[2] = x12, word[1] = word[0], word[0] = y;
        y = modulo(modulo(product(word[5]) + word[5], M2) + product(word[3]), M2);
        word[5] = word[4], word[4] = word[3], word[3] = y;
        const ivec first = (ivec)word[0], second = (ivec)y;
        return (ivec)((uvec)first - y + ((uvec)(first <= second) & M1));
    }
    // Sets all lanes but the first ones to what they were.
    void take_back(const States &before, int lanes) {
        for (int k = 0; k < WORDS; k++)
            for (int l = lanes; l < VL; l++) word[k][l] = before.word[k][l];
    }
};

// The results made of numbers: float or double between 0 and 1, rounded as Theano rounds them; or 1 where such a float
// is less than p, else 0.
struct Uniform {
    ALWAYS_INLINE void write(ivec numbers, float *to, int some) const {
        store_some_lanes(to, __builtin_convertvector(numbers, vec) * 4.6566126e-10f, some);
    }
    ALWAYS_INLINE void write(ivec numbers, double *to, int some) const {
        for (int l = 0; l < some; l++) to[l] = numbers[l] * 4.656612873077392578125e-10;
    }
};
struct Bernoulli {
    float p;
    ALWAYS_INLINE void write(ivec numbers, float *to, int some) const {
        const vec u = __builtin_convertvector(numbers, vec) * 4.6566126e-10f, one = broadcast(1);
        store_some_lanes(to, (vec)((ivec)one & (u < broadcast(p))), some);
    }
};

// samples[i], for i < n, is made of the next number of stream i % streams; `state` moves on.
template <class Kind, class Float> void draw(Kind kind, int32_t *state, size_t streams, Float *samples, size_t n) {
    const size_t rounds = n / streams, more = n % streams;  // the first `more` streams give one more
    const size_t used = std::min(n, streams), whole = used / VL, parts = std::min(whole, n / 8192) + 1;
    const auto all_rounds = [=](States &s, size_t first, int some) {
        Float *to = samples + first;
        for (size_t r = 0; r < rounds; r++, to += streams) kind.write(s.next(), to, some);
        if (first >= more) return;
        const States before = s;
        const int last = (int)std::min<size_t>(some, more - first);
        kind.write(s.next(), to, last);
        if (last < some) s.take_back(before, last);
    };
    parallel::for_parts((int)parts, parallel::threads(), [&](int part, int) {
        for (size_t k = whole * part / parts; k < whole * (part + 1) / parts; k++) {
            States s;
            s.load(state + k * VL * WORDS);
            all_rounds(s, k * VL, VL);
            s.store(state + k * VL * WORDS);
        }
    });
    const int some = (int)(used - whole * VL);  // streams that fill no vector
    if (!some) return;
    int32_t words[VL * WORDS] = {}, *rest = state + whole * VL * WORDS;
    memcpy(words, rest, some * WORDS * sizeof *words);
    States s;
    s.load(words);
    all_rounds(s, whole * VL, some);
    s.store(words);
    memcpy(rest, words, some * WORDS * sizeof *words);
}

}  // namespace mrg31k3p
