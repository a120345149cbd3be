// Sums over patches, every product: y from x, and with the filters turned around dx from y's gradient.
//
// The sums of a tile, up to TILE positions by two vectors of outputs, stay in registers while all places of the
// patch go by. For each place, the two vectors of weights serve all positions, and a position's pixel, broadcast,
// serves both vectors.
#pragma once

#include "conv2d/copies.h"

namespace conv2d {

// The output of the sums of an image.
struct Epilogue {
    const float *bias;  // padded(outputs) floats
    Nonlinearity f;     // rectified alone
    int outputs;
    float *to;              // the first position
    ptrdiff_t row, column;  // floats from one position to the next; outputs lie side by side
};

template <int NV> ALWAYS_INLINE void finish(const vec (&sum)[NV], const Epilogue &e, float *to, int o) {
    vec y[NV];
    UNROLL for (int v = 0; v < NV; v++) y[v] = rectified(sum[v] + load(e.bias + o + v * VL), e.f);
    if (o + NV * VL <= e.outputs) {
        UNROLL for (int v = 0; v < NV; v++) store_unaligned(to + v * VL, y[v]);
    } else {
        UNROLL for (int v = 0; v < NV; v++) if (o + v * VL < e.outputs)
            store_some_lanes(to + v * VL, y[v], e.outputs - o - v * VL);
    }
}

// A tile of P positions, `step` floats apart, and NV vectors of outputs. `x`: the first position's patch, of so many
// lines; `w`: its block of filters; `to`: the first position's output.
template <int P, int NV>
void tile(const float *x, ptrdiff_t line, ptrdiff_t step, int lines, int run, const float *w, const Epilogue &e,
          float *to, int o) {
    vec sum[P][NV] = {};
    // Four positions share a pointer: their distances are one, two and three registers' worth.
    constexpr int POINTERS = (P + 3) / 4;
    for (int h = 0; h < lines; h++) {
        const float *from[POINTERS];
        UNROLL for (int k = 0; k < POINTERS; k++) from[k] = x + h * line + 4 * k * step;
#pragma GCC unroll 1
        for (int t = 0; t < run; t++, w += NV * VL) {
            vec weight[NV];
            UNROLL for (int v = 0; v < NV; v++) keep(weight[v] = load(w + v * VL));
            UNROLL for (int p = 0; p < P; p++) {
                const vec value = broadcast(from[p / 4][p % 4 * step]);
                UNROLL for (int v = 0; v < NV; v++) sum[p][v] += value * weight[v];
            }
            UNROLL for (int k = 0; k < POINTERS; k++) from[k] = keep(from[k] + 1);
        }
    }
    UNROLL for (int p = 0; p < P; p++) finish<NV>(sum[p], e, to + p * e.column, o);
}

typedef void (*Tile)(const float *, ptrdiff_t, ptrdiff_t, int, int, const float *, const Epilogue &, float *, int);

// tile<P, NV> for a P of 1 .. TILE that is known at run time.
template <int NV, int P = TILE> struct Tiles {
    static Tile of(int positions) { return positions == P ? tile<P, NV> : Tiles<NV, P - 1>::of(positions); }
};
template <int NV> struct Tiles<NV, 0> {
    static Tile of(int) { return nullptr; }
};

// Rows of positions for which a block of filters is taken before the next one: all where the filters fill the
// second-level cache, else as many as have their pixels in the first-level cache.
inline int rows_together(const Frame &f, Pair size, Pair stride, int rows, int outputs) {
    if (packed_floats(outputs, size.rows * size.columns * f.pixel) > 1 << 17) return rows;
    const int line = std::max<int>(1, f.line());  // 0 without channels
    return std::max(1, (8192 - size.rows * line) / (stride.rows * line));
}

// All positions of an image, `stride` pixels apart, for all outputs. `x` is the first position's patch in a frame. The
// last tile of a row is moved back to end at the last position: some sums are then made twice, and are the same twice.
inline void sum_rows(const float *x, const Frame &f, Pair size, Pair stride, Pair positions, const float *packed,
                     const Epilogue &e) {
    const int run = size.columns * f.pixel, length = tile_length(positions.columns);
    const int together = rows_together(f, size, stride, positions.rows, e.outputs);
    const ptrdiff_t step = (ptrdiff_t)stride.columns * f.pixel;
    const Tile two = Tiles<2>::of(length), one = Tiles<1>::of(length);
    for (int i0 = 0; i0 < positions.rows; i0 += together)
        for (int o = 0; o < padded(e.outputs); o += 2 * VL) {
            const Tile make = o + 2 * VL <= padded(e.outputs) ? two : one;
            for (int i = i0; i < std::min(positions.rows, i0 + together); i++)
                for (int j = 0; j < positions.columns; j += length) {
                    const int first = std::min(j, positions.columns - length);
                    make(x + i * stride.rows * f.line() + first * step, f.line(), step, size.rows, run,
                         packed + (size_t)o * size.rows * run, e, e.to + i * e.row + first * e.column + o, o);
                }
        }
}

}  // namespace conv2d
