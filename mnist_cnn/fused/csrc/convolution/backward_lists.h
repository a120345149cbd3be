// Backward, over the positions before pooling that have a gradient: one in four, and fewer after rectifier and
// dropout. They are listed for each output channel.
#pragma once

#include <limits>

#include "convolution/copies.h"
#include "convolution/forward_pixels.h"
#include "convolution/term_by_term.h"
#include "runtime/lists.h"

namespace convolution {

using lists::List;
using lists::Lists;

// Calls share(position, gradient) for each of a window's positions that has a share.
template <class Share> ALWAYS_INLINE void for_shares(uint8_t code, float gradient, Share share) {
    for (unsigned shares = gradient != 0 ? code : 0; shares; shares &= shares - 1) {
        const int bit = __builtin_ctz(shares);
        share(bit / 2, bit % 2 ? .5f * gradient : gradient);
    }
}

// From [window][channel] to [channel][window], VL of each.
inline void turn(const float *from, float *to) {
    UNROLL for (int i = 0; i < VL; i += 4) UNROLL for (int j = 0; j < VL; j += 4)
        transpose4(from + i * VL + j, VL, to + j * VL + i, VL);
}

// Lists the positions with a gradient in one finite image, and adds the bias' gradient to db. VL windows of VL channels
// at a time, transposed so that a vector holds one channel's windows: those with a gradient are moved to its front and
// stored. They are hard to predict, so no branch depends on them. corners: offset of each window's first patch.
template <class L, int OUT>
void list_gradients(const Shape &s, const float *g, const uint8_t *codes, const int32_t *corners, int start,
                    const Lists &lists, float *db) {
    constexpr int P = L::OUT_PADDED;
    const int offset_of[4] = {0, L::PIXEL, s.columns * L::PIXEL, (s.columns + 1) * L::PIXEL};
    alignas(64) float gains[VL * VL], gain_of[VL * VL], code_of[VL * VL];
    alignas(64) int32_t code_tile[VL * VL];
    for (int o = 0; o < P; o += VL)
        for (int p = 0; p < s.windows; p += VL) {
            const int windows = s.windows - p < VL ? s.windows - p : VL;
            for (int k = 0; k < windows; k++) {
                const float *gradient = g + (size_t)(p + k) * P + o;
                const uint8_t *code = codes + (size_t)(p + k) * P + o;
                const ivec q = load_bytes(code);
                const vec gain = q != 0 ? load_unaligned(gradient) : vec{};
                *(ivec *)(code_tile + k * VL) = q;
                store(gains + k * VL, gain);
                if (several_shares(q)) {
                    for (int l = 0; l < VL; l++)
                        for_shares(code[l], gradient[l], [&](int, float v) { db[o + l] += v; });
                } else {
                    store(db + o, load(db + o) + gain);
                }
            }
            if (windows < VL) {
                memset(code_tile + windows * VL, 0, (VL - windows) * VL * sizeof(float));
                memset(gains + windows * VL, 0, (VL - windows) * VL * sizeof(float));
            }
            turn((const float *)code_tile, code_of);
            turn(gains, gain_of);
            const ivec corner = *(const ivec *)(corners + p) + start;
            for (int l = 0; l < VL && o + l < OUT; l++) {
                const ivec q = (ivec)load(code_of + l * VL);
                const vec gain = load(gain_of + l * VL);
                if (several_shares(q)) {
                    for (int k = 0; k < windows; k++)
                        for_shares((uint8_t)q[k], gain[k], [&](int position, float v) {
                            lists.add(o + l, corner[k] + offset_of[position], v);
                        });
                    continue;
                }
                const ivec offset =
                    corner + ((q == 4) & offset_of[1]) + ((q == 16) & offset_of[2]) + ((q == 64) & offset_of[3]);
                lists.add_some(o + l, offset, (ivec)gain, lanes(gain != 0) & ALL_LANES);
            }
        }
}

// Whether a position's pre-activation was NaN, as a bias that is NaN makes it.
inline bool has_nan(const uint8_t *codes, size_t n) {
    uint8_t both = 0;
    for (size_t k = 0; k < n; k++) both |= codes[k] & (codes[k] >> 1) & ALL_TIED;
    return both;
}

// The gradient of every position, zeros too, for images with NaN or infinity: 0 * NaN is NaN, and must
// reach dW and dx as in the plain graph. Calls add(channel, offset, gradient).
template <class L, int IN, int OUT, int SIZE, class Add>
void add_everything(const Shape &s, const float *image, const Input &W, const float *g, const uint8_t *code, float *db,
                    Add add) {
    constexpr int P = L::OUT_PADDED;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (int r = 0; r < s.out_rows; r++)
        for (int w = 0; w < s.out_columns; w++)
            for (int o = 0; o < OUT; o++) {
                float v = 0;
                if (r / 2 < s.window_rows && w / 2 < s.window_columns) {
                    const size_t at = ((size_t)(r / 2) * s.window_columns + w / 2) * P + o;
                    const int share = code[at] >> 2 * (r % 2 * 2 + w % 2) & 3;
                    int best = 0;
                    for (int k = 0; k < 8; k += 2) best |= (code[at] >> k & 3) == ALL;
                    if (share == ALL)
                        v = g[at];
                    else if (share == HALF)
                        v = 0.5f * g[at];
                    else if (share == NOT_A_NUMBER)
                        v = nan;
                    else
                        v = best ? 0 : 0 * g[at];  // a rectified zero: slope 0 times the gradient
                } else if (std::isnan(sum_of_terms<L, IN, SIZE>(image, s, W, o, r, w))) {
                    v = nan;  // beyond the last window
                }
                add(o, (r * s.columns + w) * L::PIXEL, v);
                db[o] += v;
            }
}

// dW += g * x and dx += g * W over a list, for a chunk of the filter of NH rows by NT vectors. The chunk of
// W and its gradient stay in registers while the list goes by. Of the last vector of a row, TAIL floats
// belong to the run; 0 means all.
template <int NH, int NT, int TAIL, bool DX>
ALWAYS_INLINE void add_chunk(const List list, const float *x, float *dx, ptrdiff_t line, const float *w, float *dw,
                             ptrdiff_t row) {
    ivec tail;
    for (int l = 0; l < VL; l++) tail[l] = l < TAIL ? -1 : 0;
    vec filter[NH][NT], sum[NH][NT];
    UNROLL for (int h = 0; h < NH; h++) UNROLL for (int t = 0; t < NT; t++) {
        if (DX) filter[h][t] = load(w + h * row + t * VL);
        sum[h][t] = load(dw + h * row + t * VL);
    }
    for (int e = 0; e < list.count; e++) {
        const vec g = broadcast(list.values[e]);
        const float *xe = keep(x + list.patches[e]);
        float *dxe = keep(dx + list.patches[e]);
        UNROLL for (int h = 0; h < NH; h++) UNROLL for (int t = 0; t < NT; t++) {
            const ptrdiff_t at = h * line + t * VL;
            sum[h][t] += g * load_unaligned(xe + at);
            if (DX) {
                vec add = g * filter[h][t];
                if (TAIL && t == NT - 1) add = (vec)((ivec)add & tail);  // no 0 * NaN from beyond the run
                *(vec_unaligned *)(dxe + at) = load_unaligned(dxe + at) + add;
            }
        }
    }
    UNROLL for (int h = 0; h < NH; h++) UNROLL for (int t = 0; t < NT; t++) store(dw + h * row + t * VL, sum[h][t]);
}

// The rows h .. h + NH - 1 of one filter in one block, in chunks of at most CHUNK vectors.
constexpr int CHUNK = 5;  // 5 vectors of W and 5 of dW fit in 16 registers
template <class L, int NH, bool DX>
ALWAYS_INLINE void add_rows(const List &list, const float *x, float *dx, ptrdiff_t line, const float *w, float *dw) {
    constexpr int N = L::RUN_VECTORS, LAST = N % CHUNK ? N % CHUNK : CHUNK, TAIL = L::RUN % VL;
    int t = 0;
    for (; t + LAST < N; t += CHUNK)
        add_chunk<NH, CHUNK, 0, DX>(list, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
    add_chunk<NH, LAST, TAIL, DX>(list, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
}
template <class L, int SIZE, bool DX>
void add_filter(const List &list, const float *x, float *dx, int columns, const float *w, float *dw) {
    constexpr int N = L::RUN_VECTORS, ROWS = N >= CHUNK ? 1 : CHUNK / N < SIZE ? CHUNK / N : SIZE;
    const ptrdiff_t line = (ptrdiff_t)columns * L::PIXEL;
    int h = 0;
    for (; h + ROWS <= SIZE; h += ROWS)
        add_rows<L, ROWS, DX>(list, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
    for (; h < SIZE; h++) add_rows<L, 1, DX>(list, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
}

template <int IN, int OUT, int SIZE, bool DX> struct ListsBackward {
    typedef Layout<IN, OUT, SIZE> L;
    // Images whose lists are joined: longer lists make more of each chunk of a filter in registers.
    static constexpr int JOIN = L::FEW ? 1 : 4;
    static constexpr int PARTS = 2;  // for a thread; each has sums of its own
    static constexpr size_t SUMS = (size_t)OUT * L::FILTER;

    struct Scratch {
        Lists lists;
        int32_t *corners;
        Scratch(scratch::Arena &arena, const Shape &s)
            : lists(arena, OUT, (size_t)JOIN * s.positions), corners(arena.take<int32_t>(round_up(s.windows))) {}
        void clear(const Shape &s) {
            for (int p = 0; p < s.windows; p++)
                corners[p] = (p / s.window_columns * 2 * s.columns + p % s.window_columns * 2) * L::PIXEL;
        }
        void start() { lists.clear(); }
    };

    // One finite image, the next of those that are joined; it begins at `start` in their local copy.
    static void add_image(Scratch &scratch, const Shape &s, const float *, int start, const float *g,
                          const uint8_t *code, float *, float *db) {
        list_gradients<L, OUT>(s, g, code, scratch.corners, start, scratch.lists, db);
    }
    static void add_position(Scratch &scratch, const Shape &, const float *, int start, int offset, float v, int o,
                             float *) {
        scratch.lists.add(o, start + offset, v);
    }
    static void finish(const Scratch &scratch, const Shape &s, const float *images, float *dimages,
                       const float *filters, float *dw) {
        for (int b = 0; b < L::BLOCKS; b++)
            for (int o = 0; o < OUT; o++) {
                const size_t f = (size_t)o * L::FILTER + b * SIZE * L::RUN_VECTORS * VL, plane = b * L::plane(s);
                add_filter<L, SIZE, DX>(scratch.lists.of(o), images + plane, dimages + plane, s.columns, filters + f,
                                        dw + f);
            }
    }
    // The index in dw of place (h, w) of channel c in filter o.
    static size_t place(int o, int c, int h, int w) { return o * L::FILTER + place_in_filter<L>(c, h, w, SIZE); }
};

}  // namespace convolution
