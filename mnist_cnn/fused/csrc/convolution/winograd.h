// Winograd's algorithm F(4x4, 5x5): 16 results of a convolution from a patch of 8x8 pixels.
//
// The patch d and the filter g are transformed, multiplied number by number, and the 64 products are
// transformed back (A. Lavin, S. Gray: Fast algorithms for convolutional neural networks, CVPR 2016):
//
//     results = A' [(G g G') . (B' d B)] A
//
// The matrices follow from the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity:
//
//          1   0  -21/4    0   21/4    0  -1  0             1     0     0     0     0
//          0   1     1  -17/4 -17/4    1   1  0           -2/9  -2/9  -2/9  -2/9  -2/9
//          0  -1     1   17/4 -17/4   -1   1  0           -2/9   2/9  -2/9   2/9  -2/9
//     B' = 0  1/2   1/4   -5/2  -5/4   2   1  0      G =  1/90  2/90  4/90  8/90 16/90
//          0 -1/2   1/4    5/2  -5/4  -2   1  0           1/90 -2/90  4/90 -8/90 16/90
//          0   2     4    -5/2   -5   1/2  1  0          32/45 16/45  8/45  4/45  2/45
//          0  -2     4     5/2   -5  -1/2  1  0          32/45 -16/45 8/45 -4/45  2/45
//          0  -1     0    21/4    0  -21/4 0  1             0     0     0     0     1
//
//          1  1   1  1   1   1    1   0
//     A' = 0  1  -1  2  -2  1/2 -1/2  0
//          0  1   1  4   4  1/4  1/4  0
//          0  1  -1  8  -8  1/8 -1/8  1
#pragma once

#include "runtime/simd.h"

namespace convolution {

using namespace simd;

struct Winograd {
    // Eight numbers of a row or column of the patch, transformed.
    static ALWAYS_INLINE void patch(const vec d[8], vec o[8]) {
        o[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
        o[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
        pair(d[2] + d[6] - 4.25f * d[4], d[1] + d[5] - 4.25f * d[3], o + 1);
        pair(0.25f * d[2] - 1.25f * d[4] + d[6], 0.5f * d[1] - 2.5f * d[3] + 2 * d[5], o + 3);
        pair(4 * d[2] - 5 * d[4] + d[6], 2 * d[1] - 2.5f * d[3] + 0.5f * d[5], o + 5);
    }
    // Five taps of a filter's row or column, transformed.
    static ALWAYS_INLINE void taps(const vec g[5], vec o[8]) {
        o[0] = g[0];
        o[7] = g[4];
        pair((g[0] + g[2] + g[4]) * (-2 / 9.f), (g[1] + g[3]) * (-2 / 9.f), o + 1);
        pair((g[0] + 4 * g[2] + 16 * g[4]) * (1 / 90.f), (2 * g[1] + 8 * g[3]) * (1 / 90.f), o + 3);
        pair((16 * g[0] + 4 * g[2] + g[4]) * (2 / 45.f), (8 * g[1] + 2 * g[3]) * (2 / 45.f), o + 5);
    }
    // Eight products back to four results.
    static ALWAYS_INLINE void results(const vec m[8], vec o[4]) {
        vec one[2], two[2], half[2];
        pair(m[1], m[2], one);
        pair(m[3], m[4], two);
        pair(m[5], m[6], half);
        o[0] = m[0] + one[0] + (two[0] + half[0]);
        o[1] = one[1] + (2 * two[1] + 0.5f * half[1]);
        o[2] = one[0] + (4 * two[0] + 0.25f * half[0]);
        o[3] = one[1] + m[7] + (8 * two[1] + 0.125f * half[1]);
    }

private:
    static ALWAYS_INLINE void pair(vec a, vec b, vec o[2]) {
        o[0] = a + b;
        o[1] = a - b;
    }
};

}  // namespace convolution
