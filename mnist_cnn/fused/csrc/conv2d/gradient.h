// The gradient of the sums: from that of y, or of its pooling, back through the nonlinearity.
#pragma once

#include <cmath>

#include "conv2d/codes.h"
#include "conv2d/copies.h"

namespace conv2d {

// Of an image's gradient: how many values are not zero, and the largest |value|, NaN counting as more than infinity.
class Found {
    ivec counts = {};
    Largest most;

public:
    ALWAYS_INLINE void add(vec v) {
        most.add(v);
        counts -= ((ivec)v & 0x7fffffff) != 0;
    }
    long count() const {
        long sum = 0;
        for (int l = 0; l < VL; l++) sum += counts[l];
        return sum;
    }
    float largest() const { return most.size(); }
};

// From an image's gradient of y, whose lines and pixels lie so many floats apart, that of the sums, in its frame.
// Adds it to db, padded(filters) sums. y: of the image.
inline Found back_through(const Problem &p, const Nonlinearity &f, const float *y, const float *g, ptrdiff_t g_line,
                          ptrdiff_t g_pixel, const Frame &frame, float *first, float *db) {
    const int rows = p.out_rows(), columns = p.out_columns(), filters = p.filters, pixel = frame.pixel;
    const Nonlinearity bend = f;
    Found found;
    for (int i = 0; i < rows; i++, y += (ptrdiff_t)columns * filters)
        for (int o = 0; o < pixel; o += VL) {
            const int some = filters - o;
            const float *from = g + i * g_line + o, *result = y + o;
            float *to = first + i * frame.line() + o;
            vec sum = load(db + o);
            for (int j = 0; j < columns; j++, from += g_pixel, result += filters, to += pixel) {
                prefetch(from);
                vec v = load_some(from, some);
                if (!bend.is_linear()) {
                    prefetch(result);
                    v = through(v, load_some(result, some), bend);
                }
                store(to, v);
                sum += v;
                found.add(v);
            }
            store(db + o, sum);
        }
    return found;
}

// The gradient of an image's sums, from that of a pooling whose windows do not overlap, in one pass: each pixel has its
// share from one window. Pixels without a window stay zero. Adds to db, and returns what back_through does.
template <class Share>
Found back_through_windows(const pooling::Problem &pool, const Nonlinearity &f, const float *y, const float *pooled,
                           const float *g, const Frame &frame, float *first, float *db, Share share) {
    const ptrdiff_t line = (ptrdiff_t)pool.columns * pool.channels;
    Found found;
    const int out_rows = pool.out_rows(), out_columns = pool.out_columns();
    for (int i = 0; i < out_rows; i++) {
        const pooling::Range rows = pool.row_range(i);
        for (int o = 0; o < pool.channels; o += VL) {
            const int some = pool.channels - o;
            vec sum = load(db + o);
            for (int j = 0; j < out_columns; j++) {
                const pooling::Range columns = pool.column_range(j);
                const pooling::Area area{rows.first, columns.first, rows.count, columns.count};
                const ptrdiff_t at = ((ptrdiff_t)i * out_columns + j) * pool.channels + o;
                const vec result = load_some(pooled + at, some), all = share.of(load_some(g + at, some), area);
                for (int h = 0; h < area.rows; h++)
                    for (int w = 0; w < area.columns; w++) {
                        const float *from =
                            y + (area.row + h) * line + (ptrdiff_t)(area.column + w) * pool.channels + o;
                        const vec value = load_some(from, some);
                        vec v = share(value, result, all);
                        v = through(v, value, f);
                        store(first + (area.row + h) * frame.line() + (ptrdiff_t)(area.column + w) * frame.pixel + o,
                              v);
                        sum += v;
                        found.add(v);
                    }
            }
            store(db + o, sum);
        }
    }
    return found;
}

// A position's share of a window's gradient where that is not all or nothing. An infinite gradient times the
// rectifier's slope of zero, of the positions that equal a maximum of zero, is NaN.
inline vec share_of(ivec share, vec gradient, vec all, vec most, const Nonlinearity &f) {
    const vec hidden = f.is_rectifier() && !f.selects ? 0 * gradient : vec{};
    const vec nothing = most == vec{} ? hidden : vec{},
              some = share == HALF ? times(gradient, broadcast(f.at_zero), f) : nothing;
    return share == NOT_A_NUMBER ? broadcast(NAN) : share == ALL ? all : some;
}

// As back_through_windows, from the codes of codes.h.
inline Found back_through_codes(const pooling::Problem &pool, const Nonlinearity f, const uint8_t *codes,
                                const float *pooled, const float *g, const Frame &frame, float *first, float *db) {
    const int filters = pool.channels, pixel = frame.pixel, out_columns = pool.out_columns();
    const ptrdiff_t line = frame.line();
    const bool lines = f.is_linear() || f.is_rectifier();
    Found found;
    for (int i = 0; i < pool.out_rows(); i++)
        for (int o = 0; o < filters; o += VL) {
            const int rows = std::min(2, pool.rows - 2 * i), some = filters - o;
            vec total = load(db + o);
            for (int j = 0; j < out_columns; j++) {
                const ptrdiff_t at = ((ptrdiff_t)i * out_columns + j) * filters + o;
                float *to = first + 2 * i * line + (ptrdiff_t)2 * j * pixel + o;
                prefetch(g + at);
                prefetch(pooled + at);
                prefetch(codes + at);
                const ivec code = load_some_bytes(codes + at, some);
                const vec gradient = load_some(g + at, some), most = load_some(pooled + at, some);
                const vec all = lines ? gradient : through(gradient, most, f);
                const ivec more = ((code & 2 * ALL_TIED) != 0) | (((ivec)gradient & INFINITE) == INFINITE);
                const int columns = std::min(2, pool.columns - 2 * j);
                vec shares[4];
                UNROLL for (int k = 0; k < 4; k++) shares[k] = (vec)((ivec)all & ((code & (ALL << 2 * k)) != 0));
                if (any(more))
                    for (int k = 0; k < 4; k++) shares[k] = share_of(code >> 2 * k & 3, gradient, all, most, f);
                vec sum = {};
                pooling::for_pixels(pooling::Area{2 * i, 2 * j, rows, columns}, [&](int h, int w) {
                    const vec share = shares[2 * h + w];
                    store(to + h * line + w * pixel, share);
                    sum += share;
                    found.add(share);
                });
                total += sum;
            }
            store(db + o, total);
        }
    return found;
}

// The gradient of image n's sums, in its frame. `buffer`: room for the image's pooled gradient. `codes`: null where
// there are none, else y is not read.
inline Found copy_gradient(const Problem &p, const After &after, const Input &g, const float *y, const float *pooled,
                           const uint8_t *codes, int n, const Frame &f, float *to, float *buffer, float *db) {
    const float *image_y = y ? y + (ptrdiff_t)n * p.out_rows() * p.out_columns() * p.filters : nullptr;
    float *first = to + f.top * f.line() + (ptrdiff_t)f.left * f.pixel;
    if (after.pool) {
        const pooling::Problem pool = after.pooling(p);
        const float *from = g.at(n);
        if (g.channel != 1 || g.column != p.filters || g.row != g.column * pool.out_columns()) {
            copy_image(g, n, pool.out_rows(), pool.out_columns(), p.filters,
                       Frame{pool.out_rows(), pool.out_columns(), 0, 0, p.filters}, buffer);
            from = buffer;
        }
        const float *results = pooled + n * pool.out_image();
        if (codes) return back_through_codes(pool, after.f, codes + n * pool.out_image(), results, from, f, first, db);
        if (!pool.window.overlaps()) {
            if (pool.window.compares())
                return back_through_windows(pool, after.f, image_y, results, from, f, first, db,
                                            pooling::MaximumShare());
            return back_through_windows(pool, after.f, image_y, results, from, f, first, db, pooling::MeanShare{pool});
        }
        for (int i = 0; i < p.out_rows(); i++)
            memset(first + i * f.line(), 0, (size_t)p.out_columns() * f.pixel * sizeof(float));
        pooling::spread_image(pool, image_y, results, from, pooling::Gradient{first, f.line(), f.pixel});
    } else if (g.channel == 1) {
        return back_through(p, after.f, image_y, g.at(n), g.row, g.column, f, first, db);
    } else {
        copy_image(g, n, p.out_rows(), p.out_columns(), p.filters, f, to);
    }
    return back_through(p, after.f, image_y, first, f.line(), f.pixel, f, first, db);
}

}  // namespace conv2d
