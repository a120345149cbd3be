// The layout of images, maps and filters in memory.
#pragma once

#include "runtime/simd.h"

namespace convolution {

using namespace simd;

// A 4D array (image, channel, row, column) anywhere in memory; strides count floats.
template <class T> struct View4 {
    T *data;
    ptrdiff_t image, channel, row, column;
    T *at(ptrdiff_t n, ptrdiff_t c = 0, ptrdiff_t r = 0, ptrdiff_t w = 0) const {
        return data + n * image + c * channel + r * row + w * column;
    }
};
typedef View4<const float> Input;
typedef View4<float> Output;

struct Shape {
    int images, rows, columns;        // of x
    int out_rows, out_columns;        // of the convolution
    int window_rows, window_columns;  // of y
    int windows, positions;           // the products of the two above
    Shape(int images, int rows, int columns, int size)
        : images(images),
          rows(rows),
          columns(columns),
          out_rows(rows - size + 1),
          out_columns(columns - size + 1),
          window_rows(out_rows / 2),
          window_columns(out_columns / 2),
          windows(window_rows * window_columns),
          positions(out_rows * out_columns) {}
};

// The layout of an image's local copy: BLOCKS planes, each of rows x columns pixels of PIXEL
// floats. With few channels a plane holds all channels of a pixel side by side; otherwise a plane
// holds one vector's worth of channels. Either way the pixels under one row of a filter are one
// contiguous run of RUN floats, and everything below works on such runs.
template <int IN, int OUT, int SIZE> struct Layout {
    static constexpr bool FEW = 2 * IN <= VL;
    static constexpr int PIXEL = FEW ? IN : VL;
    static constexpr int BLOCKS = FEW ? 1 : vectors(IN);
    static constexpr int RUN = SIZE * PIXEL;
    static constexpr int RUN_VECTORS = vectors(RUN);
    static constexpr int OUT_PADDED = vectors(OUT) * VL;
    // Filters packed for the forward pass, [block][filter row][place in the run][output channel], with a
    // frame of zeros where single pixels meet the places around a filter too.
    static constexpr int FRAME = FEW, LINE = RUN + 2 * FRAME * PIXEL;
    static constexpr size_t PACKED_FILTERS = (size_t)BLOCKS * (SIZE + 2 * FRAME) * LINE * OUT_PADDED;
    static constexpr size_t place(int block, int h, int t) {
        return ((size_t)(block * (SIZE + 2 * FRAME) + h + FRAME) * LINE + t + FRAME * PIXEL) * OUT_PADDED;
    }
    static constexpr int FILTER = BLOCKS * SIZE * RUN_VECTORS * VL;  // floats of one filter, padded
    // A run's last vector may read past the plane's end: hence the slack of one vector.
    static size_t plane(const Shape &s) { return round_up((size_t)s.rows * s.columns * PIXEL) + VL; }
    static size_t image(const Shape &s) { return BLOCKS * plane(s); }
};

inline int parts_of(int images, int most) { return images < most ? images : most; }

}  // namespace convolution
