// y = nonlinearity(conv2d(x, W) + b).
#pragma once

#include "conv2d/dense_sums.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace conv2d {

struct ForwardShared {
    float *filters, *bias;
    ForwardShared(scratch::Arena &arena, const Problem &p)
        : filters(arena.take(packed_floats(p.filters, p.size * p.size * p.channels))),
          bias(arena.take(padded(p.filters))) {}
};

struct ForwardWorker {
    float *image;
    ForwardWorker(scratch::Arena &arena, const Problem &p) : image(arena.take(frame_of_x(p).floats())) {}
};

// y: contiguous (image, row, column, filter). b may be null. Throws std::bad_alloc.
inline void forward(const Problem &p, const Input &x, const Filters &W, const float *b, ptrdiff_t b_stride,
                    float slope, float *y) {
    const int rows = p.out_rows(), columns = p.out_columns(), threads = parallel::threads();
    if (!p.images || !rows || !columns) return;
    const size_t shared_floats = scratch::floats_of<ForwardShared>(p), each = scratch::floats_of<ForwardWorker>(p);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared_floats + threads * each);
    scratch::Arena arena(memory);
    const ForwardShared shared(arena, p);
    pack_for_y(p, W, shared.filters);
    for (int o = 0; o < padded(p.filters); o++) shared.bias[o] = b && o < p.filters ? b[o * b_stride] : 0;

    const Frame f = frame_of_x(p);
    const int parts = std::min(p.images, 4 * threads);
    parallel::for_ranges(p.images, parts, threads, [&](int, int number, int first, int last) {
        scratch::Arena own(memory + shared_floats + number * each);
        const ForwardWorker worker(own, p);
        clear(f, worker.image);
        for (int n = first; n < last; n++) {
            copy_image(x, n, p.rows, p.columns, p.channels, f, worker.image);
            for (int i = 0; i < rows; i++)
                sum_row(worker.image + i * f.line(), f, p.size, columns, shared.filters,
                        Epilogue{shared.bias, slope, p.filters,
                                 y + ((ptrdiff_t)n * rows + i) * columns * p.filters, p.filters});
        }
    });
}

}  // namespace conv2d
