// What follows a convolution's sums, and its derivative as y alone tells it.
#pragma once

#include <cstring>

#include "runtime/simd.h"

namespace conv2d {

using namespace simd;

// LINES: z > 0 ? z : slope * z. The others as they are named; their slope is 1.
enum Kind { LINES, TANH, SIGMOID, ELU };
struct Nonlinearity {
    Kind kind;
    float slope;
    bool is_linear() const { return kind == LINES && slope == 1; }
    // Whether all that is negative becomes zero.
    bool is_rectifier() const { return kind == LINES && slope == 0; }
};

// y = z > 0 ? z : slope * z. So y's sign, that of a zero as well, tells the derivative: 1, slope, and for
// z = 0 what Theano's formula (1 + slope) / 2 * z + (1 - slope) / 2 * |z| has there, the mean of both.
// slope = 1 is no nonlinearity, 0 the rectifier. (With slope = 0 a negative z becomes -0, and 0 stays +0.)
//
// By that formula minus infinity becomes NaN, though its derivative is no NaN: such a NaN has bits of its own.
constexpr int32_t FROM_MINUS_INFINITY = 0x7fc00001, MINUS_INFINITY = (int32_t)0xff800000;
ALWAYS_INLINE vec rectified(vec z, float slope) {
    const int32_t lost = slope == 1 ? MINUS_INFINITY : FROM_MINUS_INFINITY;
    const vec y = z > vec{} ? z : broadcast(slope) * z;
    return (ivec)z == MINUS_INFINITY ? (vec)(lost + ivec{}) : y;
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

inline vec curve(vec z, Kind kind) {
    if (kind == ELU) return z > vec{} ? z : expm1(z);
    if (kind == SIGMOID) return 1 / (expm1(-z) + 2);
    const vec e = expm1(2 * z);
    return e / (e + 2);
}

// Of `count` floats, in place: the nonlinearities that are not two lines.
inline void bend(float *y, size_t count, Kind kind) {
    if (kind == LINES) return;
    size_t k = 0;
    for (; k + VL <= count; k += VL) store_unaligned(y + k, curve(load_unaligned(y + k), kind));
    if (k < count) store_some_lanes(y + k, curve(load_some(y + k, (int)(count - k)), kind), (int)(count - k));
}

ALWAYS_INLINE vec derivative(vec y, const Nonlinearity &f) {
    if (f.kind == TANH) return 1 - y * y;
    if (f.kind == SIGMOID) return y * (1 - y);
    if (f.kind == ELU) return y > vec{} ? broadcast(1) : y + 1;
    const float slope = f.slope;
    const vec lines = y > vec{} ? broadcast(1) : broadcast(slope);
    const vec at_zero = (ivec)y == ivec{} ? broadcast((1 + slope) / 2) : lines;
    const vec known = (ivec)y == FROM_MINUS_INFINITY ? broadcast(slope) : y;
    return y == y ? at_zero : known;        // NaN where y is NaN
}

// A gradient of y times the derivative. Of two lines the sign alone decides, but for +0 and NaN.
ALWAYS_INLINE vec through(vec g, vec y, const Nonlinearity &f) {
    if (f.is_linear()) return g;
    const bool sign_decides = f.kind == LINES && !(lanes(((ivec)y == 0) | (y != y)) & ALL_LANES);
    if (sign_decides) return y > vec{} ? g : broadcast(f.slope) * g;
    return g * derivative(y, f);
}

}  // namespace conv2d
