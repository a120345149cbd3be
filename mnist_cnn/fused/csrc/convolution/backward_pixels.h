// Backward for few channels without dx: a loop over the pixels that are not zero.
//
// For a vector of filters the gradient is spread over the positions before pooling. A pixel then multiplies the
// gradients of the positions that see it, each for another place of the filter. A vector of dw has one place of
// as many filters: [place][filter].
#pragma once

#include "convolution/copies.h"
#include "convolution/forward_pixels.h"
#include "convolution/pooling.h"

namespace convolution {

constexpr int PLACES = VL == 16 ? 25 : 9;  // summed at once in registers

template <class L, int SIZE, int FIRST, int COUNT>
ALWAYS_INLINE void add_places(const Entry *pixels, const Entry *end, const float *spread, ptrdiff_t line, float *dw) {
    constexpr int P = L::OUT_PADDED;
    auto at = [](int k) { return ((FIRST + k) / SIZE * L::RUN + (FIRST + k) % SIZE * L::PIXEL) * P; };
    vec sum[COUNT];
    UNROLL for (int k = 0; k < COUNT; k++) sum[k] = load(dw + at(k));
    for (const Entry *e = pixels; e < end; e++) {
        const vec pixel = broadcast(e->value);
        const float *corner = keep(spread + e->offset);
        UNROLL for (int k = 0; k < COUNT; k++) sum[k] +=
            pixel * load(corner - (FIRST + k) / SIZE * line - (FIRST + k) % SIZE * VL);
    }
    UNROLL for (int k = 0; k < COUNT; k++) store(dw + at(k), sum[k]);
}
template <class L, int SIZE, int FIRST, int LEFT> struct Places {  // a loop over constants
    static constexpr int COUNT = LEFT < PLACES ? LEFT : PLACES;
    template <class... Rest> static ALWAYS_INLINE void add(Rest... rest) {
        add_places<L, SIZE, FIRST, COUNT>(rest...);
        Places<L, SIZE, FIRST + COUNT, LEFT - COUNT>::add(rest...);
    }
};
template <class L, int SIZE, int FIRST> struct Places<L, SIZE, FIRST, 0> {
    template <class... Rest> static void add(Rest...) {}
};

template <int IN, int OUT, int SIZE> struct PixelsBackward {
    typedef Layout<IN, OUT, SIZE> L;
    static constexpr int P = L::OUT_PADDED;
    static constexpr int JOIN = 1;
    static constexpr int PARTS = 8;  // for a thread: more of them even the load out, but must be added up
    static constexpr size_t SUMS = (size_t)SIZE * L::RUN * P;

    struct Scratch {
        float *spread;  // the positions, and SIZE - 1 more above and to the left that are 0
        size_t spread_floats;
        Entry *pixels[IN];  // of each channel, those that are not zero
        Scratch(scratch::Arena &arena, const Shape &s) : spread_floats((size_t)(s.rows + SIZE - 1) * columns(s) * VL) {
            spread = arena.take(spread_floats);
            for (Entry *&list : pixels) list = arena.take<Entry>((size_t)s.rows * s.columns + 1);
        }
        static int columns(const Shape &s) { return s.columns + SIZE - 1; }
        void clear(const Shape &) { memset(spread, 0, spread_floats * sizeof(float)); }
        void start() {}
    };

    static void add_image(Scratch &scratch, const Shape &s, const float *image, int, const float *g,
                          const uint8_t *code, float *dw, float *db) {
        const ptrdiff_t line = (ptrdiff_t)Scratch::columns(s) * VL;
        float *spread = scratch.spread + (SIZE - 1) * (line + VL);
        Entry *end[IN];
        for (int c = 0; c < IN; c++) end[c] = list_channel(image, s, line, c, scratch.pixels[c]);
        for (int o = 0; o < P; o += VL) {
            spread_gradient(s, g + o, code + o, line, spread, db + o);
            for (int c = 0; c < IN; c++)
                Places<L, SIZE, 0, SIZE * SIZE>::add((const Entry *)scratch.pixels[c], (const Entry *)end[c],
                                                     (const float *)spread, line, dw + c * P + o);
        }
    }

    // Lists the pixels of a channel that are not zero, without branches. Returns the list's end.
    static Entry *list_channel(const float *image, const Shape &s, ptrdiff_t line, int c, Entry *end) {
        for (int r = 0; r < s.rows; r++)
            for (int w = 0; w < s.columns; w++) {
                *end = Entry{(int)(r * line + w * VL), image[(r * s.columns + w) * IN + c]};
                end += nonzero(end->value);
            }
        return end;
    }

    // The gradient of one vector of filters at every position, and its sum.
    static ALWAYS_INLINE void spread_gradient(const Shape &s, const float *g, const uint8_t *code, ptrdiff_t line,
                                              float *spread, float *db) {
        vec total = load(db);
        for (int i = 0, p = 0; i < s.window_rows; i++)
            for (int j = 0; j < s.window_columns; j++, p += P) {
                const ivec q = load_bytes(code + p);
                const vec gp = load_unaligned(g + p), share = (q & ALL_TIED) != 0 ? gp : 0.5f * gp;
                float *corner = spread + 2 * i * line + 2 * j * VL;
                UNROLL for (int k = 0; k < 4; k++) {
                    const vec v = (q & 3 << 2 * k) != 0 ? share : vec{};
                    store(corner + k / 2 * line + k % 2 * VL, v);
                    total += v;
                }
            }
        store(db, total);
    }

    // The pixels under one position, for one filter.
    static void add_position(Scratch &, const Shape &s, const float *image, int, int offset, float v, int o,
                             float *dw) {
        for (int k = 0; k < SIZE * L::RUN; k++)
            dw[k * P + o] += v * image[offset + k / L::RUN * s.columns * L::PIXEL + k % L::RUN];
    }
    static void finish(const Scratch &, const Shape &, const float *, float *, const float *, float *) {}
    static size_t place(int o, int c, int h, int w) { return (h * L::RUN + w * L::PIXEL + c) * P + o; }
};

}  // namespace convolution
