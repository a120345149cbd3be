// Sums over patches by Winograd's algorithm F(m x m, r x r) with m + r = 7: filters of 3x3 make tiles of 4x4 sums
// from patches of 6x6 pixels, filters of 5x5 tiles of 2x2. In place of m * m * r * r products a tile takes 36.
//
//     tile = A' [(G filter G') * (B' patch B)] A        (' transposes, * is element by element)
//
// with the points 0, 1, -1, 2, -2 and infinity [1]. B is the same for both; row by row:
//
//          4  0 -5  0  1  0           1/4  * (1, 0, 0, ..)                 1  1  1  1  1  0
//          0 -4 -4  1  1  0          -1/6  * (1, 1, 1, ..)            A' = 0  1 -1  2 -2  0    .. to the power of the
//     B' = 0  4 -4 -1  1  0     G =  -1/6  * (1, -1, 1, ..)                0  1  1  4  4  0    row, 0 ..  m - 1, and
//          0 -2 -1  2  1  0           1/24 * (1, 2, 4, ..)                 0  1 -1  8 -8  1    a 1 in the last row
//          0  2 -1 -2  1  0           1/24 * (1, -2, 4, ..)
//          0  4  0 -5  0  1                  (0, .., 0, 1)
//
// Each of the 36 products is a sum over channels: a product of matrices, tiles by outputs. Rounding depends on where
// in its tile a sum is, so that equal patches need not give equal sums: for dx alone, where nothing is compared.
//
// [1] A. Lavin, S. Gray: Fast algorithms for convolutional neural networks. CVPR 2016, arXiv:1509.09308.
#pragma once

#include "conv2d/dense_sums.h"
#include "runtime/scratch.h"

namespace conv2d {

constexpr int POINTS = 36;

struct Tiling {
    int side, rows, columns;      // sums in a tile's side; tiles
    Tiling(const Problem &p)
        : side(7 - p.size), rows(side > 0 ? (p.rows + side - 1) / side : 0),
          columns(side > 0 ? (p.columns + side - 1) / side : 0) {}
    int count() const { return rows * columns; }
};

// Whether dx is faster this way, counted in cycles of a core with two multiply-add units: products in either, and
// what it takes to transform a channel of a tile there and back. Measured with 16 to 64 channels.
inline bool worth_winograd(const Problem &p) {
    if (p.size != 3 && p.size != 5) return false;
    const double products = (double)padded(p.filters) * padded(p.channels) / (2 * VL);
    const double direct = (double)p.rows * p.columns * p.size * p.size * products;
    const double transforms = 160. / VL * (p.filters + p.channels);
    return Tiling(p).count() * (POINTS * products + transforms) < direct;
}

// The filters, transformed: for each point packed as `pack` does it.
inline size_t winograd_filters_floats(const Problem &p) {
    return POINTS * packed_floats(p.channels, padded(p.filters));
}

// Those of the channels first .. last - 1. The memory is clear.
inline void pack_for_winograd(const Problem &p, const Filters &W, int first, int last, float *to) {
    static const float scale[5] = {1 / 4.f, -1 / 6.f, -1 / 6.f, 1 / 24.f, 1 / 24.f}, point[5] = {0, 1, -1, 2, -2};
    float G[6][5];
    for (int k = 0; k < 5; k++)
        for (int n = 0; n < p.size; n++) G[k][n] = n ? G[k][n - 1] * point[k] : scale[k];
    for (int n = 0; n < p.size; n++) G[5][n] = n == p.size - 1;
    const int P = padded(p.filters);
    const size_t each = packed_floats(p.channels, P);
    for (int c = first; c < last; c++) {
        const int block = c / (2 * VL) * (2 * VL), width = std::min(2 * VL, padded(p.channels) - block);
        for (int o = 0; o < p.filters; o++) {
            const float *filter = W.data + o * W.filter + c * W.channel;
            float half[6][5] = {};
            for (int k = 0; k < 6; k++)
                for (int h = 0; h < p.size; h++)
                    for (int w = 0; w < p.size; w++) half[k][w] += G[k][h] * filter[h * W.row + w * W.column];
            float *at = to + (size_t)block * P + (size_t)o * width + (c - block);
            for (int k = 0; k < 6; k++)
                for (int l = 0; l < 6; l++, at += each) {
                    float sum = 0;
                    for (int w = 0; w < p.size; w++) sum += half[k][w] * G[l][w];
                    *at = sum;
                }
        }
    }
}

// B' d, for six vectors.
ALWAYS_INLINE void transform_patch(const vec *d, int step, vec *to, int to_step) {
    const vec d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const vec four = broadcast(4), five = broadcast(5);
    const vec even = d4 - four * d2, odd = d3 - four * d1, e = d4 - d2, twice = (d3 - d1) + (d3 - d1);
    to[0] = four * d0 - five * d2 + d4;
    to[to_step] = even + odd;
    to[2 * to_step] = even - odd;
    to[3 * to_step] = e + twice;
    to[4 * to_step] = e - twice;
    to[5 * to_step] = four * d1 - five * d3 + d5;
}

// A' m, for six vectors; SIDE results.
template <int SIDE> ALWAYS_INLINE void transform_back(const vec *m, int step, vec *to, int to_step) {
    const vec plus = m[step] + m[2 * step], minus = m[step] - m[2 * step];
    const vec plus2 = m[3 * step] + m[4 * step], minus2 = m[3 * step] - m[4 * step];
    to[0] = m[0] + plus + plus2;
    if (SIDE == 2) {
        to[to_step] = minus + broadcast(2) * minus2 + m[5 * step];
    } else {
        to[to_step] = minus + broadcast(2) * minus2;
        to[2 * to_step] = plus + broadcast(4) * plus2;
        to[3 * to_step] = minus + broadcast(8) * minus2 + m[5 * step];
    }
}

// Floats from one point to the next: an odd number of lines of the cache, for points a power of two apart would all
// share one set of the cache.
inline size_t point_floats(const Tiling &tiles, int channels) {
    return ((size_t)tiles.count() * padded(channels) + 15) / 32 * 32 + 16;
}

// An image on its way: its patches and its sums, transformed. [point][tile][channel, padded]
struct WinogradImage {
    float *patches, *sums;
    WinogradImage(scratch::Arena &arena, const Problem &p)
        : patches(arena.take(POINTS * point_floats(Tiling(p), p.filters))),
          sums(arena.take(POINTS * point_floats(Tiling(p), p.channels))) {}
};

template <int SIDE>
void write_tiles(const Problem &p, const Tiling &tiles, const float *sums, float *dx) {
    const int C = padded(p.channels);
    const size_t each = point_floats(tiles, p.channels);
    for (int i = 0; i < tiles.rows; i++)
        for (int j = 0; j < tiles.columns; j++)
            for (int c = 0; c < C; c += VL) {
                const float *from = sums + (size_t)(i * tiles.columns + j) * C + c;
                vec m[POINTS], half[SIDE * 6], tile[SIDE * SIDE];
                UNROLL for (int k = 0; k < 6; k++)
                    for (int l = 0; l < 6; l++) m[k * 6 + l] = load(from + (k * 6 + l) * each);
                UNROLL for (int l = 0; l < 6; l++) transform_back<SIDE>(m + l, 6, half + l, 6);
                UNROLL for (int k = 0; k < SIDE; k++) transform_back<SIDE>(half + k * 6, 1, tile + k * SIDE, 1);
                const int rows = std::min(SIDE, p.rows - i * SIDE), columns = std::min(SIDE, p.columns - j * SIDE);
                for (int k = 0; k < rows; k++)
                    for (int l = 0; l < columns; l++) {
                        float *to = dx + ((ptrdiff_t)(i * SIDE + k) * p.columns + j * SIDE + l) * p.channels + c;
                        if (c + VL <= p.channels)
                            store_unaligned(to, tile[k * SIDE + l]);
                        else
                            memcpy(to, &tile[k * SIDE + l], (p.channels - c) * sizeof(float));
                    }
            }
}

// dx of an image (contiguous) from y's gradient in its frame, of which the first patch begins at `g`.
inline void winograd_dx(const Problem &p, const float *g, const Frame &fg, const float *filters, const float *zeros,
                        const WinogradImage &image, float *dx) {
    const Tiling tiles(p);
    const int P = fg.pixel, C = padded(p.channels);
    const size_t each = point_floats(tiles, p.filters), each_sum = point_floats(tiles, p.channels);
    for (int i = 0; i < tiles.rows; i++)
        for (int j = 0; j < tiles.columns; j++)
            for (int o = 0; o < P; o += VL) {
                const float *from = g + i * tiles.side * fg.line() + (ptrdiff_t)j * tiles.side * P + o;
                float *to = image.patches + (size_t)(i * tiles.columns + j) * P + o;
                vec patch[POINTS], half[POINTS], done[POINTS];
                UNROLL for (int k = 0; k < 6; k++)
                    for (int l = 0; l < 6; l++) patch[k * 6 + l] = load(from + k * fg.line() + l * P);
                UNROLL for (int l = 0; l < 6; l++) transform_patch(patch + l, 6, half + l, 6);
                UNROLL for (int k = 0; k < 6; k++) transform_patch(half + k * 6, 1, done + k * 6, 1);
                UNROLL for (int k = 0; k < 6; k++)
                    for (int l = 0; l < 6; l++) store(to + (k * 6 + l) * each, done[k * 6 + l]);
            }
    const Frame row{1, tiles.count(), 0, 0, P};
    for (int point = 0; point < POINTS; point++)
        sum_row(image.patches + point * each, row, 1, tiles.count(),
                filters + point * packed_floats(p.channels, P),
                Epilogue{zeros, 1, C, image.sums + point * each_sum, C});
    if (tiles.side == 4)
        write_tiles<4>(p, tiles, image.sums, dx);
    else
        write_tiles<2>(p, tiles, image.sums, dx);
}

}  // namespace conv2d
