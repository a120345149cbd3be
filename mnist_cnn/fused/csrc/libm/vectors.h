// tanh and the sigmoid of many floats, with the bits of glibc's tanhf and expf.
//
// Theano calls these functions number by number. Here the same operations, in the same order, run on vectors. A libm
// may have others: its bits on a sample decide, once a process, whether vectors or calls of it compute the results.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/simd.h"

namespace libm {

using namespace simd;

// What Theano's C code computes for a number.
struct Tanh {
    static float call(float x) { return std::tanh(x); }
    static ALWAYS_INLINE vec vectors(vec x);
};
struct Sigmoid {
    static float call(float x) { return x < -88.0f ? 0.0f : x > 15.0f ? 1.0f : 1.0f / (1.0f + std::exp(-x)); }
    static ALWAYS_INLINE vec vectors(vec x);
};

#if defined(__x86_64__) && defined(__FMA__) && (defined(HAS_AVX2) || defined(HAS_AVX512))

// A product that is rounded: no part of a fused multiply-add.
ALWAYS_INLINE vec product(vec a, vec b) {
    vec p = a * b;
    keep(p);
    return p;
}
ALWAYS_INLINE vec product(vec a, float b) { return product(a, broadcast(b)); }
ALWAYS_INLINE vec add_to_exponent(vec y, ivec k) { return (vec)((ivec)y + (k << 23)); }

// exp(x) - 1 for x in (-2, 0] and in [2, 44], which is what tanh asks for: FreeBSD's s_expm1f.c, as in glibc to 2.40.
ALWAYS_INLINE vec expm1(vec x) {
    const ivec size = (ivec)x & 0x7fffffff;
    const ivec reduced = size > 0x3eb17218, far = size >= 0x3f851592;  // more than log(2) / 2, 1.5 * log(2)
    const vec half = x < vec{} ? broadcast(-.5f) : broadcast(.5f);
    ivec k = __builtin_convertvector(product(x, 1.4426950216e+00f) + half, ivec);
    k = reduced ? (far ? k : ivec{} - 1) : ivec{};  // between the two limits x is negative
    const vec turns = __builtin_convertvector(k, vec);
    const vec high = x - product(turns, 6.9313812256e-01f), low = product(turns, 9.0580006145e-06f);
    const vec r = high - low, c = (high - r) - low;

    const vec half_r = product(r, .5f), s = product(r, half_r);
    vec series = broadcast(-2.0109921195e-07f);
    for (const float term : {4.0082177293e-06f, -7.9365076090e-05f, 1.5873016091e-03f, -3.3333335072e-02f, 1.f})
        series = product(series, s) + term;
    const vec t = 3 - product(series, half_r);
    const vec e = product(s, (series - t) / (6 - product(r, t)));
    const vec near = r - (product(r, e) - s);                  // k == 0
    const vec rest = product(r, e - c) - c - s;                // the other ways
    const vec minus_one = product(r - rest, .5f) - .5f;        // k == -1
    const vec whole = add_to_exponent(1 - (rest - r), k) - 1;  // k < -1 or k > 56
    const ivec power = k < 0 ? ivec{} : k > 31 ? ivec{} + 31 : k;
    const vec below_one = (vec)(0x3f800000 - (0x1000000 >> power)), tiny = (vec)((0x7f - k) << 23);
    const vec some = add_to_exponent(below_one - (rest - r), k);  // k < 23: 1 - 2**-k
    const vec many = add_to_exponent(r - (rest + tiny) + 1, k);   // 2**-k
    vec y = k < 23 ? some : many;
    y = (k < -1) | (k > 56) ? whole : y;
    y = k == -1 ? minus_one : y;
    y = k == 0 ? near : y;
    return size < 0x33000000 ? x : y;
}

// s_tanhf.c
ALWAYS_INLINE vec Tanh::vectors(vec x) {
    const ivec sign = (ivec)x & (int32_t)0x80000000, bits = (ivec)x & 0x7fffffff;
    const vec size = (vec)bits, twice = 2 * size;
    const ivec large = bits >= 0x3f800000, ends = bits >= 0x41b00000;  // 1, 22
    const vec t = expm1(large ? (ends ? broadcast(44) : twice) : -twice);
    const vec fraction = (large ? broadcast(2) : -t) / (t + 2);
    vec y = large ? 1 - fraction : fraction;
    y = ends ? broadcast(1) : y;
    y = (vec)((ivec)y | sign);
    y = bits < 0x24000000 ? x * (1 + x) : y;
    return x == x ? y : x + x;
}

// exp(x) in double precision, rounded to float: Arm's expf.c, as in glibc since 2.28, with its fused operations.
typedef double doubles __attribute__((vector_size(VL * 4), may_alias));
typedef int64_t longs __attribute__((vector_size(VL * 4), may_alias));
ALWAYS_INLINE doubles fused(doubles a, doubles b, doubles c) {
#if defined(HAS_AVX512)
    return (doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#else
    return (doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#endif
}

// 2**(i / 32), less i << 47 in its bits
constexpr int64_t POWERS[32] = {0x3ff0000000000000, 0x3fefd9b0d3158574, 0x3fefb5586cf9890f, 0x3fef9301d0125b51,
                                0x3fef72b83c7d517b, 0x3fef54873168b9aa, 0x3fef387a6e756238, 0x3fef1e9df51fdee1,
                                0x3fef06fe0a31b715, 0x3feef1a7373aa9cb, 0x3feedea64c123422, 0x3feece086061892d,
                                0x3feebfdad5362a27, 0x3feeb42b569d4f82, 0x3feeab07dd485429, 0x3feea47eb03a5585,
                                0x3feea09e667f3bcd, 0x3fee9f75e8ec5f74, 0x3feea11473eb0187, 0x3feea589994cce13,
                                0x3feeace5422aa0db, 0x3feeb737b0cdc5e5, 0x3feec49182a3f090, 0x3feed503b23e255d,
                                0x3feee89f995ad3ad, 0x3feeff76f2fb5e47, 0x3fef199bdd85529c, 0x3fef3720dcef9069,
                                0x3fef5818dcfba487, 0x3fef7c97337b9b5f, 0x3fefa4afa2a490da, 0x3fefd0765b6e4540};

// Half a vector.
ALWAYS_INLINE doubles exp(doubles x) {
    constexpr double C0 = 0.05550361559341535 / 32768, C1 = 0.2402284522445722 / 1024, C2 = 0.6931471806916203 / 32;
    const doubles scale = 46.16624130844683 - doubles{}, shift = 6755399441055744.0 - doubles{};
    const doubles shifted = fused(scale, x, shift);
    const longs k = (longs)shifted;  // its last bits are the rounded number
    const doubles r = fused(scale, x, -(shifted - shift));
    longs bits;
    for (int l = 0; l < VL / 2; l++) bits[l] = POWERS[k[l] & 31];  // faster than a gather
    const doubles s = (doubles)(bits + (k << 47));
    const doubles z = fused(C0 - doubles{}, r, C1 - doubles{}), r2 = r * r;
    return fused(z, r2, fused(C2 - doubles{}, r, 1 - doubles{})) * s;
}

ALWAYS_INLINE vec Sigmoid::vectors(vec x) {
    typedef float half __attribute__((vector_size(VL * 2)));
    half parts[2];
    const vec minus = x < broadcast(-88) ? vec{} : x > broadcast(15) ? vec{} : -x;
    memcpy(parts, &minus, sizeof parts);
    for (half &part : parts) part = __builtin_convertvector(exp(__builtin_convertvector(part, doubles)), half);
    vec power;
    memcpy(&power, parts, sizeof power);
    vec y = 1 / (1 + power);
    y = x < broadcast(-88) ? vec{} : x > broadcast(15) ? broadcast(1) : y;
    return y;
}

// Whether the vectors have libm's bits, on numbers of all sizes.
template <class Function> bool agree() {
    constexpr int STEP = 1 << 18;  // 1/32 of a power of two
    for (int64_t bits = INT32_MIN; bits <= INT32_MAX; bits += (int64_t)VL * STEP) {
        vec x;
        for (int l = 0; l < VL; l++) {
            const int32_t b = (int32_t)(bits + (int64_t)l * STEP + l * 977);
            memcpy((char *)&x + 4 * l, &b, 4);
        }
        const vec y = Function::vectors(x);
        for (int l = 0; l < VL; l++) {
            const float expected = Function::call(x[l]), found = y[l];
            if (memcmp(&expected, &found, sizeof found) && expected == expected) return false;
        }
    }
    return true;
}

#endif

// y = f(x) of n numbers
template <class Function> void apply(const float *x, float *y, size_t n) {
#if defined(__x86_64__) && defined(__FMA__) && (defined(HAS_AVX2) || defined(HAS_AVX512))
    static const bool vectors = agree<Function>();
    if (vectors) {
        for (; n >= VL; n -= VL, x += VL, y += VL) store_unaligned(y, Function::vectors(load_unaligned(x)));
        if (n) store_some_lanes(y, Function::vectors(load_some(x, (int)n)), (int)n);
        return;
    }
#endif
    std::transform(x, x + n, y, Function::call);
}

}  // namespace libm
