// The gradient of W by Winograd's algorithm: the 4 x 4 gradients of a tile take the filter's place. Sums over tiles
// are made of the points, and transformed back once at the end.
#pragma once

#include "conv2d/winograd_sums.h"

namespace conv2d {

// Floats from one point's sums to the next: [channel, rounded up][filter, padded].
inline size_t dw_step(const Problem &p) { return (size_t)rows_up(p.channels) * padded(p.filters) + 16; }
inline size_t winograd_dw_floats(const Problem &p) { return points_of(p.size.rows) * dw_step(p); }

// Adds the images' shares. x[..] begin at the frames' first patches, g[..] at the first gradients, in frames that
// are zero beyond them.
template <int N>
void add_winograd(const Problem &p, const float *const *x, const float *const *g, int images, const Frame &fx,
                  const Frame &fg, const WinogradTiles &tiles, float *sums) {
    const Tiling tiling(p.out_rows(), p.out_columns());
    const int each = tiling.count(), all = images * each, C = padded(p.channels), P = padded(p.filters);
    const size_t in = point_floats(tiles.together, p.channels), out = point_floats(tiles.together, p.filters);
    for (int first = 0; first < all; first += tiles.together) {
        const int count = std::min(tiles.together, all - first);
        for (int t = 0; t < count; t++) {
            const int image = (first + t) / each, tile = (first + t) % each;
            const int i = tile / tiling.columns * SIDE, j = tile % tiling.columns * SIDE;
            for (int c = 0; c < p.channels; c += VL)
                to_points<N, N, true>(x[image] + i * fx.line() + (ptrdiff_t)j * fx.pixel + c, fx.line(), fx.pixel,
                                      tiles.patches + (size_t)t * C + c, in);
            for (int o = 0; o < P; o += VL)
                to_points<N, SIDE, false>(g[image] + i * fg.line() + (ptrdiff_t)j * fg.pixel + o, fg.line(), fg.pixel,
                                          tiles.sums + (size_t)t * P + o, out);
        }
        for (int point = 0; point < N * N; point++)
            multiply(Matrix{tiles.patches + point * in, 1, C}, p.channels, count, tiles.sums + point * out, P, P,
                     sums + point * dw_step(p), P, true);
    }
}
inline void add_winograd(const Problem &p, const float *const *x, const float *const *g, int images, const Frame &fx,
                         const Frame &fg, const WinogradTiles &tiles, float *sums) {
    if (p.size.rows == 3)
        add_winograd<6>(p, x, g, images, fx, fg, tiles, sums);
    else
        add_winograd<8>(p, x, g, images, fx, fg, tiles, sums);
}

// dW of channel c, for a vector of filters: to[place of a patch] from sums of the points.
inline void dw_places(const Problem &p, const float *sums, int c, int o, vec (&to)[25]) {
    const float *from = sums + (size_t)c * padded(p.filters) + o;
    if (p.size.rows == 3) {
        vec places[3][3];
        from_points<6, 3>(from, dw_step(p), places);
        memcpy(to, places, sizeof places);
    } else {
        vec places[5][5];
        from_points<8, 5>(from, dw_step(p), places);
        memcpy(to, places, sizeof places);
    }
}

}  // namespace conv2d
