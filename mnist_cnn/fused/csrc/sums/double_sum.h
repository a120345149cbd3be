// Sums of float32 numbers in double precision, as Theano forms them.
#pragma once

#include <cstddef>

#include "runtime/simd.h"

namespace sums {

using simd::doubles;
using simd::floats;
using simd::VL;

// What is added of each number.
struct Itself {
    template <class T> static ALWAYS_INLINE T of(T x) { return x; }
};
struct Square {
    template <class T> static ALWAYS_INLINE T of(T x) { return x * x; }
};
struct Magnitude {
    template <class T> static ALWAYS_INLINE T of(T x) { return x < 0 ? -x : x; }
};

constexpr ptrdiff_t LANES = 32;  // partial sums, as many for all vectors: every machine has the same bits
constexpr ptrdiff_t FEW = 1024;  // so many are added one after the other, to Theano's bits

template <class Term> float sum(const float *x, ptrdiff_t n) {
    constexpr int WIDTH = VL / 2, VECTORS = LANES / WIDTH;
    double total = 0;
    ptrdiff_t done = 0;
    if (n > FEW) {
        doubles partial[VECTORS] = {};
        for (; done + LANES <= n; done += LANES)
            UNROLL for (int v = 0; v < VECTORS; v++) partial[v] +=
                __builtin_convertvector((Term::of((floats) * (const floats *)(x + done + v * WIDTH))), doubles);
        for (const doubles &p : partial)
            for (int l = 0; l < WIDTH; l++) total += p[l];
    }
    for (; done < n; done++) total += Term::of(x[done]);
    return (float)total;
}

}  // namespace sums
