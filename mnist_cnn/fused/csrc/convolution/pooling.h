// Rectifier and 2x2 max-pooling, and the rule for positions that tie.
//
// Theano's gradient goes to every position that equals the maximum, and its rectifier has slope 1/2 at zero.
#pragma once

#include <cmath>

#include "convolution/layout.h"

namespace convolution {

// A window's code has two bits for each of its positions (top left, top right, bottom left,
// bottom right): the position's share of the gradient of y.
constexpr int NOTHING = 0, ALL = 1, HALF = 2, NOT_A_NUMBER = 3;
constexpr int ALL_TIED = 0x55;

// Whether in some window of a vector positions tie, or are zero.
ALWAYS_INLINE bool several_shares(ivec code) { return any(((code & (code - 1)) | (code & 2 * ALL_TIED)) != 0); }

// Rectified maximum and code of four vectors of finite pre-activations. Every position that
// equals the maximum gets the gradient; where the maximum is 0, the rectifier's slope is 1/2.
ALWAYS_INLINE void pool(vec a, vec b, vec c, vec d, float *y, uint8_t *code) {
    vec m = {};
    m = a > m ? a : m;
    m = b > m ? b : m;
    m = c > m ? c : m;
    m = d > m ? d : m;
    const ivec q = ((a == m) & 1) | ((b == m) & 4) | ((c == m) & 16) | ((d == m) & 64);
    store_unaligned(y, m);
    store_bytes(code, q + (q & (m == 0)));
}

// The same for one channel and any numbers, step by step as the plain graph does it: rectify by
// (v + |v|) / 2, which makes NaN of -infinity, then keep the first value unless a later one is greater.
inline void pool_any(const float pre[4], float *y, uint8_t *code) {
    float r[4], m = 0;
    for (int k = 0; k < 4; k++) {
        r[k] = 0.5f * (pre[k] + std::fabs(pre[k]));
        m = k == 0 || r[k] > m ? r[k] : m;
    }
    int q = 0;
    for (int k = 0; k < 4; k++) {
        int share = std::isnan(pre[k]) ? NOT_A_NUMBER
                    : r[k] != m        ? NOTHING
                    : pre[k] > 0       ? ALL
                    : pre[k] == 0      ? HALF
                                       : NOTHING;
        q |= share << (2 * k);
    }
    *y = m;
    *code = (uint8_t)q;
}

}  // namespace convolution
