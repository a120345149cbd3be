// Single windows, term by term: for images with NaN or infinity, and where rounding must not decide a tie.
#pragma once

#include "convolution/pooling.h"

namespace convolution {

// One pre-activation without its bias, term by term. Slow, but the order of terms is the same at each
// position: equal patches give equal sums.
template <class L, int IN, int SIZE>
float sum_of_terms(const float *image, const Shape &s, const Input &W, int o, int r, int w) {
    float sum = 0;
    for (int c = 0; c < IN; c++) {
        const float *plane = image + (L::FEW ? c : c / VL * L::plane(s) + c % VL);
        for (int h = 0; h < SIZE; h++)
            for (int k = 0; k < SIZE; k++)
                sum +=
                    plane[((size_t)(r + h) * s.columns + w + k) * L::PIXEL] * *W.at(o, c, SIZE - 1 - h, SIZE - 1 - k);
    }
    return sum;
}
template <class L, int IN, int SIZE>
void window_of_terms(const float *image, const Shape &s, const Input &W, float bias, int o, int i, int j, float *y,
                     uint8_t *code) {
    float pre[4];
    for (int k = 0; k < 4; k++) pre[k] = sum_of_terms<L, IN, SIZE>(image, s, W, o, 2 * i + k / 2, 2 * j + k % 2) + bias;
    pool_any(pre, y, code);
}

// All windows of an image.
template <class L, int IN, int OUT, int SIZE>
void windows_of_terms(const float *image, const Shape &s, const Input &W, const float *bias, float *y, uint8_t *codes) {
    for (int p = 0; p < s.windows; p++)
        for (int o = 0; o < OUT; o++) {
            const size_t at = (size_t)p * L::OUT_PADDED + o;
            window_of_terms<L, IN, SIZE>(image, s, W, bias[o], o, p / s.window_columns, p % s.window_columns, y + at,
                                         codes + at);
        }
}

}  // namespace convolution
