// Forward, for 5x5 filters on many channels, by Winograd's algorithm: 64 products in place of 400.
//
// A tile is the 4x4 results of 2x2 windows. Each of the 64 products is a sum over input channels, a small
// matrix product, which several tiles make together.
#pragma once

#include "conv2d/products.h"
#include "convolution/copies.h"
#include "convolution/term_by_term.h"
#include "convolution/winograd.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace convolution {

// Filters of input channel c, transformed: to[64][IN_PADDED][OUT_PADDED], for one c.
template <class L, int IN_PADDED, int OUT>
void transform_filters(const Input &W, int c, float *to) {
    constexpr int P = L::OUT_PADDED;
    alignas(64) float g[25][P] = {};  // all at first: reading a vector right after writing its floats stalls
    for (int o = 0; o < OUT; o++)
        for (int t = 0; t < 25; t++) g[t][o] = *W.at(o, c, 4 - t / 5, 4 - t % 5);
    for (int o0 = 0; o0 < P; o0 += VL) {
        vec half[8][5];
        for (int w = 0; w < 5; w++) {
            vec column[5], o[8];
            for (int h = 0; h < 5; h++) column[h] = load(&g[h * 5 + w][o0]);
            Winograd::taps(column, o);
            for (int a = 0; a < 8; a++) half[a][w] = o[a];
        }
        for (int a = 0; a < 8; a++) {
            vec o[8];
            Winograd::taps(half[a], o);
            for (int b = 0; b < 8; b++) store(to + ((size_t)(a * 8 + b) * IN_PADDED + c) * P + o0, o[b]);
        }
    }
}

constexpr int TILES = 16;  // handled together, to make more of each filter that is loaded

inline int tile_columns(const Shape &s) { return (s.window_columns + 1) / 2; }
inline int tiles(const Shape &s) { return (s.window_rows + 1) / 2 * tile_columns(s); }
// Floats from one of the 64 matrices to the next. One more cache line keeps them from sharing the same few
// sets of the cache, as at a power of two.
constexpr size_t matrix(int columns) { return TILES * columns + 16; }

// The patch of tile (i, j), transformed. Pixels beyond the image are zero.
template <class L> void transform_patch(const float *image, const Shape &s, int i, int j, float *to) {
    constexpr int C = L::BLOCKS * VL;
    const int rows = s.rows - 4 * i, columns = s.columns - 4 * j;
    for (int b = 0; b < L::BLOCKS; b++) {
        const float *corner = image + b * L::plane(s) + (size_t)(4 * i * s.columns + 4 * j) * VL;
        vec half[8][8];
        for (int w = 0; w < 8; w++) {
            vec d[8], o[8];
            if (rows >= 8 && columns >= 8) {
                UNROLL for (int h = 0; h < 8; h++) d[h] = load(corner + (h * s.columns + w) * VL);
            } else {
                for (int h = 0; h < 8; h++)
                    d[h] = h < rows && w < columns ? load(corner + (h * s.columns + w) * VL) : vec{};
            }
            Winograd::patch(d, o);
            UNROLL for (int a = 0; a < 8; a++) half[a][w] = o[a];
        }
        for (int a = 0; a < 8; a++) {
            vec o[8];
            Winograd::patch(half[a], o);
            UNROLL for (int k = 0; k < 8; k++) store(to + (a * 8 + k) * matrix(C) + b * VL, o[k]);
        }
    }
}

// The 4x4 results of a tile, without the bias, for one vector of output channels.
template <int P> ALWAYS_INLINE void tile_results(const float *products, vec results[4][4]) {
    vec half[4][8];
    for (int a = 0; a < 8; a++) {
        vec m[8], o[4];
        UNROLL for (int k = 0; k < 8; k++) m[k] = load(products + (a * 8 + k) * matrix(P));
        Winograd::results(m, o);
        UNROLL for (int w = 0; w < 4; w++) half[w][a] = o[w];
    }
    for (int w = 0; w < 4; w++) {
        vec o[4];
        Winograd::results(half[w], o);
        UNROLL for (int h = 0; h < 4; h++) results[h][w] = o[h];
    }
}

template <int IN, int OUT, int SIZE> struct WinogradForward {
    typedef Layout<IN, OUT, SIZE> L;
    static constexpr int P = L::OUT_PADDED, C = L::BLOCKS * VL;
    static constexpr size_t FILTER_FLOATS = (size_t)64 * C * P;
    static constexpr bool DOUBTS = true;

    struct Scratch {
        float *patches, *products;  // 64 matrices each: [tile][input channel], [tile][output channel]
        Scratch(scratch::Arena &arena, const Shape &)
            : patches(arena.take(64 * matrix(C))), products(arena.take(64 * matrix(P))) {}
    };

    // Small images have few tiles.
    static int images_together(const Shape &s) { return tiles(s) < TILES ? TILES / tiles(s) : 1; }

    static void pack(const Input &W, float *filters, int threads) {
        if (C > IN) memset(filters, 0, FILTER_FLOATS * sizeof(float));
        parallel::for_ranges(IN, threads, threads, [&](int, int, int first, int last) {
            for (int c = first; c < last; c++) transform_filters<L, C, OUT>(W, c, filters);
        });
    }

    // Of `count` images, one after the other in their local copy. `doubt[image][o]` is how far rounding can
    // take a result of channel o.
    static void compute(const Scratch &scratch, const float *images, int count, const Shape &s, const Input &W,
                        const float *filters, const float *bias, const float *doubt, float *const *y,
                        uint8_t *const *codes) {
        const int each = tiles(s), across = tile_columns(s);
        for (int first = 0; first < count * each; first += TILES) {
            const int last = first + TILES < count * each ? first + TILES : count * each;
            for (int t = first; t < last; t++)
                transform_patch<L>(images + t / each * L::image(s), s, t % each / across, t % each % across,
                                   scratch.patches + (t - first) * C);
            multiply_tiles(scratch, last - first, filters);
            for (int t = first; t < last; t++) {
                const int n = t / each;
                pool_tile(scratch.products + (t - first) * P, images + n * L::image(s), s, W, bias,
                          doubt ? doubt + n * P : nullptr, t % each / across * 2, t % each % across * 2, y[n],
                          codes[n]);
            }
        }
    }

    static void multiply_tiles(const Scratch &scratch, int count, const float *filters) {
        for (int t = count; t < conv2d::rows_up(count); t++)  // rows that no tile fills
            for (int k = 0; k < 64; k++) memset(scratch.patches + k * matrix(C) + t * C, 0, C * sizeof(float));
        for (int k = 0; k < 64; k++)
            conv2d::multiply(conv2d::Matrix{scratch.patches + k * matrix(C), C, 1}, count, C,
                             filters + (size_t)k * C * P, P, P, scratch.products + k * matrix(P), P, false);
    }

    // The windows of one tile, (i0, j0) the first of them.
    static ALWAYS_INLINE void pool_tile(const float *products, const float *image, const Shape &s, const Input &W,
                                        const float *bias, const float *doubt, int i0, int j0, float *y,
                                        uint8_t *codes) {
        for (int o = 0; o < P; o += VL) {
            vec results[4][4];
            tile_results<P>(products + o, results);
            const vec c = load(bias + o), eps = doubt ? load(doubt + o) : vec{};
            for (int k = 0; k < 4; k++) {
                const int i = i0 + k / 2, j = j0 + k % 2;
                if (i >= s.window_rows || j >= s.window_columns) continue;
                const size_t at = (size_t)(i * s.window_columns + j) * P + o;
                const vec *top = &results[k / 2 * 2][k % 2 * 2], *bottom = top + 4;
                const vec p0 = top[0] + c, p1 = top[1] + c, p2 = bottom[0] + c, p3 = bottom[1] + c;
                pool(p0, p1, p2, p3, y + at, codes + at);
                unsigned bits = doubt ? ~lanes(is_sure(p0, p1, p2, p3, eps)) & ALL_LANES : 0;
                for (; bits; bits &= bits - 1) {
                    const int lane = __builtin_ctz(bits), channel = o + lane;
                    if (channel < OUT)
                        window_of_terms<L, IN, 5>(image, s, W, bias[channel], channel, i, j, y + at + lane,
                                                  codes + at + lane);
                }
            }
        }
    }

    // Whether rounding by up to eps cannot make or break a tie, nor move the maximum across zero. Otherwise the
    // window is summed term by term: the rounding of Winograd's results differs between positions.
    static ALWAYS_INLINE ivec is_sure(vec p0, vec p1, vec p2, vec p3, vec eps) {
        const vec high0 = p0 > p1 ? p0 : p1, low0 = p0 > p1 ? p1 : p0;
        const vec high1 = p2 > p3 ? p2 : p3, low1 = p2 > p3 ? p3 : p2;
        const vec best = high0 > high1 ? high0 : high1, other = high0 > high1 ? high1 : high0;
        const vec low = low0 > low1 ? low0 : low1, second = other > low ? other : low;
        return (best < -eps) | ((best > eps) & (best - second > eps));
    }
};

}  // namespace convolution
