// y = f(conv2d(x, W) + b), and its pooling.
#pragma once

#include <cmath>
#include <new>

#include "conv2d/dense_sums.h"
#include "conv2d/ties.h"
#include "conv2d/ways.h"
#include "conv2d/winograd_sums.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace conv2d {

struct ForwardShared {
    float *packed, *bias;
    float *winograd, *lines, *sizes;  // sizes[o]: the absolute values of filter o, summed
    ForwardShared(scratch::Arena &arena, const Problem &p, bool with_winograd)
        : packed(arena.take(packed_floats(p.filters, p.places() * p.channels))),
          bias(arena.take(padded(p.filters))),
          winograd(with_winograd ? arena.take(winograd_filter_floats(sums_of_y(p))) : nullptr),
          lines(with_winograd ? arena.take(lines_floats(p)) : nullptr),
          sizes(with_winograd ? arena.take(padded(p.filters)) : nullptr) {}
};

// Of images that are handled together.
struct ForwardWorker {
    size_t frame, map, width;
    float *frames, *maps, *margins;
    Doubtful *chosen;  // images whose sums are Winograd's
    const float **images;
    int *counts;
    uint8_t *marks;  // of the patches of `together` images
    WinogradTiles tiles;
    ForwardWorker(scratch::Arena &arena, const Problem &p, int together, bool with_winograd, bool with_maps)
        : frame(round_up(frame_of_x(p).floats())),
          map(with_maps ? (size_t)p.out_rows() * p.out_columns() * p.filters : 0),
          width(padded(p.filters)),
          frames(arena.take(together * frame)),
          maps(arena.take(together * map + VL)),
          margins(arena.take(together * width)),
          chosen(arena.take<Doubtful>(together)),
          images(arena.take<const float *>(together)),
          counts(arena.take<int>(with_winograd ? frame_of_x(p).columns : 0)),
          marks(arena.take<uint8_t>(with_winograd ? (size_t)together * p.out_rows() * p.out_columns() : 0)),
          tiles(arena, p.size.rows, with_winograd ? p.channels : 0, with_winograd ? p.filters : 0) {}
};

// The filters and biases as the sums take them. Returns whether all are finite.
inline bool prepare(const Problem &p, const Filters &W, const float *b, ptrdiff_t b_stride, int threads,
                    const ForwardShared &shared) {
    for (int o = 0; o < padded(p.filters); o++)
        shared.bias[o] = b && o < p.filters ? b[o * b_stride] + 0.f : 0;  // no -0
    pack_for_y(p, W, shared.packed, threads);
    if (!shared.winograd) return true;
    winograd_filters_for_y(p, W, shared.winograd, threads);
    parallel::for_ranges(padded(p.filters), std::min(p.filters, threads), threads, [&](int, int, int first, int last) {
        pack_lines(p, W, std::min(first, p.filters), std::min(last, p.filters), shared.lines);
        for (int o = first; o < last; o++) {
            float size = 0;
            const float *line = shared.lines + (size_t)o * p.size.rows * line_floats(p);
            for (int t = 0; o < p.filters && t < p.size.rows * line_floats(p); t++) size += std::fabs(line[t]);
            shared.sizes[o] = size;
        }
    });
    return largest(shared.sizes, padded(p.filters)) < 1e15f && largest(shared.bias, padded(p.filters)) < 1e30f;
}

// y: contiguous (image, row, column, filter), or null where the pooled alone are wanted; pooled: likewise; codes: of
// the pooled, or null. b may be null. Throws std::bad_alloc.
inline void forward(const Problem &p, const After &after, const Ways &ways, const Input &x, const Filters &W,
                    const float *b, ptrdiff_t b_stride, float *y, float *pooled, uint8_t *codes,
                    int threads = parallel::threads()) {
    const int rows = p.out_rows(), columns = p.out_columns();
    if (!p.images || !rows || !columns) return;
    if (is_thin(p)) return forward(thinned(p), after, ways, thinned(p, x), W, b, b_stride, y, pooled, codes, threads);
    const bool winograd = ways.winograd_y && has_winograd(p) && !after.ties;
    // Where windows overlap, a sum that one of them settles would differ from its neighbour's in another.
    const bool overlap = after.pool.compares() && after.pool.overlaps(),
               rounding_decides = after.pool.compares() || after.f.slope != 1;
    const Sums sums = sums_of_y(p);
    const int together =
        std::min(p.images, winograd ? images_together(p.size.rows, p.channels, p.filters, sums.tiling()) : 1);
    const size_t shared_floats = scratch::floats_of<ForwardShared>(p, winograd),
                 each = scratch::floats_of<ForwardWorker>(p, together, winograd, !y);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared_floats + threads * each);
    scratch::Arena arena(memory);
    const ForwardShared shared(arena, p, winograd);
    const bool finite_filters = prepare(p, W, b, b_stride, threads, shared);

    const Frame f = frame_of_x(p);
    const ptrdiff_t map = (ptrdiff_t)rows * columns * p.filters;
    const pooling::Problem pool = after.pooling(p);
    const ptrdiff_t pooled_map = after.pool ? pool.out_image() : 0;
    const auto every_product = [&](const float *image, float *to, float *maxima, uint8_t *code) {
        sum_rows(image, f, p.size, p.stride, Pair{rows, columns}, shared.packed,
                 Epilogue{shared.bias, after.f, p.filters, to, (ptrdiff_t)columns * p.filters, p.filters});
        bend(to, map, after.f);
        if (code)
            pool_image_with_codes(pool, after.f, to, maxima, code);
        else if (maxima)
            pool_image(pool, to, maxima);
    };
    const int groups = (p.images + together - 1) / together;
    parallel::for_ranges(groups, std::min(groups, 4 * threads), threads, [&](int, int number, int first, int last) {
        scratch::Arena own(memory + shared_floats + number * each);
        const ForwardWorker worker(own, p, together, winograd, !y);
        memset(worker.frames, 0, together * worker.frame * sizeof(float));
        for (int n0 = first * together; n0 < std::min(p.images, last * together); n0 += together) {
            const int count = std::min(together, p.images - n0);
            int some = 0;
            for (int k = 0; k < count; k++) {
                float *image = worker.frames + k * worker.frame, *margin = worker.margins + k * worker.width;
                float *to = y ? y + (n0 + k) * map : worker.maps + k * worker.map;
                float *maxima = after.pool ? pooled + (n0 + k) * pooled_map : nullptr;
                uint8_t *code = codes ? codes + (n0 + k) * pooled_map : nullptr;
                const float most = copy_image(x, n0 + k, p.rows, p.columns, p.channels, f, image);
                uint8_t *marks = worker.marks + (size_t)k * rows * columns;
                const bool may = winograd && finite_filters && most < 1e15f;
                const long equal = may && rounding_decides ? mark_equal_patches(p, image, f, worker.counts, marks) : 0;
                if (may && !(overlap && 8 * equal > (long)rows * columns)) {
                    set_margins(p, most, shared.sizes, shared.bias, margin);
                    new (worker.chosen + some) Doubtful{p,
                                                        after,
                                                        f,
                                                        shared.lines,
                                                        shared.bias,
                                                        image,
                                                        to,
                                                        maxima,
                                                        code,
                                                        margin,
                                                        equal && !overlap ? marks : nullptr,
                                                        budget(p)};
                    worker.images[some++] = image;
                } else {
                    every_product(image, to, maxima, code);
                }
            }
            winograd_sums(sums, worker.images, some, f, shared.winograd, worker.tiles,
                          [&](int k, int i, int j, int o, const vec(&tile)[SIDE][SIDE]) {
                              if (!worker.chosen[k].over()) write_tile(worker.chosen[k], i, j, o, tile);
                          });
            for (int k = 0; k < some; k++) {
                Doubtful &d = worker.chosen[k];
                d.copy_equal();
                if (!d.over()) bend(d.y, map, after.f);
                if (d.over() || (after.pool.compares() && !settled_maxima(d)))
                    every_product(d.image, d.y, d.pooled, d.codes);
                else if (after.pool && !after.pool.compares())
                    pool_image(pool, d.y, d.pooled);
            }
        }
    });
}

}  // namespace conv2d
