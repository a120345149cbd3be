// Convolution + bias + rectifier + 2x2 max-pooling as one operation.
//
//     y[n, o, i, j] = max over the window (2i..2i+1, 2j..2j+1) of relu(b[o] + (W[o] * x[n]))
//
// The convolution is a true one (filters flipped), 'valid', with stride 1. docs/fused.md explains the layout of
// the local copies, the algorithms for the sums, and the tie rule.
#pragma once

#include <type_traits>

#include "convolution/forward_direct.h"
#include "convolution/forward_pixels.h"
#include "convolution/forward_winograd.h"
#include "convolution/term_by_term.h"

namespace convolution {

// The algorithm for the sums.
template <int IN, int OUT, int SIZE> struct ForwardMethod {
    typedef typename std::conditional<Layout<IN, OUT, SIZE>::FEW, PixelsForward<IN, OUT, SIZE>,
                                      typename std::conditional<SIZE == 5, WinogradForward<IN, OUT, SIZE>,
                                                                DirectForward<IN, OUT, SIZE>>::type>::type type;
};

// Read by all workers.
template <class Method> struct ForwardFilters {
    static constexpr int P = Method::L::OUT_PADDED;
    float *packed, *bias, *size;  // size[o]: |W| summed over a filter, the scale of its results
    explicit ForwardFilters(scratch::Arena &arena)
        : packed(arena.take(Method::FILTER_FLOATS)), bias(arena.take(P)), size(arena.take(P)) {}
};

// A worker's buffers, for the images that it handles together.
template <class Method> struct ForwardWorker {
    typedef typename Method::L L;
    float *images, *y, *doubt;
    uint8_t *codes;
    typename Method::Scratch scratch;
    ForwardWorker(scratch::Arena &arena, const Shape &s, int together)
        : images(arena.take(together * L::image(s))),
          y(arena.take((size_t)together * s.windows * L::OUT_PADDED)),
          doubt(arena.take(together * L::OUT_PADDED)),
          codes(arena.take<uint8_t>((size_t)together * s.windows * L::OUT_PADDED)),
          scratch(arena, s) {}
};

// Packs the filters, and sums their absolute values. Returns whether all of them and the biases are finite.
template <class Method, int IN, int OUT, int SIZE>
bool prepare_filters(const Input &W, const float *b, ptrdiff_t b_stride, const ForwardFilters<Method> &filters,
                     int threads) {
    constexpr int P = Method::L::OUT_PADDED;
    parallel::for_ranges(P, threads, threads, [&](int, int, int first, int last) {
        for (int o = first; o < last; o++) {
            filters.bias[o] = o < OUT ? b[o * b_stride] : 0;
            float part[SIZE] = {};  // sums that do not wait for each other
            for (int c = 0; c < IN && o < OUT; c++)
                for (int h = 0; h < SIZE; h++)
                    for (int w = 0; w < SIZE; w++) part[w] += std::fabs(*W.at(o, c, h, w));
            filters.size[o] = 0;
            for (float f : part) filters.size[o] += f;
        }
    });
    Method::pack(W, filters.packed, threads);
    return finite(largest(filters.size, P)) && finite(largest(filters.bias, P));
}

// y and codes ([image][window][OUT] bytes) of all images. `codes` may be null where no gradient is needed; then
// rounding decides ties. Throws std::bad_alloc.
template <int IN, int OUT, int SIZE>
void forward(const Shape &s, const Input &x, const Input &W, const float *b, ptrdiff_t b_stride, const Output &y,
             uint8_t *codes) {
    typedef typename ForwardMethod<IN, OUT, SIZE>::type Method;
    typedef typename Method::L L;
    typedef ForwardWorker<Method> Worker;
    constexpr int P = L::OUT_PADDED;
    if (s.images == 0 || s.windows == 0) return;
    const int threads = parallel::threads(), together = Method::images_together(s);
    const size_t maps = (size_t)s.windows * P;
    const size_t shared = scratch::floats_of<ForwardFilters<Method>>(), each = scratch::floats_of<Worker>(s, together);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared + threads * each);
    scratch::Arena arena(memory);
    const ForwardFilters<Method> filters(arena);
    const bool finite_filters = prepare_filters<Method, IN, OUT, SIZE>(W, b, b_stride, filters, threads);

    const int groups = (s.images + together - 1) / together;
    const bool in_place = is_local<OUT, P>(y, s);
    parallel::for_ranges(groups, parts_of(groups, 16 * threads), threads, [&](int, int number, int first, int last) {
        scratch::Arena own(memory + shared + number * each);
        const Worker worker(own, s, together);
        float *ys[TILES];
        uint8_t *to[TILES];
        for (int n0 = first * together; n0 < s.images && n0 < last * together; n0 += together) {
            const int count = s.images - n0 < together ? s.images - n0 : together;
            bool all_finite = finite_filters;
            for (int k = 0; k < count; k++) {
                float *image = worker.images + k * L::image(s);
                copy_image<L, IN>(x, n0 + k, s, image);
                ys[k] = in_place ? y.at(n0 + k) : worker.y + k * maps;
                to[k] = codes && P == OUT ? codes + (n0 + k) * maps : worker.codes + k * maps;
                const float most = largest(image, L::image(s));
                all_finite = all_finite && finite(most);
                for (int o = 0; Method::DOUBTS && codes && o < P; o++)
                    worker.doubt[k * P + o] = 2e-6f * (most * filters.size[o] + std::fabs(filters.bias[o]));
            }
            if (all_finite)
                Method::compute(worker.scratch, worker.images, count, s, W, filters.packed, filters.bias,
                                codes ? worker.doubt : nullptr, ys, to);
            else
                for (int k = 0; k < count; k++)
                    windows_of_terms<L, IN, OUT, SIZE>(worker.images + k * L::image(s), s, W, filters.bias, ys[k],
                                                       to[k]);
            for (int k = 0; k < count; k++) {
                if (!in_place) copy_maps_back<OUT, P>(ys[k], s, y, n0 + k);
                for (int p = 0; codes && p < s.windows && P != OUT; p++)
                    memcpy(codes + ((size_t)(n0 + k) * s.windows + p) * OUT, to[k] + (size_t)p * P, OUT);
            }
        }
    });
}

}  // namespace convolution
