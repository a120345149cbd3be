// Codes for the gradient of 2x2 max-pooling, with 'lines' or no nonlinearity: a byte per window, not four floats of y.
//
// The codes are those of convolution/pooling.h. As Theano has it, every position that equals the maximum gets the whole
// gradient, times the derivative: ALL is that of the maximum, HALF that of zero (a half for Theano's own rectifier).
#pragma once

#include "conv2d/problem.h"
#include "convolution/pooling.h"

namespace conv2d {

using convolution::ALL;
using convolution::ALL_TIED;
using convolution::HALF;
using convolution::NOT_A_NUMBER;

// The codes of a window, VL filters at a time, from its y and their maximum. window(work) calls work(row, column, y)
// for each position.
template <class Window> ALWAYS_INLINE ivec codes_of(vec most, const Nonlinearity &f, Window window) {
    ivec codes = {}, negative = ~ivec{};
    vec sum = {};
    window([&](int h, int w, vec y) {
        codes |= (y == most) & (ALL << (4 * h + 2 * w));
        negative &= (ivec)y;
        sum += y;  // NaN where one of them is
    });
    if (f.is_linear()) return codes;
    const ivec positive = most > vec{};
    const ivec clear = (sum == sum) & (positive | (negative < 0));
    if (!any(~clear)) return f.is_rectifier() ? codes & positive : codes;
    codes = ivec{};
    const ivec is_nan = (f.at_nan != f.at_nan ? -1 : 0) + ivec{};
    window([&](int h, int w, vec y) {
        const ivec all = (y == most) & (y != vec{}), half = (y == most) & ((ivec)y == 0);
        const ivec nan = (y != y) & ((ivec)y != FROM_MINUS_INFINITY) & is_nan;
        codes |= ((all & ALL) | (half & HALF) | (nan & NOT_A_NUMBER)) << (4 * h + 2 * w);
    });
    return codes;
}

// Of an image: y and its maxima as they lie, (row, column, filter).
inline void write_codes(const pooling::Problem &pool, const Nonlinearity f, const float *y, const float *pooled,
                        uint8_t *codes) {
    const ptrdiff_t line = (ptrdiff_t)pool.columns * pool.channels;
    pooling::for_windows(pool, [&](ptrdiff_t to, const pooling::Area &area) {
        const float *first = y + area.row * line + (ptrdiff_t)area.column * pool.channels;
        for (int o = 0; o < pool.channels; o += VL) {
            const int some = pool.channels - o;
            const ivec of = codes_of(load_some(pooled + to + o, some), f, [&](auto work) {
                for (int h = 0; h < area.rows; h++)
                    for (int w = 0; w < area.columns; w++)
                        work(h, w, load_some(first + h * line + (ptrdiff_t)w * pool.channels + o, some));
            });
            store_some_bytes(codes + to + o, of, some);
        }
    });
}

}  // namespace conv2d
