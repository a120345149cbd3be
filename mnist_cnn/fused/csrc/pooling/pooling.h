// Pooling of images whose channels lie side by side: the maximum, mean or sum of each window; and its gradient.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace pooling {

using namespace simd;

// The mean of a window may count the padding as pixels, or leave it out.
enum Mode { MAXIMUM, AVERAGE_WITH_PAD, AVERAGE_WITHOUT_PAD, SUM };

// Nothing is pooled where rows is 0. The padding is less than a window; `ignore_border`: whether windows that reach
// over the padded border are left out, or cut.
struct Window {
    int rows, columns, stride_rows, stride_columns, pad_rows, pad_columns;
    bool ignore_border;
    Mode mode;
    explicit operator bool() const { return rows > 0; }
    bool compares() const { return rows > 0 && mode == MAXIMUM; }
    bool overlaps() const { return stride_rows < rows || stride_columns < columns; }
};

// A range of rows or columns.
struct Range {
    int first, count;
};
// The part of an image that a window covers.
struct Area {
    int row, column, rows, columns;
};

struct Problem {
    int images, rows, columns, channels;
    Window window;

    // Theano's rule (Pool.out_shape).
    static int length(int n, int size, int stride, bool ignore_border) {
        if (ignore_border) return n < size ? 0 : (n - size) / stride + 1;
        if (stride >= size) return (n - 1) / stride + 1;
        return std::max(0, (n - 1 - size + stride) / stride) + 1;
    }
    int out_rows() const {
        return length(rows + 2 * window.pad_rows, window.rows, window.stride_rows, window.ignore_border);
    }
    int out_columns() const {
        return length(columns + 2 * window.pad_columns, window.columns, window.stride_columns, window.ignore_border);
    }
    ptrdiff_t image() const { return (ptrdiff_t)rows * columns * channels; }
    ptrdiff_t out_image() const { return (ptrdiff_t)out_rows() * out_columns() * channels; }
    static ALWAYS_INLINE Range range(int first, int size, int length) {
        return Range{std::max(0, first), std::min(length, first + size) - std::max(0, first)};
    }
    // The rows that the windows of row i cover, and the columns that those of column j cover.
    ALWAYS_INLINE Range row_range(int i) const {
        return range(i * window.stride_rows - window.pad_rows, window.rows, rows);
    }
    ALWAYS_INLINE Range column_range(int j) const {
        return range(j * window.stride_columns - window.pad_columns, window.columns, columns);
    }
    // The divisor of a window's sum.
    float divisor(const Area &area) const {
        if (window.mode == SUM) return 1;
        const bool whole = window.mode == AVERAGE_WITH_PAD && window.ignore_border;
        return (float)(whole ? window.rows * window.columns : area.rows * area.columns);
    }
};

// Calls work(out, area) for the windows of one image: where the result is, and what of the image the window covers.
template <class Work> void for_windows(const Problem problem, Work work) {
    const int out_rows = problem.out_rows(), out_columns = problem.out_columns();
    ptrdiff_t out = 0;
    for (int i = 0; i < out_rows; i++) {
        const Range rows = problem.row_range(i);
        for (int j = 0; j < out_columns; j++, out += problem.channels) {
            const Range columns = problem.column_range(j);
            work(out, Area{rows.first, columns.first, rows.count, columns.count});
        }
    }
}

template <class Work> void for_images(const Problem &p, Work work) {
    const int threads = parallel::threads();
    parallel::for_ranges(p.images, std::min(p.images, 4 * threads), threads, [&](int, int, int first, int last) {
        for (int n = first; n < last; n++) work(n);
    });
}

// Calls work(row, column) for a window's pixels; those of 2x2 and 3x3 in a loop without branches.
template <int SIZE, class Work> ALWAYS_INLINE void for_square(Work work) {
    UNROLL for (int h = 0; h < SIZE; h++) UNROLL for (int w = 0; w < SIZE; w++) work(h, w);
}
template <class Work> ALWAYS_INLINE void for_pixels(const Area &area, Work work) {
    if (area.rows == 2 && area.columns == 2) return for_square<2>(work);
    if (area.rows == 3 && area.columns == 3) return for_square<3>(work);
    for (int h = 0; h < area.rows; h++)
        for (int w = 0; w < area.columns; w++) work(h, w);
}

// y = finish(start, then add(.., pixel) for each pixel of the window, its divisor), for every window and channel of an
// image. All arrays are contiguous (row, column, channel).
template <class Add, class Finish>
void pool(const Problem p, const float *x, float *y, bool from_first, Add add, Finish finish) {
    const int channels = p.channels;
    const ptrdiff_t line = (ptrdiff_t)p.columns * channels;
    for_windows(p, [=](ptrdiff_t to, const Area area) {
        const float *first = x + area.row * line + (ptrdiff_t)area.column * channels;
        const vec divisor = broadcast(p.divisor(area));
        for (int c = 0; c < channels; c += VL) {
            const int some = channels - c;
            const float *from = first + c;
            vec sum = from_first ? load_some(from, some) : vec{};
            for_pixels(area, [&](int h, int w) {
                sum = add(sum, load_some(from + h * line + (ptrdiff_t)w * channels, some));
            });
            store_some_lanes(y + to + c, finish(sum, divisor), some);
        }
    });
}

inline void pool_image(const Problem &p, const float *x, float *y) {
    if (p.window.mode == MAXIMUM)
        pool(
            p, x, y, true, [](vec most, vec pixel) { return pixel > most ? pixel : most; },
            [](vec most, vec) { return most; });
    else
        pool(
            p, x, y, false, [](vec sum, vec pixel) { return sum + pixel; },
            [](vec sum, vec divisor) { return sum / divisor; });
}

// An image whose gradient is made: its lines are `line` floats apart and its pixels `pixel`. It is clear.
struct Gradient {
    float *data;
    ptrdiff_t line, pixel;
};

// dx: for every pixel and channel the sum, over the windows that have it, of share(pixel, result, all), where all is
// share.of(gradient, area).
template <class Share>
void spread(const Problem &p, const float *x, const float *y, const float *g, const Gradient dx, const Share share) {
    const int channels = p.channels;
    const ptrdiff_t line = (ptrdiff_t)p.columns * channels;
    for_windows(p, [=](ptrdiff_t out, const Area area) {
        const float *first = x + area.row * line + (ptrdiff_t)area.column * channels;
        float *first_to = dx.data + area.row * dx.line + area.column * dx.pixel;
        const ptrdiff_t to_line = dx.line, to_pixel = dx.pixel;
        for (int c = 0; c < channels; c += VL) {
            const int some = channels - c;
            const vec result = load_some(y + out + c, some), all = share.of(load_some(g + out + c, some), area);
            for_pixels(area, [=](int h, int w) {
                const float *from = first + h * line + (ptrdiff_t)w * channels + c;
                float *to = first_to + h * to_line + w * to_pixel + c;
                prefetch(to, 8 * to_pixel);
                prefetch(from, 8 * channels);
                store_some_lanes(to, load_some(to, some) + share(load_some(from, some), result, all), some);
            });
        }
    });
}

// A pixel's share of its window's gradient: of the mean or sum, and of the maximum. As Theano has it, every position
// that equals the maximum gets the gradient.
struct MeanShare {
    Problem p;
    ALWAYS_INLINE vec of(vec gradient, const Area &area) const { return gradient / broadcast(p.divisor(area)); }
    ALWAYS_INLINE vec operator()(vec, vec, vec all) const { return all; }
};
struct MaximumShare {
    ALWAYS_INLINE vec of(vec gradient, const Area &) const { return gradient; }
    ALWAYS_INLINE vec operator()(vec pixel, vec most, vec all) const { return pixel == most ? all : vec{}; }
};

inline void spread_image(const Problem &p, const float *x, const float *y, const float *g, const Gradient &dx) {
    if (p.window.mode == MAXIMUM)
        spread(p, x, y, g, dx, MaximumShare());
    else
        spread(p, x, y, g, dx, MeanShare{p});
}

// Of all images; all arrays are contiguous (image, row, column, channel).
inline void forward(const Problem &p, const float *x, float *y) {
    for_images(p, [&](int n) { pool_image(p, x + n * p.image(), y + n * p.out_image()); });
}
inline void backward(const Problem &p, const float *x, const float *y, const float *g, float *dx) {
    for_images(p, [&](int n) {
        float *to = dx + n * p.image();
        memset(to, 0, p.image() * sizeof(float));
        spread_image(p, x + n * p.image(), y + n * p.out_image(), g + n * p.out_image(),
                     Gradient{to, (ptrdiff_t)p.columns * p.channels, p.channels});
    });
}

}  // namespace pooling
