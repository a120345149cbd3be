// The gradients of the operation in forward.h with respect to W, b and, if asked for, x.
#pragma once

#include <type_traits>

#include "convolution/backward_lists.h"
#include "convolution/backward_pixels.h"
#include "runtime/scratch.h"
#include "runtime/threads.h"

namespace convolution {

template <int IN, int OUT, int SIZE, bool DX> struct BackwardMethod {
    typedef typename std::conditional<Layout<IN, OUT, SIZE>::FEW && !DX, PixelsBackward<IN, OUT, SIZE>,
                                      ListsBackward<IN, OUT, SIZE, DX>>::type type;
};

// The sums of one part of the images.
template <class Method> struct BackwardSums {
    float *dw, *db;
    explicit BackwardSums(scratch::Arena &arena)
        : dw(arena.take(Method::SUMS)), db(arena.take(Method::L::OUT_PADDED)) {}
    void clear() {
        memset(dw, 0, Method::SUMS * sizeof(float));
        memset(db, 0, Method::L::OUT_PADDED * sizeof(float));
    }
};

// A worker's buffers, for the images whose lists are joined.
template <class Method, bool DX> struct BackwardWorker {
    typedef typename Method::L L;
    float *images, *dimages, *g;
    uint8_t *code;
    typename Method::Scratch scratch;
    BackwardWorker(scratch::Arena &arena, const Shape &s)
        : images(arena.take(Method::JOIN * L::image(s))),
          dimages(DX ? arena.take(Method::JOIN * L::image(s)) : nullptr),
          g(arena.take((size_t)s.windows * L::OUT_PADDED)),
          code(arena.take<uint8_t>((size_t)s.windows * L::OUT_PADDED)),
          scratch(arena, s) {}
};

// The filters for dx, packed.
template <class L, int OUT, bool DX> struct BackwardFilters {
    float *packed;
    explicit BackwardFilters(scratch::Arena &arena) : packed(DX ? arena.take(OUT * L::FILTER) : nullptr) {}
};

// Adds the sums of all parts, always in the same order.
template <class Method, int IN, int OUT, int SIZE>
void add_parts(float *memory, size_t each, int parts, int threads, float *dW, float *db) {
    parallel::for_ranges(OUT, threads, threads, [&](int, int, int first, int last) {
        for (int part = 0; part < parts; part++) {
            scratch::Arena arena(memory + part * each);
            const BackwardSums<Method> sums(arena);
            for (int o = first; o < last; o++) {
                for (int c = 0; c < IN; c++)
                    for (int h = 0; h < SIZE; h++)
                        for (int w = 0; w < SIZE; w++)
                            dW[((o * IN + c) * SIZE + SIZE - 1 - h) * SIZE + SIZE - 1 - w] +=
                                sums.dw[Method::place(o, c, h, w)];
                db[o] += sums.db[o];
            }
        }
    });
}

// dW (contiguous, as W), db and, if DX, dx of all images. Throws std::bad_alloc.
template <int IN, int OUT, int SIZE, bool DX>
void backward(const Shape &s, const Input &x, const Input &W, const Input &g, const uint8_t *codes, float *dW,
              float *db, const Output &dx) {
    typedef typename BackwardMethod<IN, OUT, SIZE, DX>::type Method;
    typedef Layout<IN, OUT, SIZE> L;
    typedef BackwardFilters<L, OUT, DX> Filters;
    typedef BackwardSums<Method> Sums;
    typedef BackwardWorker<Method, DX> Worker;
    constexpr int P = L::OUT_PADDED, JOIN = Method::JOIN;
    memset(dW, 0, (size_t)OUT * IN * SIZE * SIZE * sizeof(float));
    memset(db, 0, OUT * sizeof(float));
    if (s.images == 0) return;
    const int threads = parallel::threads();
    const int parts = threads == 1 ? 1 : parts_of(s.images, Method::PARTS * threads);
    const size_t maps = (size_t)s.windows * P, image_floats = L::image(s);
    const size_t shared = scratch::floats_of<Filters>(), sums_floats = scratch::floats_of<Sums>(),
                 each = scratch::floats_of<Worker>(s);
    struct Tag;
    float *memory = scratch::thread_memory<Tag>(shared + parts * sums_floats + threads * each);
    float *all_sums = memory + shared, *workers = all_sums + parts * sums_floats;
    scratch::Arena arena(memory);
    const Filters filters(arena);
    bool finite_filters = true;
    if (DX) {
        parallel::for_ranges(OUT, threads, threads, [&](int, int, int first, int last) {
            pack_by_filter<L, IN, SIZE>(W, first, last, filters.packed);
        });
        finite_filters = finite(largest(filters.packed, OUT * L::FILTER));
    }

    const bool in_place = is_local<OUT, P>(g, s);
    parallel::for_ranges(s.images, parts, threads, [&](int part, int number, int first, int last) {
        scratch::Arena own(workers + number * each), own_sums(all_sums + part * sums_floats);
        Worker worker(own, s);
        Sums sums(own_sums);
        worker.scratch.clear(s);
        sums.clear();
        if (P != OUT) memset(worker.code, 0, maps);
        for (int n0 = first; n0 < last; n0 += JOIN) {
            const int joined = last - n0 < JOIN ? last - n0 : JOIN;
            worker.scratch.start();
            if (DX) memset(worker.dimages, 0, joined * image_floats * sizeof(float));
            for (int k = 0; k < joined; k++) {
                const int start = (int)(k * image_floats);
                float *image = worker.images + start;
                copy_image<L, IN>(x, n0 + k, s, image);
                if (!in_place) copy_maps<OUT, P>(g, n0 + k, s, worker.g);
                const float *gradient = in_place ? g.at(n0 + k) : worker.g;
                const uint8_t *code = codes + (size_t)(n0 + k) * s.windows * OUT;
                if (P != OUT) {
                    for (int p = 0; p < s.windows; p++)
                        memcpy(worker.code + (size_t)p * P, code + (size_t)p * OUT, OUT);
                    code = worker.code;
                }
                if (finite_filters && finite(largest(image, image_floats)) && finite(largest(gradient, maps)) &&
                    !has_nan(code, maps))
                    Method::add_image(worker.scratch, s, image, start, gradient, code, sums.dw, sums.db);
                else
                    add_everything<L, IN, OUT, SIZE>(
                        s, image, W, gradient, code, sums.db, [&](int o, int offset, float v) {
                            Method::add_position(worker.scratch, s, image, start, offset, v, o, sums.dw);
                        });
            }
            // Without dx its buffers are not touched, though addresses in them are computed.
            Method::finish(worker.scratch, s, worker.images, DX ? worker.dimages : worker.images,
                           DX ? filters.packed : sums.dw, sums.dw);
            if (DX)
                for (int k = 0; k < joined; k++)
                    copy_image_back<L, IN>(worker.dimages + k * image_floats, s, dx, n0 + k);
        }
    });
    add_parts<Method, IN, OUT, SIZE>(all_sums, sums_floats, parts, threads, dW, db);
}

}  // namespace convolution
