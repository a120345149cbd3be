// Gradients of an image, every product: dx as sums over patches; dx and dW term by term, for numbers too large to
// transform, NaN and infinity, of which a zero of a frame, too, would make NaN.
#pragma once

#include "conv2d/dense_sums.h"

namespace conv2d {

// dx of an image (contiguous), every product. `g`: the first gradient, in its frame.
inline void dense_dx(const Problem &p, const float *g, const Frame &fg, const float *filters, const float *zeros,
                     float *dx) {
    const Nonlinearity none(LINES, 1);
    for (int i = 0; i < p.stride.rows; i++)
        for (int j = 0; j < p.stride.columns; j++) {
            const Phase a = row_phase(p, i), b = column_phase(p, j);
            const Pair taps{a.taps, b.taps};
            const ptrdiff_t row = (ptrdiff_t)p.stride.rows * p.columns * p.channels,
                            column = (ptrdiff_t)p.stride.columns * p.channels;
            float *to = dx + ((ptrdiff_t)a.to * p.columns + b.to) * p.channels;
            if (a.count && b.count && a.taps && b.taps)
                sum_rows(g + a.from * fg.line() + (ptrdiff_t)b.from * fg.pixel, fg, taps, Pair{1, 1},
                         Pair{a.count, b.count}, filters, Epilogue{zeros, none, p.channels, to, row, column});
            else  // no filter reaches there
                for (int k = 0; k < a.count; k++)
                    for (int l = 0; l < b.count; l++) memset(to + k * row + l * column, 0, p.channels * sizeof(float));
            filters += packed_floats(p.channels, taps.rows * taps.columns * padded(p.filters));
        }
}

// The image within a frame, to contiguous memory.
inline void copy_out(const Problem &p, const float *frame, const Frame &f, float *to) {
    for (int i = 0; i < p.rows; i++)
        memcpy(to + (ptrdiff_t)i * p.columns * p.channels, frame + (f.top + i) * f.line() + (ptrdiff_t)f.left * f.pixel,
               (size_t)p.columns * p.channels * sizeof(float));
}

// dx of an image in a frame like x's, term by term.
inline void plain_dx(const Problem &p, const float *g, const Frame &fg, const float *lines, const Frame &fx,
                     float *dx) {
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j++)
            for (int o = 0; o < p.filters; o++)
                for (int h = 0; h < p.size.rows; h++) {
                    const float *W = lines + ((ptrdiff_t)o * p.size.rows + h) * line_floats(p);
                    float *to = dx + (i * p.stride.rows + h) * fx.line() + (ptrdiff_t)j * p.stride.columns * fx.pixel;
                    for (int t = 0; t < p.size.columns * p.channels; t++)
                        to[t] += g[i * fg.line() + (ptrdiff_t)j * fg.pixel + o] * W[t];
                }
}

// An image's share of dW, term by term, added to sums that lie as `lines` do.
inline void plain_dw(const Problem &p, const float *g, const Frame &fg, const float *x, const Frame &fx, float *sums) {
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j++)
            for (int o = 0; o < p.filters; o++)
                for (int h = 0; h < p.size.rows; h++) {
                    const float *from =
                        x + (i * p.stride.rows + h) * fx.line() + (ptrdiff_t)j * p.stride.columns * fx.pixel;
                    float *to = sums + ((size_t)o * p.size.rows + h) * line_floats(p);
                    for (int t = 0; t < p.size.columns * p.channels; t++)
                        to[t] += g[i * fg.line() + (ptrdiff_t)j * fg.pixel + o] * from[t];
                }
}

}  // namespace conv2d
