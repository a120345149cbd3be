// Winograd's sums where rounding could decide: it depends on a sum's position in its tile, so that equal patches need
// not give equal sums. So a patch that equals its neighbour, as in a flat part of an image, gets its neighbour's sum.
// Elsewhere, where two positions are near a window's maximum, or a sum is near a nonlinearity's kink, the sums are
// computed again, term by term, in the same order everywhere.
#pragma once

#include "conv2d/codes.h"
#include "conv2d/copies.h"
#include "conv2d/winograd.h"

namespace conv2d {

// How far a sum of 1's rounding is taken for |x| up to 1 and filters whose absolute values sum to 1. The largest
// error seen is a fifth of it (the harness checks that it stays under half).
constexpr float ROUNDING = 8e-6f;

// Marks of a patch: it equals the one on its left, the one above it.
constexpr uint8_t LEFT = 1, ABOVE = 2;

// Marks the patches of an image, [row][column], and returns the number of marks. `counts`: room for a row of the frame.
inline long mark_equal_patches(const Problem &p, const float *image, const Frame &f, int *counts, uint8_t *marks) {
    const int rows = p.rows + p.pad.top + p.pad.bottom, columns = p.columns + p.pad.left + p.pad.right;
    memset(marks, 0, (size_t)p.out_rows() * p.out_columns());
    long all = 0;
    for (const uint8_t mark : {LEFT, ABOVE}) {
        const int down = mark == ABOVE, across = mark == LEFT, last = columns - across - p.size.columns;
        const ptrdiff_t step = down * f.line() + across * f.pixel;
        memset(counts, 0, columns * sizeof(int));  // at each column, rows of a patch that equal the neighbour's
        for (int r = 0; r < rows - down; r++) {
            int run = 0;
            for (int c = columns - across - 1; c >= 0; c--) {
                const float *x = image + r * f.line() + (ptrdiff_t)c * f.pixel;
                run = x[0] == x[step] && !memcmp(x, x + step, f.pixel * sizeof(float)) ? run + 1 : 0;
                if (c > last) continue;
                counts[c] = run >= p.size.columns ? counts[c] + 1 : 0;
                if (counts[c] < p.size.rows) continue;
                marks[(ptrdiff_t)(r + 1 - p.size.rows + down) * p.out_columns() + c + across] |= mark;
                all++;
            }
        }
    }
    return all;
}

// An image and its sums.
struct Doubtful {
    const Problem &p;
    const After &after;
    const Frame &frame;
    const float *lines, *bias;
    float *image, *y, *pooled;  // pooled: null where nothing pools
    uint8_t *codes;             // null where they are not wanted
    float *margin;              // for each filter: how far rounding can take a sum; padded
    const uint8_t *marks;       // of its patches, or null
    long budget;                // single sums that may be made again before every product would be cheaper

    // One sum, term by term, and its output.
    void settle(int i, int j, int o) {
        budget--;
        vec sums = {};
        for (int h = 0; h < p.size.rows; h++) {
            const float *x = image + (i + h) * frame.line() + (ptrdiff_t)j * frame.pixel;
            const float *W = lines + ((size_t)o * p.size.rows + h) * line_floats(p);
            for (int t = 0; t < line_floats(p); t += VL) sums += load_unaligned(x + t) * load(W + t);
        }
        float sum = 0;
        for (int l = 0; l < VL; l++) sum += sums[l];
        vec z = rectified(broadcast(sum + bias[o]), after.f);
        if (after.f.kind != LINES) z = curve(z, after.f);
        y[((ptrdiff_t)i * p.out_columns() + j) * p.filters + o] = z[0];
    }
    bool over() const { return budget < 0; }
    uint8_t mark(int i, int j) const { return marks ? marks[(ptrdiff_t)i * p.out_columns() + j] : 0; }

    // Gives every patch that equals a neighbour that neighbour's output.
    void copy_equal() {
        float *to = y;
        for (int i = 0; marks && i < p.out_rows(); i++)
            for (int j = 0; j < p.out_columns(); j++, to += p.filters)
                if (const uint8_t equal = mark(i, j))
                    memcpy(to, to - (equal & LEFT ? 1 : p.out_columns()) * (ptrdiff_t)p.filters,
                           p.filters * sizeof(float));
    }
};

inline long budget(const Problem &p) {
    return (long)p.out_rows() * p.out_columns() * std::max(1, padded(p.filters) / 32);
}

// Sets the margins for an image whose largest value is `most`. sizes[o]: the absolute values of filter o, summed.
inline void set_margins(const Problem &p, float most, const float *sizes, const float *bias, float *margin) {
    for (int o = 0; o < padded(p.filters); o += VL) {
        const vec b = load(bias + o);
        store(margin + o, ROUNDING * (most * load(sizes + o) + (b > vec{} ? b : -b)));
    }
}

// The maxima of an image; those in doubt are settled first. False where too many are.
inline bool settled_maxima(Doubtful &d) {
    float *pooled = d.pooled;
    uint8_t *codes = d.codes;
    const long before = d.budget;
    const pooling::Problem pool = d.after.pooling(d.p);
    const int filters = d.p.filters;
    const ptrdiff_t line = (ptrdiff_t)d.p.out_columns() * filters;
    const int out_rows = pool.out_rows(), out_columns = pool.out_columns();
    for (int i = 0; i < out_rows; i++) {
        const pooling::Range rows = pool.row_range(i);
        for (int j = 0; j < out_columns; j++) {
            const pooling::Range columns = pool.column_range(j);
            for (int o = 0; o < filters; o += VL) {
                const int some = filters - o;
                const float *from = d.y + rows.first * line + (ptrdiff_t)columns.first * filters + o;
                vec most = load_some(from, some);
                const auto window = [&](auto work) {
                    for (int h = 0; h < rows.count; h++)
                        for (int w = 0; w < columns.count; w++)
                            work(h, w, load_some(from + h * line + (ptrdiff_t)w * filters, some));
                };
                window([&](int, int, vec y) { most = y > most ? y : most; });
                const vec near = most - 2 * load(d.margin + o);
                ivec count = {};
                window([&](int h, int w, vec y) {
                    const uint8_t mark = d.mark(rows.first + h, columns.first + w);
                    ivec other = y >= near;
                    if (mark & LEFT && w) other &= y != load_some(from + h * line + (w - 1) * (ptrdiff_t)filters, some);
                    if (mark & ABOVE && h)
                        other &= y != load_some(from + (h - 1) * line + w * (ptrdiff_t)filters, some);
                    count -= other;
                });
                ivec doubt = count > 1;
                if (d.after.f.is_rectifier()) doubt &= most > vec{};  // else nothing gets a gradient
                unsigned bits = lanes(doubt) & ALL_LANES;
                if (some < VL) bits &= (1u << some) - 1;
                if (bits) {
                    window([&](int h, int w, vec y) {
                        for (unsigned b = bits & lanes(y >= near); b; b &= b - 1)
                            d.settle(rows.first + h, columns.first + w, o + __builtin_ctz(b));
                    });
                    if (d.over()) return false;
                    most = load_some(from, some);
                    window([&](int, int, vec y) { most = y > most ? y : most; });
                }
                store_some_lanes(pooled + o, most, some);
                if (codes) store_some_bytes(codes + o, codes_of(most, d.after.f, window), some);
            }
            pooled += filters;
            codes += codes ? filters : 0;
        }
    }
    // A later window may have settled what was the maximum of an earlier one.
    if (pool.window.overlaps() && d.budget != before) pool_image(pool, d.y, d.pooled);
    return true;
}

// Writes a tile's 4 x 4 sums of filters o .. as y, and settles those near the bend of two lines.
template <bool WHOLE> void write_tile(Doubtful &d, int i0, int j0, int o, const vec (&sums)[SIDE][SIDE]) {
    const Problem &p = d.p;
    const Nonlinearity &f = d.after.f;
    const int rows = WHOLE ? SIDE : std::min(SIDE, p.out_rows() - i0),
              columns = WHOLE ? SIDE : std::min(SIDE, p.out_columns() - j0), some = WHOLE ? VL : p.filters - o;
    const ptrdiff_t line = (ptrdiff_t)p.out_columns() * p.filters;
    const vec bias = load(d.bias + o), margin = load(d.margin + o);
    float *to = d.y + i0 * line + (ptrdiff_t)j0 * p.filters + o;
    ivec near = {};
    for (int h = 0; h < rows; h++)
        for (int w = 0; w < columns; w++) {
            const vec z = sums[h][w] + bias;
            near |= (z <= margin) & (z >= -margin);
            store_some_lanes(to + h * line + (ptrdiff_t)w * p.filters, rectified(z, f), some);
        }
    if (f.slope == 1 || !any(near)) return;
    for (int h = 0; h < rows; h++)
        for (int w = 0; w < columns; w++) {
            const vec z = sums[h][w] + bias;
            if (d.mark(i0 + h, j0 + w)) continue;  // it gets its neighbour's
            for (unsigned bits = lanes((z <= margin) & (z >= -margin)) & ALL_LANES; bits && !d.over(); bits &= bits - 1)
                if (o + __builtin_ctz(bits) < p.filters) d.settle(i0 + h, j0 + w, o + __builtin_ctz(bits));
        }
}
inline void write_tile(Doubtful &d, int i0, int j0, int o, const vec (&sums)[SIDE][SIDE]) {
    if (i0 + SIDE <= d.p.out_rows() && j0 + SIDE <= d.p.out_columns() && o + VL <= d.p.filters)
        write_tile<true>(d, i0, j0, o, sums);
    else
        write_tile<false>(d, i0, j0, o, sums);
}

}  // namespace conv2d
