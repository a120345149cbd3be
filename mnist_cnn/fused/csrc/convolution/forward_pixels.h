// Forward, for images of few channels: four fifths of a digit's pixels are zero. A window multiplies only the
// others; a window without any gives rectify(bias).
#pragma once

#include "convolution/forward_direct.h"

namespace convolution {

// An offset, and the value that is there.
struct Entry {
    int offset;
    float value;
};

// A window's pre-activations from a list of the pixels under it that are not zero, pooled. A pixel lies
// under one place of the filter at each of the four positions; where there is no such place, the frame around
// the filters is zero. The terms come in the order of the direct sum, so that equal patches tie.
template <class L, int NV>
ALWAYS_INLINE void sum_pixels_and_pool(const Entry *pixels, int count, const float *filters, int origin,
                                       const float *bias, float *y, uint8_t *code) {
    vec sum[4][NV] = {};
    for (const Entry *e = pixels; e < pixels + count; e++) {
        const vec pixel = broadcast(e->value);
        const float *f = keep(filters + (origin + e->offset));
        UNROLL for (int k = 0; k < 4; k++) UNROLL for (int v = 0; v < NV; v++) sum[k][v] +=
            pixel * load(f - (k / 2 * L::LINE + k % 2 * L::PIXEL) * L::OUT_PADDED + v * VL);
    }
    pool_sums<NV>(sum, bias, y, code);
}

// All output channels of a window, two vectors at a time.
template <class L>
ALWAYS_INLINE void pixels_window(const Entry *pixels, int count, const float *filters, int origin, const float *bias,
                                 float *y, uint8_t *code) {
    int o = 0;
    for (; o + 2 * VL <= L::OUT_PADDED; o += 2 * VL)
        sum_pixels_and_pool<L, 2>(pixels, count, filters + o, origin, bias + o, y + o, code + o);
    if (o < L::OUT_PADDED) sum_pixels_and_pool<L, 1>(pixels, count, filters + o, origin, bias + o, y + o, code + o);
}

template <int IN, int OUT, int SIZE> struct PixelsForward {
    typedef Layout<IN, OUT, SIZE> L;
    static constexpr size_t FILTER_FLOATS = L::PACKED_FILTERS;
    static constexpr bool DOUBTS = false;
    static constexpr int P = L::OUT_PADDED, ACROSS = L::RUN + L::PIXEL;  // a window's width in floats

    struct Scratch {
        Entry *pixels, *under;  // all that are not zero; those under the window
        int *before;            // [row][place]: how many come before it
        float *blank_y;         // the result of a blank window
        uint8_t *blank_code;
        Scratch(scratch::Arena &arena, const Shape &s)
            : pixels(arena.take<Entry>(s.rows * s.columns * L::PIXEL + ACROSS)),
              under(arena.take<Entry>((SIZE + 2) * ACROSS)),
              before(arena.take<int>(s.rows * (s.columns * L::PIXEL + 1))),
              blank_y(arena.take(P)),
              blank_code(arena.take<uint8_t>(P)) {}
    };

    static int images_together(const Shape &) { return 1; }
    static void pack(const Input &W, float *filters, int) { pack_by_output<L, IN, OUT, SIZE>(W, filters); }

    // Lists the pixels that are not zero. There are no branches: which pixels are zero is hard to predict.
    static void list_pixels(const float *image, const Shape &s, const Scratch &scratch) {
        const int width = s.columns * L::PIXEL;
        int all = 0;
        for (int r = 0; r < s.rows; r++) {
            int *row = scratch.before + r * (width + 1);
            for (int x = 0; x < width; x++) {
                row[x] = all;
                scratch.pixels[all] = Entry{(r * L::LINE + x) * P, image[r * width + x]};
                all += nonzero(scratch.pixels[all].value);
            }
            row[width] = all;
        }
    }

    static void compute(const Scratch &scratch, const float *image, int, const Shape &s, const Input &,
                        const float *filters, const float *bias, const float *, float *const *ys,
                        uint8_t *const *codes) {
        const int width = s.columns * L::PIXEL;
        for (int o = 0; o < P; o += VL) {
            const vec b = load(bias + o);
            pool(b, b, b, b, scratch.blank_y + o, scratch.blank_code + o);
        }
        list_pixels(image, s, scratch);
        for (int i = 0, p = 0; i < s.window_rows; i++)
            for (int j = 0; j < s.window_columns; j++, p++) {
                const int left = 2 * j * L::PIXEL, origin = (int)L::place(0, 0, 0) - (2 * i * L::LINE + left) * P;
                float *y = ys[0] + (size_t)p * P;
                uint8_t *code = codes[0] + (size_t)p * P;
                int count = 0;
                for (int h = 0; h <= SIZE; h++) {
                    const int *at = scratch.before + (2 * i + h) * (width + 1) + left;
                    // an upper bound, but a constant
                    memcpy(scratch.under + count, scratch.pixels + at[0], ACROSS * sizeof(Entry));
                    count += at[ACROSS] - at[0];
                }
                if (count == 0) {
                    memcpy(y, scratch.blank_y, P * sizeof(float));
                    memcpy(code, scratch.blank_code, P);
                } else if (count < SIZE * L::RUN) {
                    pixels_window<L>(scratch.under, count, filters, origin, bias, y, code);
                } else {  // the whole filter takes fewer products
                    direct_window<L, SIZE>(image, s, filters, bias, i, j, y, code);
                }
            }
    }
};

}  // namespace convolution
