// The gradient of W, every product: for a row of a filter a product of matrices, the lines of x under it by the
// gradients of y.
#pragma once

#include "conv2d/dense_sums.h"

namespace conv2d {

// Sums for dW: [row of the filter][place in the line][padded(filters)].
inline size_t dense_sums_floats(const Problem &p) { return (size_t)p.places() * p.channels * padded(p.filters); }

// Of many filters, two vectors of them are packed for some rows at a time: else the gradients of a few pixels, which
// lie kilobytes apart, would drive each other out of the first-level cache.
inline bool packs(const Problem &p) { return padded(p.filters) > 64; }
inline int stripe_rows(const Problem &p) {
    const int floats = packs(p) ? 2 * VL : padded(p.filters) + p.stride.columns * p.channels;
    return std::max(1, (packs(p) ? 4096 : 5000) / (p.out_columns() * floats + 1));
}
inline size_t panel_floats(const Problem &p) {
    return packs(p) ? (size_t)std::min(stripe_rows(p), p.out_rows()) * p.out_columns() * 2 * VL : 0;
}

// Adds to T places by NV vectors of filters: sum over a stripe of rows of x[place] * g[filters].
template <int T, int NV>
void add_tile(const float *x, ptrdiff_t x_line, ptrdiff_t x_pixel, const float *g, ptrdiff_t g_line, int g_pixel, int P,
              int rows, int columns, float *sums) {
    vec sum[T][NV];
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++) sum[t][v] =
        load(sums + (ptrdiff_t)t * P + v * VL);
    for (int i = 0; i < rows; i++) {
        const float *from = x + i * x_line, *with = g + i * g_line;
#pragma GCC unroll 1
        for (int j = 0; j < columns; j++, from += x_pixel, with += g_pixel) {
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

typedef void (*AddTile)(const float *, ptrdiff_t, ptrdiff_t, const float *, ptrdiff_t, int, int, int, int, float *);
template <int NV, int T = TILE> struct AddTiles {
    static AddTile of(int places) { return places == T ? add_tile<T, NV> : AddTiles<NV, T - 1>::of(places); }
};
template <int NV> struct AddTiles<NV, 0> {
    static AddTile of(int) { return nullptr; }
};

// An image's share of dW. `x` is its frame, `g` the first gradient in its frame. `packed`: room for panel_floats(p).
inline void add_dense(const Problem &p, const float *x, const Frame &fx, const float *g, const Frame &fg, float *packed,
                      float *sums) {
    const int P = fg.pixel, run = p.size.columns * p.channels, length = tile_length(run), columns = p.out_columns();
    const int stripe = stripe_rows(p);  // what is read of them stays in the first-level cache
    for (int i = 0; i < p.out_rows(); i += stripe) {
        const int rows = std::min(stripe, p.out_rows() - i);
        for (int o = 0; o < P; o += 2 * VL) {
            const float *from = g + i * fg.line() + o;
            const int width = std::min(2 * VL, P - o), pixel = packs(p) ? width : P;
            ptrdiff_t line = fg.line();
            if (packs(p)) {
                for (int k = 0; k < rows; k++)
                    for (int j = 0; j < columns; j++)
                        memcpy(packed + ((ptrdiff_t)k * columns + j) * width, from + k * line + (ptrdiff_t)j * P,
                               width * sizeof(float));
                from = packed, line = (ptrdiff_t)columns * width;
            }
            for (int h = 0; h < p.size.rows; h++)
                for (int t = 0; t < run; t += length) {
                    const int places = std::min(length, run - t);
                    const AddTile add = width == 2 * VL ? AddTiles<2>::of(places) : AddTiles<1>::of(places);
                    add(x + (i * p.stride.rows + h) * fx.line() + t, p.stride.rows * fx.line(),
                        p.stride.columns * fx.pixel, from, line, pixel, P, rows, columns,
                        sums + ((size_t)h * run + t) * P + o);
                }
        }
    }
}

}  // namespace conv2d
