// The gradients of forward.h's y with respect to W, b and, if asked for, x.
#pragma once

#include "conv2d/backward_dense.h"
#include "conv2d/backward_sparse.h"
#include "conv2d/winograd.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace conv2d {

// The shares of non-zero gradients up to which lists are faster than every product, for dW and for dW with dx.
// Measured with 3x3 and 5x5 filters of 32 and 64 channels. A line that fills few vectors is never worth a list.
// The last is that where Winograd's algorithm is to be beaten.
constexpr double SPARSE_DW = .4, SPARSE_DX = .25, SPARSE_WINOGRAD = .12;
inline bool worth_lists(const Problem &p) { return p.size * p.channels >= 3 * VL; }

struct BackwardShared {
    float *winograd, *dense;        // filters for dx: transformed where that is worth it, else packed
    float *lines, *zeros;           // filters for lists; no bias
    BackwardShared(scratch::Arena &arena, const Problem &p, bool dx)
        : winograd(dx && worth_winograd(p) ? arena.take(winograd_filters_floats(p)) : nullptr),
          dense(dx && !worth_winograd(p) ? arena.take(packed_floats(p.channels, p.size * p.size * padded(p.filters))) : nullptr),
          lines(arena.take(sparse_sums_floats(p))), zeros(arena.take(padded(p.channels))) {}
};

// The sums of one part of the images.
struct BackwardSums {
    float *dense, *sparse, *db;
    BackwardSums(scratch::Arena &arena, const Problem &p)
        : dense(arena.take(dense_sums_floats(p))), sparse(arena.take(sparse_sums_floats(p))),
          db(arena.take(padded(p.filters))) {}
    void clear(const Problem &p) {
        memset(dense, 0, dense_sums_floats(p) * sizeof(float));
        memset(sparse, 0, sparse_sums_floats(p) * sizeof(float));
        memset(db, 0, padded(p.filters) * sizeof(float));
    }
};

struct BackwardWorker {
    float *x, *g, *dx;
    Lists lists;
    WinogradImage winograd;
    BackwardWorker(scratch::Arena &arena, const Problem &p, bool with_dx)
        : x(arena.take(frame_of_x(p).floats())), g(arena.take(frame_of_g(p).floats())),
          dx(with_dx ? arena.take(frame_of_x(p).floats()) : nullptr), lists(arena, p),
          winograd(arena, with_dx && worth_winograd(p) ? p : Problem()) {}
};

// dx of an image (contiguous), every product. `g`: the first patch, in its frame.
inline void dense_dx(const Problem &p, const float *g, const Frame &fg, const float *filters, const float *zeros,
                     float *dx) {
    for (int i = 0; i < p.rows; i++)
        sum_row(g + i * fg.line(), fg, p.size, p.columns, filters,
                Epilogue{zeros, 1, p.channels, dx + (ptrdiff_t)i * p.columns * p.channels, p.channels});
}

// The image within a frame, to contiguous memory.
inline void copy_out(const Problem &p, const float *frame, const Frame &f, float *to) {
    for (int i = 0; i < p.rows; i++)
        memcpy(to + (ptrdiff_t)i * p.columns * p.channels,
               frame + (f.top + i) * f.line() + (ptrdiff_t)f.left * f.pixel,
               (size_t)p.columns * p.channels * sizeof(float));
}

// dx of an image in a frame like x's, term by term: for numbers too large to transform, NaN and infinity, of which a
// zero of a frame, too, would make NaN.
inline void plain_dx(const Problem &p, const float *g, const Frame &fg, const float *lines, const Frame &fx, float *dx) {
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j++)
            for (int o = 0; o < p.filters; o++)
                for (int h = 0; h < p.size; h++) {
                    const float *W = lines + ((ptrdiff_t)o * p.size + h) * line_floats(p);
                    float *to = dx + (i + h) * fx.line() + (ptrdiff_t)j * fx.pixel;
                    for (int t = 0; t < p.size * p.channels; t++)
                        to[t] += g[i * fg.line() + (ptrdiff_t)j * fg.pixel + o] * W[t];
                }
}

// Adds the sums of all parts, always in the same order. dW: contiguous, as W.
inline void add_parts(const Problem &p, float *memory, size_t each, int parts, int threads, float *dW, float *db) {
    const int P = padded(p.filters), run = p.size * p.channels;
    parallel::for_ranges(p.filters, threads, threads, [&](int, int, int first, int last) {
        for (int part = 0; part < parts; part++) {
            scratch::Arena arena(memory + part * each);
            const BackwardSums sums(arena, p);
            for (int o = first; o < last; o++) {
                for (int h = 0; h < p.size; h++)
                    for (int w = 0; w < p.size; w++) {
                        const ptrdiff_t t = (ptrdiff_t)w * p.channels;
                        const float *dense = sums.dense + (h * run + t) * P + o;
                        const float *sparse = sums.sparse + ((ptrdiff_t)o * p.size + h) * line_floats(p) + t;
                        float *to = dW + (ptrdiff_t)o * p.channels * p.size * p.size +
                                    (p.size - 1 - h) * p.size + p.size - 1 - w;
                        for (int c = 0; c < p.channels; c++) to[(ptrdiff_t)c * p.size * p.size] += dense[(ptrdiff_t)c * P] + sparse[c];
                    }
                db[o] += sums.db[o];
            }
        }
    });
}

// y and dx (null: not wanted): contiguous (image, row, column, channel). Throws std::bad_alloc.
inline void backward(const Problem &p, const Input &x, const Filters &W, const float *y, const Input &g, float slope,
                     float *dW, float *db, float *dx) {
    memset(dW, 0, (size_t)p.filters * p.channels * p.size * p.size * sizeof(float));
    memset(db, 0, p.filters * sizeof(float));
    if (!p.images) return;
    const int threads = parallel::threads(), parts = threads == 1 ? 1 : std::min(p.images, 2 * threads);
    const size_t shared_floats = scratch::floats_of<BackwardShared>(p, dx != nullptr),
                 sums_floats = scratch::floats_of<BackwardSums>(p),
                 each = scratch::floats_of<BackwardWorker>(p, dx != nullptr);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared_floats + parts * sums_floats + threads * each);
    float *all_sums = memory + shared_floats, *workers = all_sums + parts * sums_floats;
    scratch::Arena arena(memory);
    const BackwardShared shared(arena, p, dx != nullptr);
    bool finite_filters = true;
    if (dx) {
        pack_lines(p, W, shared.lines);
        memset(shared.zeros, 0, padded(p.channels) * sizeof(float));
        if (shared.winograd) {
            memset(shared.winograd, 0, winograd_filters_floats(p) * sizeof(float));
            parallel::for_ranges(p.channels, std::min(p.channels, threads), threads, [&](int, int, int first, int last) {
                pack_for_winograd(p, W, first, last, shared.winograd);
            });
        } else {
            pack_for_dx(p, W, shared.dense);
        }
        finite_filters = finite(largest(shared.lines, sparse_sums_floats(p)));
    }

    const Frame fx = frame_of_x(p), fg = frame_of_g(p);
    const ptrdiff_t image = (ptrdiff_t)p.rows * p.columns * p.channels;
    const double values = (double)p.out_rows() * p.out_columns() * p.filters;
    parallel::for_ranges(p.images, parts, threads, [&](int part, int number, int first, int last) {
        scratch::Arena own(workers + number * each), own_sums(all_sums + part * sums_floats);
        const BackwardWorker worker(own, p, dx != nullptr);
        BackwardSums sums(own_sums, p);
        clear(fx, worker.x);
        clear(fg, worker.g);
        sums.clear(p);
        const float *g_first = worker.g + fg.top * fg.line() + (ptrdiff_t)fg.left * fg.pixel;
        const float *g_patch = worker.g + std::max(0, p.pad.top - p.size + 1) * fg.line() +
                               (ptrdiff_t)std::max(0, p.pad.left - p.size + 1) * fg.pixel;     // dx's first
        for (int n = first; n < last; n++) {
            copy_image(x, n, p.rows, p.columns, p.channels, fx, worker.x);
            const long count = copy_gradient(p, g, y, slope, n, fg, worker.g, sums.db);
            // A skipped zero would hide the NaN that 0 * infinity is.
            const bool lists = worth_lists(p) && count <= SPARSE_DW * values && finite_filters &&
                               finite(largest(worker.x, fx.floats() / VL * VL)) &&
                               finite(largest(worker.g, fg.floats() / VL * VL));
            // Winograd's transforms multiply by up to 100.
            const bool transforms = shared.winograd && finite_filters && largest(worker.g, fg.floats() / VL * VL) < 1e30f;
            const bool lists_dx = dx && lists && count <= (transforms ? SPARSE_WINOGRAD : SPARSE_DX) * values;
            float *to = dx ? dx + n * image : nullptr;
            if (lists_dx) clear(fx, worker.dx);
            if (lists) {
                list_gradient(p, fx, g_first, fg, worker.lists);
                add_sparse(p, worker.x, fx, worker.lists, shared.lines, sums.sparse, lists_dx ? worker.dx : nullptr);
            } else {
                add_dense(p, worker.x, fx, g_first, fg, sums.dense);
            }
            if (lists_dx) {
                copy_out(p, worker.dx, fx, to);
            } else if (transforms) {
                winograd_dx(p, g_patch, fg, shared.winograd, shared.zeros, worker.winograd, to);
            } else if (shared.dense && finite_filters) {
                dense_dx(p, g_patch, fg, shared.dense, shared.zeros, to);
            } else if (dx) {
                clear(fx, worker.dx);
                plain_dx(p, g_first, fg, shared.lines, fx, worker.dx);
                copy_out(p, worker.dx, fx, to);
            }
        }
    });
    add_parts(p, all_sums, sums_floats, parts, threads, dW, db);
}

}  // namespace conv2d
