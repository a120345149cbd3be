// Sums over patches by Winograd's algorithm: y from x, and with the filters turned around dx from y's gradient.
//
// Each point's product is a sum over channels: a product of matrices, tiles by outputs. Tiles of several images are
// handled together, so that transformed filters, which may fill the second-level cache, serve for many tiles each
// time they are loaded.
#pragma once

#include "conv2d/copies.h"
#include "conv2d/products.h"
#include "conv2d/winograd.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace conv2d {

// What the sums are made of: `inputs` channels of the patches, `outputs` of the sums; `size` of the filters.
struct Sums {
    int size, inputs, outputs, rows, columns;  // rows, columns: of the sums of an image
    Tiling tiling() const { return Tiling(rows, columns); }
};
inline Sums sums_of_y(const Problem &p) {
    return Sums{p.size.rows, p.channels, p.filters, p.out_rows(), p.out_columns()};
}
inline Sums sums_of_dx(const Problem &p) { return Sums{p.size.rows, p.filters, p.channels, p.rows, p.columns}; }

// Tiles that are handled together: as many as a third of a megabyte holds, points of patches and of sums.
inline int tiles_together(int size, int inputs, int outputs) {
    if (!inputs || !outputs) return 0;
    const int fit = 96 * 1024 / (points_of(size) * (padded(inputs) + padded(outputs)));
    return std::max(TILE, fit / ROWS_STEP * ROWS_STEP);
}
// Images that fill them.
inline int images_together(int size, int inputs, int outputs, const Tiling &t) {
    return std::max(1, tiles_together(size, inputs, outputs) / std::max(1, t.count()));
}

inline size_t winograd_filter_floats(const Sums &s) {
    return points_of(s.size) * ((size_t)s.inputs * padded(s.outputs) + 16);
}

// Transforms the filters of the inputs first .. last - 1. weight(h, w, input, output): what place (h, w) of a patch
// meets. For each point packed, input by input.
template <int N, int R, class Weight>
void transform_filters(const Sums &s, int first, int last, float *to, Weight weight) {
    const size_t each = (size_t)s.inputs * padded(s.outputs) + 16;
    for (int i = first; i < last; i++)
        for (int o = 0; o < padded(s.outputs); o += VL) {
            float taps[R * R * VL] __attribute__((aligned(64))) = {};
            for (int l = 0; l < std::min(VL, s.outputs - o); l++)
                for (int t = 0; t < R * R; t++) taps[t * VL + l] = weight(t / R, t % R, i, o + l);
            const int block = o / (2 * VL) * (2 * VL), width = std::min(2 * VL, padded(s.outputs) - block);
            to_points<N, R, false>(taps, R * VL, VL, to + (size_t)block * s.inputs + (size_t)i * width + (o - block),
                                   each);
        }
}
template <class Weight> void transform_filters(const Sums &s, float *to, int threads, Weight weight) {
    parallel::for_ranges(s.inputs, std::min(s.inputs, threads), threads, [&](int, int, int first, int last) {
        if (s.size == 3)
            transform_filters<6, 3>(s, first, last, to, weight);
        else
            transform_filters<8, 5>(s, first, last, to, weight);
    });
}
inline void winograd_filters_for_y(const Problem &p, const Filters &W, float *to, int threads) {
    transform_filters(sums_of_y(p), to, threads, [&](int h, int w, int c, int o) { return weight(p, W, h, w, c, o); });
}
inline void winograd_filters_for_dx(const Problem &p, const Filters &W, float *to, int threads) {
    transform_filters(sums_of_dx(p), to, threads, [&](int h, int w, int o, int c) {
        return weight(p, W, p.size.rows - 1 - h, p.size.columns - 1 - w, c, o);
    });
}

// Tiles on their way: [point][tile][channel, padded]. Without channels it takes no memory.
struct WinogradTiles {
    int together;
    float *patches, *sums;
    WinogradTiles(scratch::Arena &arena, int size, int inputs, int outputs)
        : together(tiles_together(size, inputs, outputs)),
          patches(arena.take(together ? points_of(size) * point_floats(together, inputs) : 0)),
          sums(arena.take(together ? points_of(size) * point_floats(together, outputs) : 0)) {}
};

// The sums of the images whose frames' first patches begin at patches[..]. Gives every tile's 4 x 4 sums without
// bias, a vector of outputs at a time, to write(image, row, column, output, sums).
template <int N, class Write>
void winograd_sums(const Sums &s, const float *const *patches, int images, const Frame &f, const float *filters,
                   const WinogradTiles &tiles, Write write) {
    const Tiling tiling = s.tiling();
    const int each = tiling.count(), all = images * each, I = padded(s.inputs), O = padded(s.outputs);
    const size_t in = point_floats(tiles.together, s.inputs), out = point_floats(tiles.together, s.outputs);
    for (int first = 0; first < all; first += tiles.together) {
        const int count = std::min(tiles.together, all - first);
        for (int t = 0; t < count; t++) {
            const int image = (first + t) / each, tile = (first + t) % each;
            const float *from = patches[image] + tile / tiling.columns * SIDE * f.line() +
                                (ptrdiff_t)(tile % tiling.columns) * SIDE * f.pixel;
            for (int c = 0; c < s.inputs; c += VL)
                to_points<N, N, true>(from + c, f.line(), f.pixel, tiles.patches + (size_t)t * I + c, in);
        }
        for (int point = 0; point < N * N; point++)
            multiply(Matrix{tiles.patches + point * in, I, 1}, count, s.inputs,
                     filters + point * ((size_t)s.inputs * O + 16), 0, O, tiles.sums + point * out, O, false);
        for (int t = 0; t < count; t++) {
            const int image = (first + t) / each, tile = (first + t) % each;
            for (int o = 0; o < O; o += VL) {
                vec sums[SIDE][SIDE];
                from_points<N, SIDE>(tiles.sums + (size_t)t * O + o, out, sums);
                write(image, tile / tiling.columns * SIDE, tile % tiling.columns * SIDE, o, sums);
            }
        }
    }
}
template <class Write>
void winograd_sums(const Sums &s, const float *const *patches, int images, const Frame &f, const float *filters,
                   const WinogradTiles &tiles, Write write) {
    if (s.size == 3)
        winograd_sums<6>(s, patches, images, f, filters, tiles, write);
    else
        winograd_sums<8>(s, patches, images, f, filters, tiles, write);
}

// Writes a tile's 4 x 4 sums of channels c .. to an image of dx. A whole one's loops have constant lengths, so that the
// sums stay in registers.
template <bool WHOLE>
void write_dx(const Problem &p, float *dx, int i, int j, int c, const vec (&sums)[SIDE][SIDE]) {
    const int rows = WHOLE ? SIDE : std::min(SIDE, p.rows - i), columns = WHOLE ? SIDE : std::min(SIDE, p.columns - j),
              some = WHOLE ? VL : p.channels - c;
    const ptrdiff_t pixel = p.channels, line = p.columns * pixel;
    float *to = dx + i * line + j * pixel + c;
    for (int h = 0; h < rows; h++)
        for (int w = 0; w < columns; w++) store_some_lanes(to + h * line + w * pixel, sums[h][w], some);
}

// dx of images: to[image] contiguous.
inline void winograd_dx(const Problem &p, const float *const *g, int images, const Frame &fg, const float *filters,
                        const WinogradTiles &tiles, float *const *to) {
    winograd_sums(sums_of_dx(p), g, images, fg, filters, tiles,
                  [&](int image, int i, int j, int c, const vec(&sums)[SIDE][SIDE]) {
                      if (i + SIDE <= p.rows && j + SIDE <= p.columns && c + VL <= p.channels)
                          write_dx<true>(p, to[image], i, j, c, sums);
                      else
                          write_dx<false>(p, to[image], i, j, c, sums);
                  });
}

}  // namespace conv2d
