// The gradients of forward.h's y, or of its pooling, with respect to W, b and, if asked for, x.
#pragma once

#include "conv2d/backward_dense.h"
#include "conv2d/backward_pixels.h"
#include "conv2d/backward_plain.h"
#include "conv2d/backward_sparse.h"
#include "conv2d/gradient.h"
#include "conv2d/ways.h"
#include "conv2d/winograd_dw.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace conv2d {

struct BackwardShared {
    float *winograd, *dense;  // filters for dx: transformed where that is the way, else packed
    float *lines, *zeros;     // filters for lists; no bias
    BackwardShared(scratch::Arena &arena, const Problem &p, const Ways &ways, bool dx)
        : winograd(dx && ways.winograd_dx ? arena.take(winograd_filter_floats(sums_of_dx(p))) : nullptr),
          dense(dx && !ways.winograd_dx ? arena.take(packed_floats(p.channels, p.places() * padded(p.filters)))
                                        : nullptr),
          lines(arena.take(lines_floats(p))),
          zeros(arena.take(padded(p.channels))) {}
};

// The sums of one part of the images. Lists make `sparse` with dx, whether dW is asked for or not.
struct BackwardSums {
    float *dense, *sparse, *db, *winograd;
    BackwardSums(scratch::Arena &arena, const Problem &p, const Ways &ways, bool dw)
        : dense(arena.take(!dw || ways.winograd_dw ? 0 : dense_sums_floats(p))),
          sparse(arena.take(lines_floats(p))),
          db(arena.take(padded(p.filters))),
          winograd(arena.take(dw && ways.winograd_dw ? winograd_dw_floats(p) : 0)) {}
};

// Of images that are handled together.
struct BackwardWorker {
    size_t frame, frame_g;
    float *xs, *gs, *dx, *pooled, *panel;
    const float **x, **g, **g_dx;  // of images whose dW is Winograd's; of those whose dx is
    float **to;
    Lists lists;
    Pixel *pixels;
    WinogradTiles dw, back;
    BackwardWorker(scratch::Arena &arena, const Problem &p, const After &after, const Ways &ways, int together,
                   bool with_dx)
        : frame(round_up(frame_of_x(p).floats())),
          frame_g(round_up(frame_of_g(p).floats())),
          xs(arena.take(together * frame)),
          gs(arena.take(together * frame_g)),
          dx(with_dx ? arena.take(frame) : nullptr),
          pooled(arena.take(after.pool ? after.pooling(p).out_image() + VL : 0)),
          panel(arena.take(ways.winograd_dw ? 0 : panel_floats(p))),
          x(arena.take<const float *>(together)),
          g(arena.take<const float *>(together)),
          g_dx(arena.take<const float *>(together)),
          to(arena.take<float *>(together)),
          lists(arena, p.filters, (size_t)p.out_rows() * p.out_columns()),
          pixels(arena.take<Pixel>(pixels_of(p))),
          dw(arena, p.size.rows, ways.winograd_dw ? p.channels : 0, ways.winograd_dw ? p.filters : 0),
          back(arena, p.size.rows, with_dx && ways.winograd_dx ? p.filters : 0,
               with_dx && ways.winograd_dx ? p.channels : 0) {}
};

// Adds the sums of all parts to the first's, always in the same order, and writes them as dW, contiguous, and db.
inline void add_parts(const Problem &p, const Ways &ways, float *memory, size_t each, int parts, int threads, float *dW,
                      float *db) {
    const int P = padded(p.filters), run = p.size.columns * p.channels;
    parallel::for_ranges((int)(each / 16), 4 * threads, threads, [&](int, int, int first, int last) {
        for (int part = 1; part < parts; part++)
            for (ptrdiff_t k = (ptrdiff_t)first * 16; k < (ptrdiff_t)last * 16; k += VL)
                store(memory + k, load(memory + k) + load(memory + part * each + k));
    });
    scratch::Arena arena(memory);
    const BackwardSums sums(arena, p, ways, true);
    memcpy(db, sums.db, p.filters * sizeof(float));
    parallel::for_ranges(P / VL, std::min(P / VL, 2 * threads), threads, [&](int, int, int first, int last) {
        for (int o = first * VL; o < last * VL; o += VL)
            for (int c = 0; c < p.channels; c++) {
                vec places[25];
                if (ways.winograd_dw) dw_places(p, sums.winograd, c, o, places);
                for (int l = 0; l < std::min(VL, p.filters - o); l++)
                    for (int h = 0; h < p.size.rows; h++)
                        for (int w = 0; w < p.size.columns; w++) {
                            const int t = w * p.channels + c;
                            const float sum = ways.winograd_dw ? places[h * p.size.columns + w][l]
                                                               : sums.dense[(size_t)(h * run + t) * P + o + l];
                            float *to = dW + ((ptrdiff_t)(o + l) * p.channels + c) * p.places();
                            to[(p.size.rows - 1 - h) * p.size.columns + p.size.columns - 1 - w] =
                                sum + sums.sparse[((size_t)(o + l) * p.size.rows + h) * line_floats(p) + t];
                        }
            }
    });
}

// The number of parts, limited by their memory.
inline int parts_of(const Problem &p, size_t sums_floats, int threads) {
    return threads == 1 ? 1 : std::min(p.images, sums_floats > 1 << 20 ? threads : 2 * threads);
}

inline void backward(const Problem &p, const After &after, const Ways &ways, const Input &x, const Filters &W,
                     const float *y, const float *pooled, const uint8_t *codes, const Input &g, float *dW, float *db,
                     float *dx, int threads = parallel::threads());

// Of thinned images; dx is zero between their pixels.
inline void thin_backward(const Problem &p, const After &after, const Ways &ways, const Input &x, const Filters &W,
                          const float *y, const float *pooled, const uint8_t *codes, const Input &g, float *dW,
                          float *db, float *dx, int threads) {
    const Problem thin = thinned(p);
    const ptrdiff_t image = (ptrdiff_t)p.rows * p.columns * p.channels,
                    thin_image = (ptrdiff_t)thin.rows * thin.columns * p.channels;
    struct Tag;
    float *pixels = dx ? scratch::thread_memory<Tag>(p.images * thin_image) : nullptr;
    backward(thin, after, ways, thinned(p, x), W, y, pooled, codes, g, dW, db, pixels, threads);
    if (!dx) return;
    parallel::for_ranges(p.images, std::min(p.images, 4 * threads), threads, [&](int, int, int first, int last) {
        memset(dx + first * image, 0, (last - first) * image * sizeof(float));
        for (int n = first; n < last; n++) {
            const View<float> to =
                thinned(p, View<float>{dx + n * image, image, (ptrdiff_t)p.columns * p.channels, p.channels, 1});
            const float *from = pixels + n * thin_image;
            for (int i = 0; i < thin.rows; i++)
                for (int j = 0; j < thin.columns; j++, from += p.channels)
                    memcpy(to.data + i * to.row + j * to.column, from, p.channels * sizeof(float));
        }
    });
}

// y, pooled (null: no pooling) and dx (null: not wanted): contiguous (image, row, column, channel); dW: null where it
// is not wanted, nor db; g: of the pooled where there are some, else of y. codes: as forward has written them, in place
// of y, or null. Throws std::bad_alloc.
inline void backward(const Problem &p, const After &after, const Ways &ways, const Input &x, const Filters &W,
                     const float *y, const float *pooled, const uint8_t *codes, const Input &g, float *dW, float *db,
                     float *dx, int threads) {
    if (is_thin(p)) return thin_backward(p, after, ways, x, W, y, pooled, codes, g, dW, db, dx, threads);
    if (dW) {
        memset(dW, 0, (size_t)p.filters * p.channels * p.places() * sizeof(float));
        memset(db, 0, p.filters * sizeof(float));
    }
    if (!p.images) return;
    const size_t shared_floats = scratch::floats_of<BackwardShared>(p, ways, dx != nullptr),
                 sums_floats = scratch::floats_of<BackwardSums>(p, ways, dW != nullptr);
    const int parts = parts_of(p, sums_floats, threads);
    int together = 1;
    if (ways.winograd_dw) together = images_together(p.size.rows, p.channels, p.filters, sums_of_y(p).tiling());
    if (ways.winograd_dx && dx)
        together = std::max(together, images_together(p.size.rows, p.filters, p.channels, sums_of_dx(p).tiling()));
    together = std::min(together, (p.images + parts - 1) / parts);
    const size_t each = scratch::floats_of<BackwardWorker>(p, after, ways, together, dx != nullptr);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared_floats + parts * sums_floats + threads * each);
    float *all_sums = memory + shared_floats, *workers = all_sums + parts * sums_floats;
    scratch::Arena arena(memory);
    const BackwardShared shared(arena, p, ways, dx != nullptr);
    bool finite_filters = true;
    if (dx) {
        parallel::for_ranges(p.filters, std::min(p.filters, threads), threads,
                             [&](int, int, int first, int last) { pack_lines(p, W, first, last, shared.lines); });
        memset(shared.zeros, 0, padded(p.channels) * sizeof(float));
        if (shared.winograd)
            winograd_filters_for_dx(p, W, shared.winograd, threads);
        else
            pack_for_dx(p, W, shared.dense, threads);
        finite_filters = finite(largest(shared.lines, lines_floats(p)));
    }

    const Frame fx = frame_of_x(p), fg = frame_of_g(p);
    const ptrdiff_t image = (ptrdiff_t)p.rows * p.columns * p.channels;
    const ptrdiff_t to_first = fg.top * fg.line() + (ptrdiff_t)fg.left * fg.pixel;
    const ptrdiff_t to_patch = to_first + row_phase(p, 0).from * fg.line() +
                               (ptrdiff_t)column_phase(p, 0).from * fg.pixel;  // dx's first, of stride 1
    const double values = (double)p.out_rows() * p.out_columns() * p.filters;
    parallel::for_ranges(p.images, parts, threads, [&](int part, int number, int first, int last) {
        scratch::Arena own(workers + number * each), own_sums(all_sums + part * sums_floats);
        const BackwardWorker worker(own, p, after, ways, together, dx != nullptr);
        const BackwardSums sums(own_sums, p, ways, dW != nullptr);
        memset(worker.xs, 0, together * worker.frame * sizeof(float));
        memset(worker.gs, 0, together * worker.frame_g * sizeof(float));
        memset(all_sums + part * sums_floats, 0, sums_floats * sizeof(float));
        for (int n0 = first; n0 < last; n0 += together) {
            int by_dw = 0, by_dx = 0;
            for (int n = n0; n < std::min(last, n0 + together); n++) {
                float *xn = worker.xs + (n - n0) * worker.frame, *gn = worker.gs + (n - n0) * worker.frame_g;
                float *to = dx ? dx + n * image : nullptr;
                const float most_x = copy_image(x, n, p.rows, p.columns, p.channels, fx, xn);
                const Found found = copy_gradient(p, after, g, y, pooled, codes, n, fg, gn, worker.pooled, sums.db);
                const float most_g = found.largest();
                // Skipping zeros would hide the NaN of 0 * infinity. Winograd's transforms multiply by up to 100.
                const bool lists_dx = dx && found.count() <= std::min(ways.lists_dx, ways.lists_dw) * values,
                           lists = (dW ? found.count() <= ways.lists_dw * values : lists_dx) && finite_filters &&
                                   finite(most_x) && finite(most_g);
                if (lists && lists_dx) clear(fx, worker.dx);
                if (lists) {
                    list_gradient(p, fx, gn + to_first, fg, worker.lists);
                    add_sparse(p, xn, fx, worker.lists, shared.lines, sums.sparse, lists_dx ? worker.dx : nullptr);
                } else if (!dW) {
                    // its sums would be thrown away
                } else if (ways.winograd_dw && most_x < 1e15f && most_g < 1e15f) {
                    worker.x[by_dw] = xn;
                    worker.g[by_dw++] = gn + to_first;
                } else if (ways.winograd_dw) {
                    plain_dw(p, gn + to_first, fg, xn, fx, sums.sparse);
                } else {
                    const bool may = has_pixels(p) && finite(most_x) && finite(most_g);
                    if (const Pixel *end = may ? list_pixels(p, xn, fx, fg, worker.pixels) : nullptr)
                        add_listed(p, worker.pixels, end, gn + to_first, fg, sums.dense);
                    else
                        add_dense(p, xn, fx, gn + to_first, fg, worker.panel, sums.dense);
                }
                if (lists && lists_dx) {
                    copy_out(p, worker.dx, fx, to);
                } else if (shared.winograd && finite_filters && most_g < 1e30f) {
                    worker.g_dx[by_dx] = gn + to_patch;
                    worker.to[by_dx++] = to;
                } else if (shared.dense && finite_filters) {
                    dense_dx(p, gn + to_first, fg, shared.dense, shared.zeros, to);
                } else if (dx) {
                    clear(fx, worker.dx);
                    plain_dx(p, gn + to_first, fg, shared.lines, fx, worker.dx);
                    copy_out(p, worker.dx, fx, to);
                }
            }
            if (by_dw) add_winograd(p, worker.x, worker.g, by_dw, fx, fg, worker.dw, sums.winograd);
            if (by_dx) winograd_dx(p, worker.g_dx, by_dx, fg, shared.winograd, worker.back, worker.to);
        }
    });
    if (dW) add_parts(p, ways, all_sums, sums_floats, parts, threads, dW, db);
}

}  // namespace conv2d
