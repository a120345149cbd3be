// The gradient of W, every product: for a row of a filter a product of matrices, the lines of x under it by the
// gradients of y.
#pragma once

#include "conv2d/dense_sums.h"

namespace conv2d {

// Sums for dW: [row of the filter][place in the line][padded(filters)].
inline size_t dense_sums_floats(const Problem &p) { return (size_t)p.places() * p.channels * padded(p.filters); }

// Adds to T places by NV vectors of filters: sum over a stripe of rows of x[place] * g[filters].
template <int T, int NV>
void add_tile(const float *x, ptrdiff_t x_line, ptrdiff_t x_pixel, const float *g, ptrdiff_t g_line, int P, int rows,
              int columns, float *sums) {
    vec sum[T][NV];
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++) sum[t][v] =
        load(sums + (ptrdiff_t)t * P + v * VL);
    for (int i = 0; i < rows; i++) {
        const float *from = x + i * x_line, *with = g + i * g_line;
#pragma GCC unroll 1
        for (int j = 0; j < columns; j++, from += x_pixel, with += P) {
            vec gradient[NV];
            UNROLL for (int v = 0; v < NV; v++) keep(gradient[v] = load(with + v * VL));
            UNROLL for (int t = 0; t < T; t++) {
                const vec value = broadcast(from[t]);
                UNROLL for (int v = 0; v < NV; v++) sum[t][v] += value * gradient[v];
            }
        }
    }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++)
        store(sums + (ptrdiff_t)t * P + v * VL, sum[t][v]);
}

typedef void (*AddTile)(const float *, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, int, int, int, float *);
template <int NV, int T = TILE> struct AddTiles {
    static AddTile of(int places) { return places == T ? add_tile<T, NV> : AddTiles<NV, T - 1>::of(places); }
};
template <int NV> struct AddTiles<NV, 0> {
    static AddTile of(int) { return nullptr; }
};

// An image's share of dW. `x` is its frame, `g` the first gradient in its frame.
inline void add_dense(const Problem &p, const float *x, const Frame &fx, const float *g, const Frame &fg, float *sums) {
    const int P = fg.pixel, run = p.size.columns * p.channels, length = tile_length(run);
    // Stripes of rows of which x and g stay in the first-level cache.
    const int stripe = std::max(1, (int)(5000 / (p.out_columns() * (P + fx.pixel) + 1)));
    for (int i = 0; i < p.out_rows(); i += stripe) {
        const int rows = std::min(stripe, p.out_rows() - i);
        for (int h = 0; h < p.size.rows; h++)
            for (int o = 0; o < P; o += 2 * VL)
                for (int t = 0; t < run; t += length) {
                    const int places = std::min(length, run - t);
                    const AddTile add = o + 2 * VL <= P ? AddTiles<2>::of(places) : AddTiles<1>::of(places);
                    add(x + (i * p.stride.rows + h) * fx.line() + t, p.stride.rows * fx.line(),
                        p.stride.columns * fx.pixel, g + i * fg.line() + o, fg.line(), P, rows, p.out_columns(),
                        sums + ((size_t)h * run + t) * P + o);
                }
    }
}

}  // namespace conv2d
