// Backward, over the positions before pooling that have a gradient: one in four, and fewer after rectifier and
// dropout. They are listed for each output channel.
#pragma once

#include <limits>

#include "convolution/copies.h"
#include "convolution/forward_pixels.h"
#include "convolution/term_by_term.h"

namespace convolution {

// The positions before pooling that have a gradient, listed for each output channel: where in the local
// images the position's patch begins, and the gradient.
struct Lists {
    Entry *begin;    // channel o's list: from begin + o * room to next[o]
    Entry **next;    // [OUT]
    size_t room;
    ALWAYS_INLINE void add(int channel, int offset, float value) { *next[channel]++ = Entry{offset, value}; }
    Entry *of(int channel) const { return begin + channel * room; }
    int count(int channel) const { return (int)(next[channel] - of(channel)); }
};

// Lists what gets a gradient in one finite image, and adds the bias' gradient to db.
template <class L, int OUT>
void list_gradients(const Shape &s, const float *g, const uint8_t *code, int start, Lists &lists, float *db) {
    constexpr int P = L::OUT_PADDED;
    const int offset_of[4] = {0, L::PIXEL, s.columns * L::PIXEL, (s.columns + 1) * L::PIXEL};
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const int corner = start + (2 * i * s.columns + 2 * j) * L::PIXEL;
            const float *gp = g + (size_t)p * P;
            const uint8_t *qp = code + (size_t)p * P;
            for (int o = 0; o < P; o += VL) {
                const ivec q = load_bytes(qp + o);
                if (lanes(((q & (q - 1)) | (q & 2 * ALL_TIED)) != 0)) {     // ties, or zeros
                    for (int l = o; l < o + VL && l < OUT; l++)
                        for (unsigned shares = gp[l] != 0 ? qp[l] : 0; shares; shares &= shares - 1) {
                            const int bit = __builtin_ctz(shares);
                            const float v = bit % 2 ? 0.5f * gp[l] : gp[l];
                            lists.add(l, corner + offset_of[bit / 2], v);
                            db[l] += v;
                        }
                    continue;
                }
                // One share each. Which channels are alive is hard to predict, so there is no branch: what is
                // written for a dead one is overwritten by the next.
                const vec gain = q != 0 ? load_unaligned(gp + o) : vec{};
                store(db + o, load(db + o) + gain);
                alignas(64) int32_t offset[VL], live[VL];
                *(ivec *)offset = corner + ((q == 4) & offset_of[1]) + ((q == 16) & offset_of[2]) + ((q == 64) & offset_of[3]);
                *(ivec *)live = gain != 0;
                for (int l = 0; l < VL && o + l < OUT; l++) {
                    Entry *&next = lists.next[o + l];
                    next->offset = offset[l];
                    next->value = gp[o + l];
                    next -= live[l];
                }
            }
        }
}

// Whether a position's pre-activation was NaN, as a bias that is NaN makes it.
inline bool has_nan(const uint8_t *codes, size_t n) {
    uint8_t both = 0;
    for (size_t k = 0; k < n; k++) both |= codes[k] & (codes[k] >> 1) & ALL_TIED;
    return both;
}

// The gradient of every position, zeros too, where a NaN or an infinity is about: 0 * NaN is NaN, and
// must reach dW and dx as it does in the plain graph. Calls add(channel, offset, gradient).
template <class L, int IN, int OUT, int SIZE, class Add>
void add_everything(const Shape &s, const float *image, const Input &W, const float *g, const uint8_t *code,
                    float *db, Add add) {
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
                    if (share == ALL) v = g[at];
                    else if (share == HALF) v = 0.5f * g[at];
                    else if (share == NOT_A_NUMBER) v = nan;
                    else v = best ? 0 : 0 * g[at];      // a rectified zero: slope 0 times the gradient
                } else if (std::isnan(sum_of_terms<L, IN, SIZE>(image, s, W, o, r, w))) {
                    v = nan;                            // beyond the last window
                }
                add(o, (r * s.columns + w) * L::PIXEL, v);
                db[o] += v;
            }
}

// dW += g * x and dx += g * W over a list, for a chunk of the filter of NH rows by NT vectors. The chunk of
// W and its gradient stay in registers while the list goes by. Of the last vector of a row, TAIL floats
// belong to the run; 0 means all.
template <int NH, int NT, int TAIL, bool DX>
ALWAYS_INLINE void add_chunk(const Entry *entry, int entries, const float *x, float *dx, ptrdiff_t line,
                             const float *w, float *dw, ptrdiff_t row) {
    ivec tail;
    for (int l = 0; l < VL; l++) tail[l] = l < TAIL ? -1 : 0;
    vec filter[NH][NT], sum[NH][NT];
    UNROLL for (int h = 0; h < NH; h++)
        UNROLL for (int t = 0; t < NT; t++) {
            if (DX) filter[h][t] = load(w + h * row + t * VL);
            sum[h][t] = load(dw + h * row + t * VL);
        }
    for (const Entry *e = entry; e < entry + entries; e++) {
        const vec g = broadcast(e->value);
        const float *xe = keep(x + e->offset);
        float *dxe = keep(dx + e->offset);
        UNROLL for (int h = 0; h < NH; h++)
            UNROLL for (int t = 0; t < NT; t++) {
                const ptrdiff_t at = h * line + t * VL;
                sum[h][t] += g * load_unaligned(xe + at);
                if (DX) {
                    vec add = g * filter[h][t];
                    if (TAIL && t == NT - 1) add = (vec)((ivec)add & tail);     // 0 * NaN beyond the run is not ours
                    *(vec_unaligned *)(dxe + at) = load_unaligned(dxe + at) + add;
                }
            }
    }
    UNROLL for (int h = 0; h < NH; h++)
        UNROLL for (int t = 0; t < NT; t++) store(dw + h * row + t * VL, sum[h][t]);
}

// The rows h .. h + NH - 1 of one filter in one block, in chunks of at most CHUNK vectors.
constexpr int CHUNK = 5;    // 5 vectors of W and 5 of dW fit in 16 registers
template <class L, int NH, bool DX>
ALWAYS_INLINE void add_rows(const Entry *entry, int entries, const float *x, float *dx, ptrdiff_t line, const float *w,
                            float *dw) {
    constexpr int N = L::RUN_VECTORS, LAST = N % CHUNK ? N % CHUNK : CHUNK, TAIL = L::RUN % VL;
    int t = 0;
    for (; t + LAST < N; t += CHUNK)
        add_chunk<NH, CHUNK, 0, DX>(entry, entries, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
    add_chunk<NH, LAST, TAIL, DX>(entry, entries, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
}
template <class L, int SIZE, bool DX>
void add_filter(const Entry *entry, int entries, const float *x, float *dx, int columns, const float *w, float *dw) {
    constexpr int N = L::RUN_VECTORS, ROWS = N >= CHUNK ? 1 : CHUNK / N < SIZE ? CHUNK / N : SIZE;
    const ptrdiff_t line = (ptrdiff_t)columns * L::PIXEL;
    int h = 0;
    for (; h + ROWS <= SIZE; h += ROWS)
        add_rows<L, ROWS, DX>(entry, entries, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
    for (; h < SIZE; h++)
        add_rows<L, 1, DX>(entry, entries, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
}

template <int IN, int OUT, int SIZE, bool DX> struct ListsBackward {
    typedef Layout<IN, OUT, SIZE> L;
    // Images whose lists are joined: longer lists make more of each chunk of a filter in registers.
    static constexpr int JOIN = L::FEW ? 1 : 4;
    static constexpr int PARTS = 2;     // for a thread; each has sums of its own
    static constexpr size_t SUMS = (size_t)OUT * L::FILTER;

    struct Scratch {
        Lists lists;
        Scratch(scratch::Arena &arena, const Shape &s) {
            lists.room = (size_t)JOIN * s.positions;
            lists.next = arena.take<Entry *>(OUT);
            lists.begin = arena.take<Entry>(OUT * lists.room + 1);
        }
        void clear(const Shape &) {}
        void start() {
            for (int o = 0; o < OUT; o++) lists.next[o] = lists.of(o);
        }
    };

    // One finite image, the next of those that are joined; it begins at `start` in their local copy.
    static void add_image(Scratch &scratch, const Shape &s, const float *, int start, const float *g,
                          const uint8_t *code, float *, float *db) {
        list_gradients<L, OUT>(s, g, code, start, scratch.lists, db);
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
                add_filter<L, SIZE, DX>(scratch.lists.of(o), scratch.lists.count(o), images + plane, dimages + plane,
                                        s.columns, filters + f, dw + f);
            }
    }
    // Where dw has the place (h, w) of channel c in filter o.
    static size_t place(int o, int c, int h, int w) { return o * L::FILTER + place_in_filter<L>(c, h, w, SIZE); }
};

}  // namespace convolution
