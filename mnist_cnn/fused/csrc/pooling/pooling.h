// Max- and average-pooling of images whose channels lie side by side, and their gradients.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace pooling {

using namespace simd;

struct Problem {
    int images, rows, columns, channels;
    int size_rows, size_columns, stride_rows, stride_columns;
    bool ignore_border;     // whether windows that reach over the border are left out, or cut

    // Theano's rule (Pool.out_shape).
    static int length(int n, int size, int stride, bool ignore_border) {
        if (ignore_border) return n < size ? 0 : (n - size) / stride + 1;
        if (stride >= size) return (n - 1) / stride + 1;
        return std::max(0, (n - 1 - size + stride) / stride) + 1;
    }
    int out_rows() const { return length(rows, size_rows, stride_rows, ignore_border); }
    int out_columns() const { return length(columns, size_columns, stride_columns, ignore_border); }
    ptrdiff_t image() const { return (ptrdiff_t)rows * columns * channels; }
    ptrdiff_t out_image() const { return (ptrdiff_t)out_rows() * out_columns() * channels; }
};

// Calls work(out, first, rows, columns) for the windows of one image: where the result is, where the first pixel,
// and how much of the window lies within the image.
template <class Work> void for_windows(const Problem &p, Work work) {
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j++) {
            const int row = i * p.stride_rows, column = j * p.stride_columns;
            const int rows = std::min(p.size_rows, p.rows - row), columns = std::min(p.size_columns, p.columns - column);
            const ptrdiff_t first = ((ptrdiff_t)row * p.columns + column) * p.channels;
            work(((ptrdiff_t)i * p.out_columns() + j) * p.channels, first, rows, columns);
        }
}

template <class Work> void for_images(const Problem &p, Work work) {
    const int threads = parallel::threads();
    parallel::for_ranges(p.images, std::min(p.images, 4 * threads), threads, [&](int, int, int first, int last) {
        for (int n = first; n < last; n++) work(n);
    });
}

// y = finish(start, then add(.., pixel) for each pixel of the window, their number), for every window and channel of
// an image. All arrays are contiguous (row, column, channel).
template <class Add, class Finish>
void pool(const Problem &p, const float *x, float *y, bool from_first, Add add, Finish finish) {
    const ptrdiff_t line = (ptrdiff_t)p.columns * p.channels;
    for_windows(p, [&](ptrdiff_t to, ptrdiff_t first, int rows, int columns) {
        for (int c = 0; c < p.channels; c += VL) {
            const int some = p.channels - c;
            const float *from = x + first + c;
            vec sum = from_first ? load_some(from, some) : vec{};
            for (int h = 0; h < rows; h++)
                for (int w = 0; w < columns; w++)
                    sum = add(sum, load_some(from + h * line + (ptrdiff_t)w * p.channels, some));
            store_some_lanes(y + to + c, finish(sum, rows * columns), some);
        }
    });
}

inline void pool_image(const Problem &p, bool average, const float *x, float *y) {
    if (average)
        pool(p, x, y, false, [](vec sum, vec pixel) { return sum + pixel; },
             [](vec sum, int pixels) { return sum / broadcast((float)pixels); });
    else
        pool(p, x, y, true, [](vec most, vec pixel) { return pixel > most ? pixel : most; },
             [](vec most, int) { return most; });
}

// An image whose gradient is made: its lines are `line` floats apart and its pixels `pixel`. It is clear.
struct Gradient {
    float *data;
    ptrdiff_t line, pixel;
};

// dx: for every pixel and channel the sum of share(pixel, result, gradient, pixels) over the windows that have it.
template <class Share>
void spread(const Problem &p, const float *x, const float *y, const float *g, const Gradient &dx, Share share) {
    const ptrdiff_t line = (ptrdiff_t)p.columns * p.channels;
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j++) {
            const int row = i * p.stride_rows, column = j * p.stride_columns;
            const int rows = std::min(p.size_rows, p.rows - row), columns = std::min(p.size_columns, p.columns - column);
            const ptrdiff_t from = ((ptrdiff_t)i * p.out_columns() + j) * p.channels;
            for (int c = 0; c < p.channels; c += VL) {
                const int some = p.channels - c;
                const vec result = load_some(y + from + c, some), add = load_some(g + from + c, some);
                for (int h = 0; h < rows; h++)
                    for (int w = 0; w < columns; w++) {
                        const float *pixel = x + (row + h) * line + (ptrdiff_t)(column + w) * p.channels + c;
                        float *to = dx.data + (row + h) * dx.line + (column + w) * dx.pixel + c;
                        store_some_lanes(to, load_some(to, some) + share(load_some(pixel, some), result, add, rows * columns),
                                         some);
                    }
            }
        }
}

// A pixel's share of its window's gradient: of the mean, and of the maximum. As Theano has it, every position that
// equals the maximum gets the gradient.
struct MeanShare {
    ALWAYS_INLINE vec operator()(vec, vec, vec gradient, int pixels) const { return gradient / broadcast((float)pixels); }
};
struct MaximumShare {
    ALWAYS_INLINE vec operator()(vec pixel, vec most, vec gradient, int) const { return pixel == most ? gradient : vec{}; }
};

inline void spread_image(const Problem &p, bool average, const float *x, const float *y, const float *g,
                         const Gradient &dx) {
    if (average)
        spread(p, x, y, g, dx, MeanShare());
    else
        spread(p, x, y, g, dx, MaximumShare());
}

// Of all images; all arrays are contiguous (image, row, column, channel).
inline void forward(const Problem &p, bool average, const float *x, float *y) {
    for_images(p, [&](int n) { pool_image(p, average, x + n * p.image(), y + n * p.out_image()); });
}
inline void backward(const Problem &p, bool average, const float *x, const float *y, const float *g, float *dx) {
    for_images(p, [&](int n) {
        float *to = dx + n * p.image();
        memset(to, 0, p.image() * sizeof(float));
        spread_image(p, average, x + n * p.image(), y + n * p.out_image(), g + n * p.out_image(),
                     Gradient{to, (ptrdiff_t)p.columns * p.channels, p.channels});
    });
}

}  // namespace pooling
