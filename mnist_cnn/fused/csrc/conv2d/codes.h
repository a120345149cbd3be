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

// One vector of a window's maxima, and their codes. window(work) as for codes_of().
template <class Window>
ALWAYS_INLINE void pool_with_codes(const Nonlinearity &f, Window window, vec most, float *pooled, uint8_t *codes,
                                   int some) {
    window([&](int, int, vec y) { most = y > most ? y : most; });
    store_some_lanes(pooled, most, some);
    store_some_bytes(codes, codes_of(most, f, window), some);
}

// The maxima of an image, and their codes: as pool_image(), then codes_of(). y lies (row, column, filter).
inline void pool_image_with_codes(const pooling::Problem &pool, const Nonlinearity f, const float *y, float *pooled,
                                  uint8_t *codes) {
    const int channels = pool.channels;
    const ptrdiff_t pixel = channels, line = pool.columns * pixel;
    pooling::for_windows(pool, [=](ptrdiff_t to, const pooling::Area area) {
        const float *first = y + area.row * line + area.column * pixel;
        for (int o = 0; o < channels; o += VL, first += VL) {
            const int some = channels - o;
            const auto at = [=](int h, int w) { return load_some(first + h * line + w * pixel, some); };
            if (area.rows == 2 && area.columns == 2) {
                const vec positions[4] = {at(0, 0), at(0, 1), at(1, 0), at(1, 1)};
                const auto window = [&](auto work) {
                    UNROLL for (int k = 0; k < 4; k++) work(k / 2, k % 2, positions[k]);
                };
                pool_with_codes(f, window, positions[0], pooled + to + o, codes + to + o, some);
            } else {  // cut by the border
                const auto window = [&](auto work) {
                    for (int h = 0; h < area.rows; h++)
                        for (int w = 0; w < area.columns; w++) work(h, w, at(h, w));
                };
                pool_with_codes(f, window, at(0, 0), pooled + to + o, codes + to + o, some);
            }
        }
    });
}

}  // namespace conv2d
