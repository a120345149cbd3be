// What follows a convolution's sums, and its derivative as y alone tells it.
#pragma once

#include <cmath>
#include <cstring>

#include "runtime/simd.h"

namespace conv2d {

using namespace simd;

// LINES: z > 0 ? z : slope * z. The others as they are named; their slope is 1.
enum Kind { LINES, TANH, SIGMOID, ELU };

// How a program writes LINES, which decides what Theano's plain graph has at zero, for infinity and for NaN. `below` is
// slope * z, where slope is 0 a zero:
//
//     ABS             (1 + slope) / 2 * z + (1 - slope) / 2 * |z|
//     MAXIMUM         maximum(z, below)               MAXIMUM_SECOND  maximum(below, z)
//     SWITCH          switch(z > 0, z, below)         SWITCH_GE       switch(z >= 0, z, below)
//     SWITCH_LE       switch(z <= 0, below, z)        SWITCH_LT       switch(z < 0, below, z)
//     PRODUCT         z * (z > 0)
enum Spelling { ABS, MAXIMUM, MAXIMUM_SECOND, SWITCH, SWITCH_GE, SWITCH_LE, SWITCH_LT, PRODUCT };

// By the formula of ABS minus infinity becomes NaN, though its derivative is no NaN: such a NaN has bits of its own.
constexpr int32_t FROM_MINUS_INFINITY = 0x7fc00001, NOT_A_NUMBER_BITS = 0x7fc00000, INFINITE = 0x7f800000,
                  MINUS_INFINITY = (int32_t)0xff800000, MINUS_ZERO = (int32_t)0x80000000;

struct Nonlinearity {
    Kind kind;
    float slope;
    Spelling spelling;
    int32_t of_nan, of_minus_infinity;                      // the bits of what these become
    float at_zero, at_nan, at_infinity, at_minus_infinity;  // the derivative
    bool selects;  // whether a derivative of 0 makes 0 of an infinite gradient as well

    Nonlinearity(Kind kind, float slope, Spelling spelling = ABS) : kind(kind), slope(slope), spelling(spelling) {
        const bool switches = spelling >= SWITCH && spelling <= SWITCH_LT, maximum = spelling == MAXIMUM,
                   second = spelling == MAXIMUM_SECOND, rectifier = is_rectifier();
        const bool else_z = spelling == SWITCH_LE || spelling == SWITCH_LT;
        selects = rectifier && switches;
        of_nan = selects && !else_z ? MINUS_ZERO : NOT_A_NUMBER_BITS;
        of_minus_infinity = slope == 1            ? MINUS_INFINITY
                            : spelling == ABS     ? FROM_MINUS_INFINITY
                            : spelling == PRODUCT ? NOT_A_NUMBER_BITS
                            : rectifier           ? MINUS_ZERO
                                                  : MINUS_INFINITY;
        at_zero = spelling == ABS                                             ? (1 + slope) / 2
                  : maximum || spelling == SWITCH_GE || spelling == SWITCH_LT ? 1
                                                                              : slope;
        at_nan = spelling == ABS && slope != 1 ? (float)NAN : second || else_z ? 1 : slope;
        // an infinite z equals slope * z, and the first of what is equal is taken
        at_infinity = second && !rectifier ? slope : 1;
        at_minus_infinity = maximum && !rectifier ? 1 : slope;
    }
    bool is_linear() const { return kind == LINES && slope == 1; }
    // Whether all that is negative becomes zero.
    bool is_rectifier() const { return kind == LINES && slope == 0; }
};

// y = z > 0 ? z : slope * z, for a z that is never -0. So y's sign, that of a zero as well, tells the derivative: 1,
// slope, or that of z = 0. slope = 1 is no nonlinearity, 0 the rectifier. (With slope = 0 a negative z becomes -0, and
// 0 stays +0.) All values go through bend() after it.
ALWAYS_INLINE vec rectified(vec z, const Nonlinearity &f) {
    const vec y = z > vec{} ? z : broadcast(f.slope) * z;
    return (ivec)z == MINUS_INFINITY ? (vec)(f.of_minus_infinity + ivec{}) : y;
}

// exp(x) - 1, to the last bits also near zero: with x = n * log(2) + r it is 2^n * (exp(r) - 1) + (2^n - 1).
inline vec expm1(vec x) {
    x = x < broadcast(-87) ? broadcast(-87) : x;
    x = x > broadcast(88) ? broadcast(88) : x;
    const vec turns = x * 1.44269504f, half = turns < vec{} ? broadcast(-.5f) : broadcast(.5f);
    const ivec n = __builtin_convertvector(turns + half, ivec);
    const vec whole = __builtin_convertvector(n, vec);
    const vec r = (x - whole * .693359375f) + whole * 2.12194440e-4f;
    vec series = broadcast(1 / 5040.f);
    for (const float term : {1 / 720.f, 1 / 120.f, 1 / 24.f, 1 / 6.f, .5f, 1.f}) series = series * r + term;
    const vec power = (vec)((n + 127) << 23);
    return power * (series * r) + (power - 1);
}

inline vec curve(vec z, const Nonlinearity &f) {
    if (f.kind == LINES) return z == z ? z : (vec)(f.of_nan + ivec{});
    if (f.kind == ELU) return z > vec{} ? z : expm1(z);
    if (f.kind == SIGMOID) return 1 / (expm1(-z) + 2);
    const vec e = expm1(2 * z);
    return e / (e + 2);
}

// Of `count` floats, in place: the nonlinearities that are not two lines, and the lines that make a zero of NaN.
inline void bend(float *y, size_t count, const Nonlinearity &f) {
    if (f.kind == LINES && f.of_nan == NOT_A_NUMBER_BITS) return;
    size_t k = 0;
    for (; k + VL <= count; k += VL) store_unaligned(y + k, curve(load_unaligned(y + k), f));
    if (k < count) store_some_lanes(y + k, curve(load_some(y + k, (int)(count - k)), f), (int)(count - k));
}

ALWAYS_INLINE vec derivative(vec y, const Nonlinearity &f) {
    if (f.kind == TANH) return 1 - y * y;
    if (f.kind == SIGMOID) return y * (1 - y);
    if (f.kind == ELU) return y > vec{} ? broadcast(1) : y + 1;
    vec d = y > vec{} ? broadcast(1) : broadcast(f.slope);
    d = (ivec)y == ivec{} ? broadcast(f.at_zero) : d;
    d = (ivec)y == INFINITE ? broadcast(f.at_infinity) : d;
    d = (ivec)y == MINUS_INFINITY ? broadcast(f.at_minus_infinity) : d;
    const vec nan = (ivec)y == FROM_MINUS_INFINITY ? broadcast(f.slope) : broadcast(f.at_nan);
    return y == y ? d : nan;
}

// A gradient times a derivative.
ALWAYS_INLINE vec times(vec g, vec derivative, const Nonlinearity &f) {
    const vec product = g * derivative;
    return f.selects ? (vec)((ivec)product & (derivative != 0)) : product;
}

// A gradient of y times the derivative. Of two lines the sign alone decides, but for +0, infinity and NaN.
ALWAYS_INLINE vec through(vec g, vec y, const Nonlinearity &f) {
    if (f.is_linear()) return g;
    const ivec more = ((ivec)y == 0) | (((ivec)y & INFINITE) == INFINITE);
    if (f.kind != LINES || any(more)) return times(g, derivative(y, f), f);
    const vec below = f.selects ? vec{} : broadcast(f.slope) * g;
    return y > vec{} ? g : below;
}

}  // namespace conv2d
