// The gradient of W for images of one channel that are mostly zero, such as digits: the pixels that are not zero are
// listed, and each multiplies the gradients of the positions that have it under a place of the filter.
#pragma once

#include "conv2d/backward_dense.h"
#include "runtime/scratch.h"

namespace conv2d {

constexpr int LONGEST_ROW = 7;  // of a filter
inline bool has_pixels(const Problem &p) {
    return p.channels == 1 && p.places() > 1 && p.size.columns <= LONGEST_ROW && p.stride.rows == 1 &&
           p.stride.columns == 1;
}

// The gradient that a pixel has under place 0 of a filter, counted from the first one, and the pixel.
struct Pixel {
    int gradient;
    float value;
};
inline size_t pixels_of(const Problem &p) { return has_pixels(p) ? (size_t)p.rows * p.columns + 1 : 0; }

// Lists them without branches, for which are zero is hard to predict. Returns the list's end, or null for an image
// of which more than half is not zero.
inline Pixel *list_pixels(const Problem &p, const float *image, const Frame &f, const Frame &fg, Pixel *to) {
    int count = 0;
    for (int k = 0; k < f.rows * f.columns; k++) count += image[k] != 0;
    if (2 * count > p.rows * p.columns) return nullptr;
    for (int i = f.top; i < f.top + p.rows; i++)
        for (int j = f.left; j < f.left + p.columns; j++) {
            *to = Pixel{(int)(i * fg.line() + j * fg.pixel), image[i * f.line() + j]};
            to += to->value != 0;
        }
    return to;
}

// Adds a pixel's products to T places of a row of the filters, for NV vectors of them.
template <int T, int NV>
void add_pixels(const Pixel *pixels, const Pixel *end, const float *g, ptrdiff_t P, float *sums) {
    vec sum[T][NV];
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++) sum[t][v] = load(sums + t * P + v * VL);
    for (; pixels < end; pixels++) {
        const vec value = broadcast(pixels->value);
        const float *from = keep(g + pixels->gradient);
        UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++) sum[t][v] +=
            value * load(from - t * P + v * VL);
    }
    UNROLL for (int t = 0; t < T; t++) UNROLL for (int v = 0; v < NV; v++) store(sums + t * P + v * VL, sum[t][v]);
}

typedef void (*AddPixels)(const Pixel *, const Pixel *, const float *, ptrdiff_t, float *);
template <int NV, int T = LONGEST_ROW> struct AddPixelsTo {
    static AddPixels of(int places) { return places == T ? add_pixels<T, NV> : AddPixelsTo<NV, T - 1>::of(places); }
};
template <int NV> struct AddPixelsTo<NV, 0> {
    static AddPixels of(int) { return nullptr; }
};

// An image's share of dW. `g`: the first gradient, in its frame; `sums`: as for add_dense().
inline void add_listed(const Problem &p, const Pixel *pixels, const Pixel *end, const float *g, const Frame &fg,
                       float *sums) {
    const int P = fg.pixel;
    for (int o = 0; o < P; o += 2 * VL) {
        const AddPixels add = (o + 2 * VL <= P ? AddPixelsTo<2>::of : AddPixelsTo<1>::of)(p.size.columns);
        for (int h = 0; h < p.size.rows; h++)
            add(pixels, end, g + o - h * fg.line(), P, sums + (ptrdiff_t)h * p.size.columns * P + o);
    }
}

}  // namespace conv2d
