// The gradient of the sums: from that of y, or of its pooling, back through the nonlinearity.
#pragma once

#include "conv2d/copies.h"

namespace conv2d {

// Multiplies an image's gradient of y by the derivative, in its frame, and adds it to db, padded(filters) sums.
// Returns how many values are not zero. y: of the image.
inline long back_through(const Problem &p, const Nonlinearity &f, const float *y, const Frame &frame, float *g, float *db) {
    const int rows = p.out_rows(), columns = p.out_columns();
    long count = 0;
    for (int i = 0; i < rows; i++)
        for (int o = 0; o < frame.pixel; o += VL) {
            float *to = g + (frame.top + i) * frame.line() + (ptrdiff_t)frame.left * frame.pixel + o;
            const float *from = y + (ptrdiff_t)i * columns * p.filters + o;
            const int some = p.filters - o;
            vec sum = load(db + o);
            for (int j = 0; j < columns; j++, to += frame.pixel, from += p.filters) {
                vec v = load(to);
                if (!f.is_linear()) {
                    v *= derivative(load_some(from, some), f);
                    store(to, v);
                }
                sum += v;
                count += __builtin_popcount(lanes(((ivec)v & 0x7fffffff) != 0));
            }
            store(db + o, sum);
        }
    return count;
}

// The gradient of an image's sums, from that of a pooling whose windows do not overlap, in one pass: each pixel has its
// share from one window. What no window has stays as it is, zero. Adds to db, and returns a number, as back_through.
template <class Share>
long back_through_windows(const pooling::Problem &pool, const Nonlinearity &f, const float *y, const float *pooled,
                          const float *g, const Frame &frame, float *first, float *db, Share share) {
    const ptrdiff_t line = (ptrdiff_t)pool.columns * pool.channels;
    long count = 0;
    for (int i = 0; i < pool.out_rows(); i++)
        for (int o = 0; o < pool.channels; o += VL) {
            const int some = pool.channels - o, row = i * pool.stride_rows;
            const int rows = std::min(pool.size_rows, pool.rows - row);
            vec sum = load(db + o);
            for (int j = 0; j < pool.out_columns(); j++) {
                const int column = j * pool.stride_columns, columns = std::min(pool.size_columns, pool.columns - column);
                const ptrdiff_t at = ((ptrdiff_t)i * pool.out_columns() + j) * pool.channels + o;
                const vec result = load_some(pooled + at, some), gradient = load_some(g + at, some);
                for (int h = 0; h < rows; h++)
                    for (int w = 0; w < columns; w++) {
                        const float *from = y + (row + h) * line + (ptrdiff_t)(column + w) * pool.channels + o;
                        const vec value = load_some(from, some);
                        vec v = share(value, result, gradient, rows * columns);
                        if (!f.is_linear()) v *= derivative(value, f);
                        store(first + (row + h) * frame.line() + (ptrdiff_t)(column + w) * frame.pixel + o, v);
                        sum += v;
                        count += __builtin_popcount(lanes(((ivec)v & 0x7fffffff) != 0));
                    }
            }
            store(db + o, sum);
        }
    return count;
}

// The gradient of image n's sums, in its frame. `buffer`: room for the image's pooled gradient.
inline long copy_gradient(const Problem &p, const After &after, const Input &g, const float *y, const float *pooled,
                          int n, const Frame &f, float *to, float *buffer, float *db) {
    const float *image_y = y + (ptrdiff_t)n * p.out_rows() * p.out_columns() * p.filters;
    if (after.pool) {
        const pooling::Problem pool = after.pool.of(p);
        const float *from = g.at(n);
        if (g.channel != 1 || g.column != p.filters || g.row != g.column * pool.out_columns()) {
            copy_image(g, n, pool.out_rows(), pool.out_columns(), p.filters,
                       Frame{pool.out_rows(), pool.out_columns(), 0, 0, p.filters}, buffer);
            from = buffer;
        }
        float *first = to + f.top * f.line() + (ptrdiff_t)f.left * f.pixel;
        const float *results = pooled + n * pool.out_image();
        if (pool.stride_rows >= pool.size_rows && pool.stride_columns >= pool.size_columns) {
            if (after.pool.average)
                return back_through_windows(pool, after.f, image_y, results, from, f, first, db, pooling::MeanShare());
            return back_through_windows(pool, after.f, image_y, results, from, f, first, db, pooling::MaximumShare());
        }
        for (int i = 0; i < p.out_rows(); i++)
            memset(first + i * f.line(), 0, (size_t)p.out_columns() * f.pixel * sizeof(float));
        pooling::spread_image(pool, after.pool.average, image_y, results, from,
                              pooling::Gradient{first, f.line(), f.pixel});
    } else {
        copy_image(g, n, p.out_rows(), p.out_columns(), p.filters, f, to);
    }
    return back_through(p, after.f, image_y, f, to, db);
}

}  // namespace conv2d
