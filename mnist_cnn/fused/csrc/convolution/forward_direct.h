// Forward, every product: a window's sums stay in registers from the first product to the pooling.
#pragma once

#include "convolution/copies.h"
#include "convolution/pooling.h"
#include "runtime/scratch.h"

namespace convolution {

template <int NV> ALWAYS_INLINE void pool_sums(const vec (&sum)[4][NV], const float *bias, float *y, uint8_t *code) {
    UNROLL for (int v = 0; v < NV; v++) {
        const vec c = load(bias + v * VL);
        pool(sum[0][v] + c, sum[1][v] + c, sum[2][v] + c, sum[3][v] + c, y + v * VL, code + v * VL);
    }
}

// The four pre-activations of one window for NV vectors of output channels, pooled: 4 * NV sums.
template <class L, int SIZE, int NV>
ALWAYS_INLINE void sum_and_pool(const float *image, const Shape &s, const float *filters, const float *bias, int i,
                                int j, float *y, uint8_t *code) {
    vec sum[4][NV] = {};
    const ptrdiff_t line = (ptrdiff_t)s.columns * L::PIXEL;
    for (int b = 0; b < L::BLOCKS; b++)
        for (int h = 0; h < SIZE; h++) {
            const float *x = image + b * L::plane(s) + (2 * i + h) * line + 2 * j * L::PIXEL;
            const float *f = filters + L::place(b, h, 0);
#pragma GCC unroll 1
            for (int t = 0; t < L::RUN; t++) {
                vec w[NV];
                UNROLL for (int v = 0; v < NV; v++) keep(w[v] = load(f + t * L::OUT_PADDED + v * VL));
                UNROLL for (int k = 0; k < 4; k++) {
                    const vec pixel = broadcast(x[k / 2 * line + k % 2 * L::PIXEL + t]);
                    UNROLL for (int v = 0; v < NV; v++) sum[k][v] += pixel * w[v];
                }
            }
        }
    pool_sums<NV>(sum, bias, y, code);
}

// All output channels of window (i, j), two vectors at a time.
template <class L, int SIZE>
ALWAYS_INLINE void direct_window(const float *image, const Shape &s, const float *filters, const float *bias, int i,
                                 int j, float *y, uint8_t *code) {
    int o = 0;
    for (; o + 2 * VL <= L::OUT_PADDED; o += 2 * VL)
        sum_and_pool<L, SIZE, 2>(image, s, filters + o, bias + o, i, j, y + o, code + o);
    if (o < L::OUT_PADDED) sum_and_pool<L, SIZE, 1>(image, s, filters + o, bias + o, i, j, y + o, code + o);
}

template <int IN, int OUT, int SIZE> struct DirectForward {
    typedef Layout<IN, OUT, SIZE> L;
    static constexpr size_t FILTER_FLOATS = L::PACKED_FILTERS;
    static constexpr bool DOUBTS = false;
    struct Scratch {
        Scratch(scratch::Arena &, const Shape &) {}
    };

    static int images_together(const Shape &) { return 1; }
    static void pack(const Input &W, float *filters, int) { pack_by_output<L, IN, OUT, SIZE>(W, filters); }
    static void compute(const Scratch &, const float *images, int, const Shape &s, const Input &, const float *filters,
                        const float *bias, const float *, float *const *ys, uint8_t *const *codes) {
        float *y = ys[0];
        uint8_t *code = codes[0];
        for (int i = 0; i < s.window_rows; i++)
            for (int j = 0; j < s.window_columns; j++, y += L::OUT_PADDED, code += L::OUT_PADDED)
                direct_window<L, SIZE>(images, s, filters, bias, i, j, y, code);
    }
};

}  // namespace convolution
