// Winograd's algorithm with tiles of 4x4 sums, F(4x4, r x r) for filters of r = 3 and r = 5: the transforms.
//
//     tile = A' [(G filter G') * (B' patch B)] A        (' transposes, * is element by element)
//
// A patch has N x N pixels, N = r + 3. In place of 16 * r * r products a tile takes N * N: 36 for 144 with r = 3, 64
// for 400 with r = 5. The points are 0, 1, -1, 2, -2 and infinity, for r = 5 also 1/2 and -1/2 [1]; s are their scales:
//
//     G: a row for each point, s * (1, point, point^2, ..), (0, .., 0, 1) for infinity
//     A': row k has the points to the power of k, and its last row a 1 for infinity
//
//              4  0 -5  0  1  0
//              0 -4 -4  1  1  0
//     B' (6) = 0  4 -4 -1  1  0        s = 1/4, -1/6, -1/6, 1/24, 1/24
//              0 -2 -1  2  1  0
//              0  2 -1 -2  1  0
//              0  4  0 -5  0  1
//
// B' (8) is in convolution/winograd.h, with s = 1, -2/9, -2/9, 1/90, 1/90, 32/45, 32/45.
//
// The gradient of the filters is the same algorithm with the 4 x 4 gradients of a tile in the filter's place and r x r
// results: B is the same, G has four columns, and A' has r rows.
//
// [1] A. Lavin, S. Gray: Fast algorithms for convolutional neural networks. CVPR 2016, arXiv:1509.09308.
#pragma once

#include "conv2d/problem.h"
#include "convolution/winograd.h"

namespace conv2d {

constexpr int SIDE = 4;  // sums in a tile's side
inline bool has_winograd(const Problem &p) {
    return p.size.rows == p.size.columns && (p.size.rows == 3 || p.size.rows == 5) && p.stride.rows == 1 &&
           p.stride.columns == 1;
}
inline int points_of(int size) { return (size + SIDE - 1) * (size + SIDE - 1); }

// The tiles that cover an image of sums.
struct Tiling {
    int rows, columns;
    Tiling(int sum_rows, int sum_columns)
        : rows((sum_rows + SIDE - 1) / SIDE), columns((sum_columns + SIDE - 1) / SIDE) {}
    int count() const { return rows * columns; }
};

// B' d for N vectors.
template <int N> ALWAYS_INLINE void transform_patch(const vec *d, vec *o) {
    if (N == 8) {
        convolution::Winograd::patch(d, o);
    } else {
        const vec even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1], e = d[4] - d[2], twice = 2 * (d[3] - d[1]);
        o[0] = 4 * d[0] - 5 * d[2] + d[4];
        o[1] = even + odd;
        o[2] = even - odd;
        o[3] = e + twice;
        o[4] = e - twice;
        o[5] = 4 * d[1] - 5 * d[3] + d[5];
    }
}

// G g for R vectors; N results. The odd powers change their sign with the point's.
template <int N, int R> ALWAYS_INLINE void transform_taps(const vec *g, vec *o) {
    static const float point[3] = {1, 2, .5f};
    static const float scale[3] = {N == 8 ? -2 / 9.f : -1 / 6.f, N == 8 ? 1 / 90.f : 1 / 24.f, 32 / 45.f};
    o[0] = N == 8 ? g[0] : .25f * g[0];
    UNROLL for (int k = 0; k < (N - 2) / 2; k++) {
        vec even = broadcast(scale[k]) * g[0], odd = vec{};
        float power = scale[k];
        UNROLL for (int r = 1; r < R; r++) {
            power *= point[k];
            if (r % 2)
                odd += broadcast(power) * g[r];
            else
                even += broadcast(power) * g[r];
        }
        o[2 * k + 1] = even + odd;
        o[2 * k + 2] = even - odd;
    }
    o[N - 1] = g[R - 1];
}

// A' m for N vectors; R results.
template <int N, int R> ALWAYS_INLINE void transform_back(const vec *m, vec *o) {
    static const float point[3] = {1, 2, .5f};
    vec sum[3], difference[3];
    float power[3] = {1, 1, 1};
    UNROLL for (int k = 0; k < (N - 2) / 2; k++) {
        sum[k] = m[2 * k + 1] + m[2 * k + 2];
        difference[k] = m[2 * k + 1] - m[2 * k + 2];
    }
    UNROLL for (int r = 0; r < R; r++) {
        vec result = r == 0 ? m[0] : r == R - 1 ? m[N - 1] : vec{};
        UNROLL for (int k = 0; k < (N - 2) / 2; k++) {
            result += broadcast(power[k]) * (r % 2 ? difference[k] : sum[k]);
            power[k] *= point[k];
        }
        o[r] = result;
    }
}

// The points lie so many floats apart: an odd number of lines of the cache, for at a power of two all would share
// one set of the cache.
inline size_t point_floats(int tiles, int channels) { return ((size_t)tiles * padded(channels) + 15) / 32 * 32 + 16; }

// From an R x R square of vectors, `row` and `column` floats apart, to N x N points, `step` floats apart.
template <int N, int R, bool PATCH>
void to_points(const float *from, ptrdiff_t row, ptrdiff_t column, float *to, size_t step) {
    vec half[N][R];
    for (int w = 0; w < R; w++) {
        vec d[R], o[N];
        UNROLL for (int h = 0; h < R; h++) d[h] = load_unaligned(from + h * row + w * column);
        if (PATCH)
            transform_patch<N>(d, o);
        else
            transform_taps<N, R>(d, o);
        UNROLL for (int k = 0; k < N; k++) half[k][w] = o[k];
    }
    for (int k = 0; k < N; k++, to += N * step) {
        vec o[N];
        if (PATCH)
            transform_patch<N>(half[k], o);
        else
            transform_taps<N, R>(half[k], o);
        UNROLL for (int l = 0; l < N; l++) store(to + l * step, o[l]);
    }
}

// From N x N points, `step` floats apart, to an R x R square.
template <int N, int R> ALWAYS_INLINE void from_points(const float *from, size_t step, vec (&to)[R][R]) {
    vec half[R][N];
    for (int k = 0; k < N; k++, from += N * step) {
        vec m[N], o[R];
        UNROLL for (int l = 0; l < N; l++) m[l] = load(from + l * step);
        transform_back<N, R>(m, o);
        UNROLL for (int w = 0; w < R; w++) half[w][k] = o[w];
    }
    for (int w = 0; w < R; w++) {
        vec o[R];
        transform_back<N, R>(half[w], o);
        UNROLL for (int h = 0; h < R; h++) to[h][w] = o[h];
    }
}

}  // namespace conv2d
