// Max- and average-pooling of images whose channels lie side by side, and their gradients.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "runtime/threads.h"

namespace pooling {

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

// All arrays are contiguous (image, row, column, channel).
inline void maximum(const Problem &p, const float *x, float *y) {
    for_images(p, [&](int n) {
        const float *image = x + n * p.image();
        float *out = y + n * p.out_image();
        for_windows(p, [&](ptrdiff_t to, ptrdiff_t first, int rows, int columns) {
            float *__restrict__ most = out + to;
            memcpy(most, image + first, p.channels * sizeof(float));
            for (int h = 0; h < rows; h++)
                for (int w = 0; w < columns; w++) {
                    const float *pixel = image + first + ((ptrdiff_t)h * p.columns + w) * p.channels;
                    for (int c = 0; c < p.channels; c++) most[c] = pixel[c] > most[c] ? pixel[c] : most[c];
                }
        });
    });
}

// As Theano has it, every position that equals the maximum gets the gradient.
inline void maximum_gradient(const Problem &p, const float *x, const float *y, const float *g, float *dx) {
    for_images(p, [&](int n) {
        const float *image = x + n * p.image(), *out = y + n * p.out_image(), *gradient = g + n * p.out_image();
        float *dimage = dx + n * p.image();
        memset(dimage, 0, p.image() * sizeof(float));
        for_windows(p, [&](ptrdiff_t from, ptrdiff_t first, int rows, int columns) {
            const float *most = out + from, *add = gradient + from;
            for (int h = 0; h < rows; h++)
                for (int w = 0; w < columns; w++) {
                    const ptrdiff_t at = first + ((ptrdiff_t)h * p.columns + w) * p.channels;
                    const float *pixel = image + at;
                    float *__restrict__ to = dimage + at;
                    for (int c = 0; c < p.channels; c++) to[c] += pixel[c] == most[c] ? add[c] : 0;
                }
        });
    });
}

inline void average(const Problem &p, const float *x, float *y) {
    for_images(p, [&](int n) {
        const float *image = x + n * p.image();
        float *out = y + n * p.out_image();
        for_windows(p, [&](ptrdiff_t to, ptrdiff_t first, int rows, int columns) {
            float *__restrict__ sum = out + to;
            memset(sum, 0, p.channels * sizeof(float));
            for (int h = 0; h < rows; h++)
                for (int w = 0; w < columns; w++) {
                    const float *pixel = image + first + ((ptrdiff_t)h * p.columns + w) * p.channels;
                    for (int c = 0; c < p.channels; c++) sum[c] += pixel[c];
                }
            for (int c = 0; c < p.channels; c++) sum[c] /= (float)(rows * columns);
        });
    });
}

inline void average_gradient(const Problem &p, const float *g, float *dx) {
    for_images(p, [&](int n) {
        const float *gradient = g + n * p.out_image();
        float *dimage = dx + n * p.image();
        memset(dimage, 0, p.image() * sizeof(float));
        for_windows(p, [&](ptrdiff_t from, ptrdiff_t first, int rows, int columns) {
            const float share = 1.f / (float)(rows * columns), *add = gradient + from;
            for (int h = 0; h < rows; h++)
                for (int w = 0; w < columns; w++) {
                    float *__restrict__ to = dimage + first + ((ptrdiff_t)h * p.columns + w) * p.channels;
                    for (int c = 0; c < p.channels; c++) to[c] += add[c] * share;
                }
        });
    });
}

}  // namespace pooling
