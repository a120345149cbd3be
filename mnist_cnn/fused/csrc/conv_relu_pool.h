// Convolution + bias + rectifier + 2x2 max-pooling as one operation, forward and backward.
//
//     y[n, o, i, j] = max over the window (2i..2i+1, 2j..2j+1) of relu(b[o] + (W[o] * x[n]))
//
// The convolution is a true one (filters flipped), 'valid', stride 1. docs/fused.md explains the
// four ideas that this file is made of: the layout of the local copies, the register tile, the
// sparse gradient and the tie rule. No Python here: the Theano side is conv_relu_pool_numpy.h.
#pragma once

#include <cmath>
#include <limits>

#include "parallel.h"
#include "simd.h"

namespace conv_relu_pool {

using namespace simd;

// ---------------------------------------------------------------- shapes and memory

// A 4D array (image, channel, row, column) anywhere in memory; strides count floats.
template <class T> struct View4 {
    T *data;
    ptrdiff_t image, channel, row, column;
    T *at(ptrdiff_t n, ptrdiff_t c = 0, ptrdiff_t r = 0, ptrdiff_t w = 0) const {
        return data + n * image + c * channel + r * row + w * column;
    }
};
typedef View4<const float> Input;
typedef View4<float> Output;

struct Shape {
    int images, rows, columns;          // of x
    int out_rows, out_columns;          // of the convolution
    int window_rows, window_columns;    // of y
    int windows, positions;             // the products of the two above
    Shape(int images, int rows, int columns, int size)
        : images(images), rows(rows), columns(columns), out_rows(rows - size + 1),
          out_columns(columns - size + 1), window_rows(out_rows / 2),
          window_columns(out_columns / 2), windows(window_rows * window_columns),
          positions(out_rows * out_columns) {}
};

// How an image lies in its local copy: in BLOCKS planes, each of rows x columns pixels of PIXEL
// floats. With few channels a plane holds all channels of a pixel side by side; otherwise a plane
// holds one vector's worth of channels. Either way the pixels under one row of a filter are one
// contiguous run of RUN floats, and everything below works on such runs.
template <int IN, int OUT, int SIZE> struct Layout {
    static constexpr bool FEW = 2 * IN <= VL;
    static constexpr int PIXEL = FEW ? IN : VL;
    static constexpr int BLOCKS = FEW ? 1 : vectors(IN);
    static constexpr int RUN = SIZE * PIXEL;
    static constexpr int RUN_VECTORS = vectors(RUN);
    static constexpr int OUT_PADDED = vectors(OUT) * VL;
    // The register tile's filters, [block][filter row][place in the run][output channel], with a
    // frame of zeros where single pixels meet the places around a filter too.
    static constexpr int FRAME = FEW, LINE = RUN + 2 * FRAME * PIXEL;
    static constexpr size_t TILE_FILTERS = (size_t)BLOCKS * (SIZE + 2 * FRAME) * LINE * OUT_PADDED;
    static constexpr size_t place(int block, int h, int t) {
        return ((size_t)(block * (SIZE + 2 * FRAME) + h + FRAME) * LINE + t + FRAME * PIXEL) * OUT_PADDED;
    }
    static constexpr int FILTER = BLOCKS * SIZE * RUN_VECTORS * VL;  // floats of one filter, padded
    // A run's last vector may read past the plane's end: hence the slack of one vector.
    static size_t plane(const Shape &s) {
        return round_up((size_t)s.rows * s.columns * PIXEL) + VL;
    }
    static size_t image(const Shape &s) { return BLOCKS * plane(s); }
};

inline int parts_of(int images, int most) { return images < most ? images : most; }

// Calls work(part, worker, first, last) with 0 .. count - 1 cut into `parts` contiguous parts.
template <class Work> void share(int count, int parts, int threads, Work work) {
    parallel::run(parts, threads, [&](int p, int worker) {
        work(p, worker, (int)((long)count * p / parts), (int)((long)count * (p + 1) / parts));
    });
}

// ---------------------------------------------------------------- local copies

// Copies image n into the layout above, whatever the strides; padding channels become zero.
template <class L, int IN> void copy_image(const Input &x, int n, const Shape &s, float *to) {
    const size_t plane = L::plane(s);
    const int pixels = s.rows * s.columns;
    if (L::FEW) {
        memset(to + (size_t)pixels * IN, 0, (plane - (size_t)pixels * IN) * sizeof(float));
        if (IN == 1 && x.column == 1 && x.row == s.columns) {
            memcpy(to, x.at(n), pixels * sizeof(float));
            return;
        }
        for (int c = 0; c < IN; c++)
            for (int r = 0; r < s.rows; r++) {
                const float *from = x.at(n, c, r);
                float *row = to + (size_t)r * s.columns * IN + c;
                for (int w = 0; w < s.columns; w++) row[w * IN] = from[w * x.column];
            }
        return;
    }
    for (int b = 0; b < L::BLOCKS; b++) memset(to + b * plane + (size_t)pixels * VL, 0, VL * sizeof(float));
    if (IN % VL) memset(to + (L::BLOCKS - 1) * plane, 0, (size_t)pixels * VL * sizeof(float));
    for (int r = 0; r < s.rows; r++) {
        const float *from = x.at(n, 0, r);
        float *row = to + (size_t)r * s.columns * VL;
        if (IN % VL == 0 && x.channel == 1)     // a vector at a time
            for (int w = 0; w < s.columns; w++, from += x.column, row += VL)
                UNROLL for (int b = 0; b < L::BLOCKS; b++) store(row + b * plane, load_unaligned(from + b * VL));
        else
            for (int c = 0; c < IN; c++)
                for (int w = 0; w < s.columns; w++)
                    row[c / VL * plane + w * VL + c % VL] = from[c * x.channel + w * x.column];
    }
}

// The way back, for the gradient of an image.
template <class L, int IN> void copy_image_back(const float *from, const Shape &s, const Output &x, int n) {
    const size_t plane = L::plane(s);
    for (int r = 0; r < s.rows; r++) {
        const float *row = from + (size_t)r * s.columns * L::PIXEL;
        float *to = x.at(n, 0, r);
        if (IN % VL == 0 && x.channel == 1)
            for (int w = 0; w < s.columns; w++, row += L::PIXEL, to += x.column)
                UNROLL for (int b = 0; b < L::BLOCKS; b++) store_unaligned(to + b * VL, load(row + b * plane));
        else
            for (int c = 0; c < IN; c++)
                for (int w = 0; w < s.columns; w++)
                    to[c * x.channel + w * x.column] = row[c / VL * plane + w * L::PIXEL + c % VL];
    }
}

// Pooled maps <-> local [window][channel], channels padded with zeros to whole vectors.
template <int OUT, int PADDED, class View> bool is_local(const View &maps, const Shape &s) {
    return OUT == PADDED && maps.channel == 1 && maps.column == OUT && maps.row == OUT * s.window_columns;
}
template <int OUT, int PADDED> void copy_maps(const Input &g, int n, const Shape &s, float *to) {
    if (PADDED != OUT) memset(to, 0, (size_t)s.windows * PADDED * sizeof(float));
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const float *from = g.at(n, 0, i, j);
            float *row = to + (size_t)p * PADDED;
            if (g.channel == 1) memcpy(row, from, OUT * sizeof(float));
            else for (int c = 0; c < OUT; c++) row[c] = from[c * g.channel];
        }
}
template <int OUT, int PADDED> void copy_maps_back(const float *from, const Shape &s, const Output &y, int n) {
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const float *row = from + (size_t)p * PADDED;
            float *to = y.at(n, 0, i, j);
            if (y.channel == 1) memcpy(to, row, OUT * sizeof(float));
            else for (int c = 0; c < OUT; c++) to[c * y.channel] = row[c];
        }
}

// Filters for the register tile.
template <class L, int IN, int OUT, int SIZE> void pack_by_output(const Input &W, float *to) {
    memset(to, 0, L::TILE_FILTERS * sizeof(float));
    for (int o = 0; o < OUT; o++)
        for (int c = 0; c < IN; c++)
            for (int h = 0; h < SIZE; h++)
                for (int w = 0; w < SIZE; w++) {
                    const int block = L::FEW ? 0 : c / VL, lane = L::FEW ? c : c % VL;
                    to[L::place(block, h, w * L::PIXEL + lane) + o] = *W.at(o, c, SIZE - 1 - h, SIZE - 1 - w);
                }
}

// Filters for the gradient, one after the other: [output channel][block][filter row][run].
template <class L> ALWAYS_INLINE size_t place_in_filter(int c, int h, int w, int size) {
    const int block = L::FEW ? 0 : c / VL, lane = L::FEW ? c : c % VL;
    return (size_t)(block * size + h) * L::RUN_VECTORS * VL + w * L::PIXEL + lane;
}
template <class L, int IN, int SIZE> void pack_by_filter(const Input &W, int first, int last, float *to) {
    memset(to + first * L::FILTER, 0, (size_t)(last - first) * L::FILTER * sizeof(float));
    for (int o = first; o < last; o++)
        for (int c = 0; c < IN; c++)
            for (int h = 0; h < SIZE; h++)
                for (int w = 0; w < SIZE; w++)
                    to[o * L::FILTER + place_in_filter<L>(c, h, w, SIZE)] =
                        *W.at(o, c, SIZE - 1 - h, SIZE - 1 - w);
}

// ---------------------------------------------------------------- pooling and the tie rule

// A window's code has two bits for each of its positions (top left, top right, bottom left,
// bottom right): what that position gets of the gradient of y.
enum Share { NOTHING = 0, ALL = 1, HALF = 2, NOT_A_NUMBER = 3 };
constexpr int ALL_TIED = 0x55;

// Rectified maximum and code of four vectors of finite pre-activations. Every position that
// equals the maximum gets the gradient; where the maximum is 0, the rectifier's slope is 1/2.
ALWAYS_INLINE void pool(vec a, vec b, vec c, vec d, float *y, uint8_t *code) {
    vec m = {};
    m = a > m ? a : m;
    m = b > m ? b : m;
    m = c > m ? c : m;
    m = d > m ? d : m;
    const ivec q = ((a == m) & 1) | ((b == m) & 4) | ((c == m) & 16) | ((d == m) & 64);
    store_unaligned(y, m);
    store_bytes(code, q + (q & (m == 0)));
}

// The same for one channel and any numbers, step by step as the plain graph does it: rectify by
// (v + |v|) / 2, which makes NaN of -infinity, then keep the first value unless a later one is greater.
inline void pool_any(const float pre[4], float *y, uint8_t *code) {
    float r[4], m = 0;
    for (int k = 0; k < 4; k++) {
        r[k] = 0.5f * (pre[k] + std::fabs(pre[k]));
        m = k == 0 || r[k] > m ? r[k] : m;
    }
    int q = 0;
    for (int k = 0; k < 4; k++) {
        int share = std::isnan(pre[k]) ? NOT_A_NUMBER
                    : r[k] != m        ? NOTHING
                    : pre[k] > 0       ? ALL
                    : pre[k] == 0      ? HALF
                                       : NOTHING;
        q |= share << (2 * k);
    }
    *y = m;
    *code = (uint8_t)q;
}

// One pre-activation less its bias, term by term. Slow, and the same order of terms wherever the
// filter lies: equal patches give equal sums.
template <class L, int IN, int SIZE>
float plain_sum(const float *image, const Shape &s, const Input &W, int o, int r, int w) {
    float sum = 0;
    for (int c = 0; c < IN; c++) {
        const float *plane = image + (L::FEW ? c : c / VL * L::plane(s) + c % VL);
        for (int h = 0; h < SIZE; h++)
            for (int k = 0; k < SIZE; k++)
                sum += plane[((size_t)(r + h) * s.columns + w + k) * L::PIXEL] *
                       *W.at(o, c, SIZE - 1 - h, SIZE - 1 - k);
    }
    return sum;
}
template <class L, int IN, int SIZE>
void plain_window(const float *image, const Shape &s, const Input &W, float bias, int o, int i, int j,
                  float *y, uint8_t *code) {
    float pre[4];
    for (int k = 0; k < 4; k++)
        pre[k] = plain_sum<L, IN, SIZE>(image, s, W, o, 2 * i + k / 2, 2 * j + k % 2) + bias;
    pool_any(pre, y, code);
}

// ---------------------------------------------------------------- forward: the register tile

template <int NV> ALWAYS_INLINE void pool_sums(const vec (&sum)[4][NV], const float *bias, float *y, uint8_t *code) {
    UNROLL for (int v = 0; v < NV; v++) {
        const vec c = load(bias + v * VL);
        pool(sum[0][v] + c, sum[1][v] + c, sum[2][v] + c, sum[3][v] + c, y + v * VL, code + v * VL);
    }
}

// The four pre-activations of one window for NV vectors of output channels: 4 * NV sums that
// stay in registers from the first product to the pooling.
template <class L, int SIZE, int NV>
ALWAYS_INLINE void tile(const float *image, const Shape &s, const float *filters, const float *bias, int i, int j,
                        float *y, uint8_t *code) {
    vec sum[4][NV] = {};
    const ptrdiff_t line = (ptrdiff_t)s.columns * L::PIXEL;
    for (int b = 0; b < L::BLOCKS; b++)
        for (int h = 0; h < SIZE; h++) {
            const float *x = image + b * L::plane(s) + (2 * i + h) * line + 2 * j * L::PIXEL;
            const float *f = filters + L::place(b, h, 0);
#pragma GCC unroll 1
            for (int t = 0; t < L::RUN; t++) {
                vec w[NV];
                UNROLL for (int v = 0; v < NV; v++) keep(w[v] = load(f + t * L::OUT_PADDED + v * VL));
                UNROLL for (int k = 0; k < 4; k++) {
                    const vec pixel = broadcast(x[k / 2 * line + k % 2 * L::PIXEL + t]);
                    UNROLL for (int v = 0; v < NV; v++) sum[k][v] += pixel * w[v];
                }
            }
        }
    pool_sums<NV>(sum, bias, y, code);
}

// An offset and what is there.
struct Entry {
    int offset;
    float value;
};

// The same from a list of the pixels under the window that are not zero. A pixel lies under one place of the
// filter at each of the four positions; where that is none, the frame around the filters is zero.
// The terms come in the same order as above.
template <class L, int NV>
ALWAYS_INLINE void tile_of_pixels(const Entry *pixels, int count, const float *filters, int origin, const float *bias,
                                  float *y, uint8_t *code) {
    vec sum[4][NV] = {};
    for (const Entry *e = pixels; e < pixels + count; e++) {
        const vec pixel = broadcast(e->value);
        const float *f = keep(filters + (origin + e->offset));
        UNROLL for (int k = 0; k < 4; k++)
            UNROLL for (int v = 0; v < NV; v++)
                sum[k][v] += pixel * load(f - (k / 2 * L::LINE + k % 2 * L::PIXEL) * L::OUT_PADDED + v * VL);
    }
    pool_sums<NV>(sum, bias, y, code);
}

// All output channels of a window, two vectors at a time.
template <class L, int SIZE>
ALWAYS_INLINE void window(const float *image, const Shape &s, const float *filters, const float *bias, int i, int j,
                          float *y, uint8_t *code) {
    int o = 0;
    for (; o + 2 * VL <= L::OUT_PADDED; o += 2 * VL)
        tile<L, SIZE, 2>(image, s, filters + o, bias + o, i, j, y + o, code + o);
    if (o < L::OUT_PADDED) tile<L, SIZE, 1>(image, s, filters + o, bias + o, i, j, y + o, code + o);
}
template <class L>
ALWAYS_INLINE void window_of_pixels(const Entry *pixels, int count, const float *filters, int origin, const float *bias,
                                    float *y, uint8_t *code) {
    int o = 0;
    for (; o + 2 * VL <= L::OUT_PADDED; o += 2 * VL)
        tile_of_pixels<L, 2>(pixels, count, filters + o, origin, bias + o, y + o, code + o);
    if (o < L::OUT_PADDED) tile_of_pixels<L, 1>(pixels, count, filters + o, origin, bias + o, y + o, code + o);
}

template <class L, int SIZE>
void forward_direct(const float *image, const Shape &s, const float *filters, const float *bias, float *y,
                    uint8_t *code) {
    for (int i = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, y += L::OUT_PADDED, code += L::OUT_PADDED)
            window<L, SIZE>(image, s, filters, bias, i, j, y, code);
}

template <class L, int SIZE> size_t pixels_floats(const Shape &s) {
    constexpr int ACROSS = L::RUN + L::PIXEL;
    const int width = s.columns * L::PIXEL;
    return piece(2 * (s.rows * width + ACROSS)) + piece(2 * (SIZE + 2) * ACROSS) + piece(s.rows * (width + 1)) +
           piece(L::OUT_PADDED) + piece(L::OUT_PADDED / 4);
}

// For images of few channels. Four fifths of a digit's picture are zero: a window multiplies the
// other pixels alone, and where there are none the answer is known, rectify(bias).
template <class L, int SIZE>
void forward_pixels(const float *image, const Shape &s, const float *filters, const float *bias, float *memory,
                    float *y, uint8_t *code) {
    constexpr int P = L::OUT_PADDED, ACROSS = L::RUN + L::PIXEL;
    const int width = s.columns * L::PIXEL;
    Pieces pieces{memory};
    Entry *pixels = (Entry *)pieces.take(2 * (s.rows * width + ACROSS)), *under = (Entry *)pieces.take(2 * (SIZE + 2) * ACROSS);
    int *before = (int *)pieces.take(s.rows * (width + 1));     // [row][place]: how many come before it
    float *blank_y = pieces.take(P);
    uint8_t *blank_code = (uint8_t *)pieces.take(P / 4);
    for (int o = 0; o < P; o += VL) {
        const vec b = load(bias + o);
        pool(b, b, b, b, blank_y + o, blank_code + o);
    }
    int all = 0;
    for (int r = 0; r < s.rows; r++) {
        int *row = before + r * (width + 1);
        for (int x = 0; x < width; x++) {   // without branches: which pixels are zero is hard to foresee
            row[x] = all;
            pixels[all] = Entry{(r * L::LINE + x) * P, image[r * width + x]};
            all += nonzero(pixels[all].value);
        }
        row[width] = all;
    }
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const int left = 2 * j * L::PIXEL, origin = (int)L::place(0, 0, 0) - (2 * i * L::LINE + left) * P;
            float *yp = y + (size_t)p * P;
            uint8_t *qp = code + (size_t)p * P;
            int count = 0;
            for (int h = 0; h <= SIZE; h++) {
                const int *at = before + (2 * i + h) * (width + 1) + left;
                memcpy(under + count, pixels + at[0], ACROSS * sizeof(Entry));      // more than count, but a constant
                count += at[ACROSS] - at[0];
            }
            if (count == 0) {
                memcpy(yp, blank_y, P * sizeof(float));
                memcpy(qp, blank_code, P);
                continue;
            }
            if (count < SIZE * L::RUN) window_of_pixels<L>(under, count, filters, origin, bias, yp, qp);
            else window<L, SIZE>(image, s, filters, bias, i, j, yp, qp);    // the whole filter takes fewer products
        }
}

// ---------------------------------------------------------------- forward: Winograd F(4x4, 5x5)

// The 16 results of a tile of 2x2 windows are made of a patch of 8x8 pixels. Winograd's algorithm
// turns the patch into 64 other numbers, so that 64 products (each a sum over input channels: a small
// matrix product) take the place of 400. Points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity.
struct Winograd {
    // Eight numbers of a row or column of the patch, transformed.
    static ALWAYS_INLINE void patch(const vec d[8], vec o[8]) {
        o[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
        o[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
        pair(d[2] + d[6] - 4.25f * d[4], d[1] + d[5] - 4.25f * d[3], o + 1);
        pair(0.25f * d[2] - 1.25f * d[4] + d[6], 0.5f * d[1] - 2.5f * d[3] + 2 * d[5], o + 3);
        pair(4 * d[2] - 5 * d[4] + d[6], 2 * d[1] - 2.5f * d[3] + 0.5f * d[5], o + 5);
    }
    // Five taps of a filter's row or column, transformed.
    static ALWAYS_INLINE void taps(const vec g[5], vec o[8]) {
        o[0] = g[0];
        o[7] = g[4];
        pair((g[0] + g[2] + g[4]) * (-2 / 9.f), (g[1] + g[3]) * (-2 / 9.f), o + 1);
        pair((g[0] + 4 * g[2] + 16 * g[4]) * (1 / 90.f), (2 * g[1] + 8 * g[3]) * (1 / 90.f), o + 3);
        pair((16 * g[0] + 4 * g[2] + g[4]) * (2 / 45.f), (8 * g[1] + 2 * g[3]) * (2 / 45.f), o + 5);
    }
    // Eight products back to four results.
    static ALWAYS_INLINE void results(const vec m[8], vec o[4]) {
        vec one[2], two[2], half[2];
        pair(m[1], m[2], one);
        pair(m[3], m[4], two);
        pair(m[5], m[6], half);
        o[0] = m[0] + one[0] + (two[0] + half[0]);
        o[1] = one[1] + (2 * two[1] + 0.5f * half[1]);
        o[2] = one[0] + (4 * two[0] + 0.25f * half[0]);
        o[3] = one[1] + m[7] + (8 * two[1] + 0.125f * half[1]);
    }

private:
    static ALWAYS_INLINE void pair(vec a, vec b, vec o[2]) {
        o[0] = a + b;
        o[1] = a - b;
    }
};

// Filters of input channel c, transformed: to[64][IN_PADDED][OUT_PADDED], for one c.
template <class L, int IN_PADDED, int OUT>
void transform_filters(const Input &W, int c, float *to) {
    constexpr int P = L::OUT_PADDED;
    alignas(64) float g[25][P] = {};    // all at first: a vector read just after its floats are written has to wait
    for (int o = 0; o < OUT; o++)
        for (int t = 0; t < 25; t++) g[t][o] = *W.at(o, c, 4 - t / 5, 4 - t % 5);
    for (int o0 = 0; o0 < P; o0 += VL) {
        vec half[8][5];
        for (int w = 0; w < 5; w++) {
            vec column[5], o[8];
            for (int h = 0; h < 5; h++) column[h] = load(&g[h * 5 + w][o0]);
            Winograd::taps(column, o);
            for (int a = 0; a < 8; a++) half[a][w] = o[a];
        }
        for (int a = 0; a < 8; a++) {
            vec o[8];
            Winograd::taps(half[a], o);
            for (int b = 0; b < 8; b++) store(to + ((size_t)(a * 8 + b) * IN_PADDED + c) * P + o0, o[b]);
        }
    }
}

constexpr int ROWS = VL == 16 ? 8 : 4;      // of the matrix product, held in registers at once, times two vectors
constexpr int TILES = 16;                   // handled together, to make more of each filter that is loaded

// products[tile][o] = sum over c of patches[tile][c] * filters[c][o], for ROWS tiles, NV vectors.
template <int NV, int IN_PADDED, int P>
ALWAYS_INLINE void multiply(const float *patches, const float *filters, float *products) {
    vec sum[ROWS][NV] = {};
#pragma GCC unroll 2
    for (int c = 0; c < IN_PADDED; c++) {
        vec w[NV];
        UNROLL for (int v = 0; v < NV; v++) keep(w[v] = load(filters + c * P + v * VL));
        UNROLL for (int q = 0; q < ROWS; q++) {
            const vec pixel = broadcast(patches[q * IN_PADDED + c]);
            UNROLL for (int v = 0; v < NV; v++) sum[q][v] += pixel * w[v];
        }
    }
    UNROLL for (int q = 0; q < ROWS; q++)
        UNROLL for (int v = 0; v < NV; v++) store(products + q * P + v * VL, sum[q][v]);
}

inline int tile_columns(const Shape &s) { return (s.window_columns + 1) / 2; }
inline int tiles(const Shape &s) { return (s.window_rows + 1) / 2 * tile_columns(s); }
// Images that are handled together: small ones have few tiles.
inline int images_together(const Shape &s) { return tiles(s) < TILES ? TILES / tiles(s) : 1; }
// Floats from one of the 64 matrices to the next. The line between them keeps them from meeting in
// the same few sets of the cache, which they would at a power of two.
constexpr size_t matrix(int columns) { return TILES * columns + 16; }
template <class L> size_t winograd_floats() { return piece(64 * matrix(L::BLOCKS * VL)) + piece(64 * matrix(L::OUT_PADDED)); }

// The patch of tile (i, j), transformed. What lies beyond the image is zero.
template <class L> void transform_patch(const float *image, const Shape &s, int i, int j, float *to) {
    constexpr int C = L::BLOCKS * VL;
    const int rows = s.rows - 4 * i, columns = s.columns - 4 * j;
    for (int b = 0; b < L::BLOCKS; b++) {
        const float *corner = image + b * L::plane(s) + (size_t)(4 * i * s.columns + 4 * j) * VL;
        vec half[8][8];
        for (int w = 0; w < 8; w++) {
            vec d[8], o[8];
            if (rows >= 8 && columns >= 8)
                UNROLL for (int h = 0; h < 8; h++) d[h] = load(corner + (h * s.columns + w) * VL);
            else
                for (int h = 0; h < 8; h++) d[h] = h < rows && w < columns ? load(corner + (h * s.columns + w) * VL) : vec{};
            Winograd::patch(d, o);
            UNROLL for (int a = 0; a < 8; a++) half[a][w] = o[a];
        }
        for (int a = 0; a < 8; a++) {
            vec o[8];
            Winograd::patch(half[a], o);
            UNROLL for (int k = 0; k < 8; k++) store(to + (a * 8 + k) * matrix(C) + b * VL, o[k]);
        }
    }
}

// The 4x4 results of a tile, without the bias, for one vector of output channels.
template <int P> ALWAYS_INLINE void tile_results(const float *products, vec results[4][4]) {
    vec half[4][8];
    for (int a = 0; a < 8; a++) {
        vec m[8], o[4];
        UNROLL for (int k = 0; k < 8; k++) m[k] = load(products + (a * 8 + k) * matrix(P));
        Winograd::results(m, o);
        UNROLL for (int w = 0; w < 4; w++) half[w][a] = o[w];
    }
    for (int w = 0; w < 4; w++) {
        vec o[4];
        Winograd::results(half[w], o);
        UNROLL for (int h = 0; h < 4; h++) results[h][w] = o[h];
    }
}

// Of `count` images, one after the other in their local copy. `doubt[image][o]` is how far rounding can
// take a result of channel o. Where two positions lie closer than that, or the maximum is that close to
// zero, the window is computed again term by term: the shortcut's rounding differs between positions,
// and must not decide a tie.
template <class L, int IN, int OUT>
void forward_winograd(const float *images, int count, const Shape &s, const Input &W, const float *filters,
                      const float *bias, const float *doubt, float *memory, float *const *y, uint8_t *const *codes) {
    constexpr int P = L::OUT_PADDED, C = L::BLOCKS * VL;
    Pieces pieces{memory};
    float *patches = pieces.take(64 * matrix(C)), *products = pieces.take(64 * matrix(P));
    const int each = tiles(s), across = tile_columns(s);
    for (int first = 0; first < count * each; first += TILES) {
        const int last = first + TILES < count * each ? first + TILES : count * each;
        for (int t = first; t < last; t++)
            transform_patch<L>(images + t / each * L::image(s), s, t % each / across, t % each % across,
                               patches + (t - first) * C);
        for (int t = last - first; t % ROWS; t++)       // rows that no tile fills
            for (int k = 0; k < 64; k++) memset(patches + k * matrix(C) + t * C, 0, C * sizeof(float));
        for (int k = 0; k < 64; k++)
            for (int t = 0; t < last - first; t += ROWS) {
                const float *from = patches + k * matrix(C) + t * C, *f = filters + (size_t)k * C * P;
                float *to = products + k * matrix(P) + t * P;
                int o = 0;
                for (; o + 2 * VL <= P; o += 2 * VL) multiply<2, C, P>(from, f + o, to + o);
                if (o < P) multiply<1, C, P>(from, f + o, to + o);
            }
        for (int t = first; t < last; t++) {
            const int n = t / each, i0 = t % each / across * 2, j0 = t % each % across * 2;
            for (int o = 0; o < P; o += VL) {
                vec results[4][4];
                tile_results<P>(products + (t - first) * P + o, results);
                const vec c = load(bias + o), eps = load(doubt + n * P + o);
                for (int k = 0; k < 4; k++) {
                    const int i = i0 + k / 2, j = j0 + k % 2;
                    if (i >= s.window_rows || j >= s.window_columns) continue;
                    const size_t at = (size_t)(i * s.window_columns + j) * P;
                    const vec *top = &results[k / 2 * 2][k % 2 * 2], *bottom = top + 4;
                    const vec p0 = top[0] + c, p1 = top[1] + c, p2 = bottom[0] + c, p3 = bottom[1] + c;
                    pool(p0, p1, p2, p3, y[n] + at + o, codes[n] + at + o);
                    const vec hi0 = p0 > p1 ? p0 : p1, lo0 = p0 > p1 ? p1 : p0;
                    const vec hi1 = p2 > p3 ? p2 : p3, lo1 = p2 > p3 ? p3 : p2;
                    const vec best = hi0 > hi1 ? hi0 : hi1, other = hi0 > hi1 ? hi1 : hi0;
                    const vec low = lo0 > lo1 ? lo0 : lo1, second = other > low ? other : low;
                    const ivec sure = (best < -eps) | ((best > eps) & (best - second > eps));
                    for (unsigned bits = ~lanes(sure) & ALL_LANES; bits; bits &= bits - 1) {
                        const int channel = o + __builtin_ctz(bits);
                        if (channel < OUT)
                            plain_window<L, IN, 5>(images + n * L::image(s), s, W, bias[channel], channel, i, j,
                                                   y[n] + at + channel, codes[n] + at + channel);
                    }
                }
            }
        }
    }
}

// ---------------------------------------------------------------- forward

struct ForwardTag;
struct BackwardTag;

// y and codes ([image][window][OUT] bytes) of all images. Throws std::bad_alloc.
template <int IN, int OUT, int SIZE>
void forward(const Shape &s, const Input &x, const Input &W, const float *b, ptrdiff_t b_stride, const Output &y,
             uint8_t *codes) {
    typedef Layout<IN, OUT, SIZE> L;
    constexpr bool WINOGRAD = !L::FEW && SIZE == 5;
    constexpr int P = L::OUT_PADDED, C = L::BLOCKS * VL;
    if (s.images == 0 || s.windows == 0) return;
    const int threads = parallel::threads();
    const size_t maps = (size_t)s.windows * P;
    const size_t filter_floats = WINOGRAD ? (size_t)64 * C * P : L::TILE_FILTERS;
    const int together = WINOGRAD ? images_together(s) : 1;
    const size_t each = piece(together * L::image(s)) + piece(together * maps) + piece(together * maps / 4 + 16) +
                        piece(together * P) +
                        (WINOGRAD ? winograd_floats<L>() : L::FEW ? pixels_floats<L, SIZE>(s) : 0);
    Pieces shared{scratch<ForwardTag>(piece(filter_floats) + 2 * piece(P) + threads * each)};
    float *filters = shared.take(filter_floats), *bias = shared.take(P), *size = shared.take(P);
    float *own = shared.next;

    // |W| summed over each filter: the scale of its results, and not finite if W or b is not.
    share(P, threads, threads, [&](int, int, int first, int last) {
        for (int o = first; o < last; o++) {
            bias[o] = o < OUT ? b[o * b_stride] : 0;
            float part[SIZE] = {};      // sums that do not wait for each other
            for (int c = 0; c < IN && o < OUT; c++)
                for (int h = 0; h < SIZE; h++)
                    for (int w = 0; w < SIZE; w++) part[w] += std::fabs(*W.at(o, c, h, w));
            size[o] = 0;
            for (float f : part) size[o] += f;
        }
    });
    const bool finite_filters = finite(largest(size, P)) && finite(largest(bias, P));
    if (WINOGRAD) {
        if (C > IN) memset(filters, 0, filter_floats * sizeof(float));
        share(IN, threads, threads, [&](int, int, int first, int last) {
            for (int c = first; c < last; c++) transform_filters<L, C, OUT>(W, c, filters);
        });
    } else {
        pack_by_output<L, IN, OUT, SIZE>(W, filters);
    }

    const int groups = (s.images + together - 1) / together;
    share(groups, parts_of(groups, 16 * threads), threads, [&](int, int worker, int first_group, int last_group) {
        Pieces pieces{own + worker * each};
        float *images = pieces.take(together * L::image(s)), *own_y = pieces.take(together * maps);
        uint8_t *own_codes = (uint8_t *)pieces.take(together * maps / 4 + 16);
        float *doubt = pieces.take(together * P), *memory = pieces.next;
        const bool in_place = is_local<OUT, P>(y, s);
        float *ys[TILES];
        uint8_t *to[TILES];
        for (int n0 = first_group * together; n0 < s.images && n0 < last_group * together; n0 += together) {
            const int count = s.images - n0 < together ? s.images - n0 : together;
            bool all_finite = finite_filters;
            for (int k = 0; k < count; k++) {
                float *image = images + k * L::image(s);
                copy_image<L, IN>(x, n0 + k, s, image);
                ys[k] = in_place ? y.at(n0 + k) : own_y + k * maps;
                to[k] = P == OUT ? codes + (n0 + k) * maps : own_codes + k * maps;
                const float most = largest(image, L::image(s));
                all_finite = all_finite && finite(most);
                for (int o = 0; WINOGRAD && o < P; o++) doubt[k * P + o] = 2e-6f * (most * size[o] + std::fabs(bias[o]));
            }
            if (!all_finite) {
                for (int k = 0; k < count; k++)
                    for (int p = 0; p < s.windows; p++)
                        for (int o = 0; o < OUT; o++)
                            plain_window<L, IN, SIZE>(images + k * L::image(s), s, W, bias[o], o, p / s.window_columns,
                                                      p % s.window_columns, ys[k] + (size_t)p * P + o,
                                                      to[k] + (size_t)p * P + o);
            } else if (WINOGRAD) {
                forward_winograd<L, IN, OUT>(images, count, s, W, filters, bias, doubt, memory, ys, to);
            } else if (L::FEW) {
                forward_pixels<L, SIZE>(images, s, filters, bias, memory, ys[0], to[0]);
            } else {
                forward_direct<L, SIZE>(images, s, filters, bias, ys[0], to[0]);
            }
            for (int k = 0; k < count; k++) {
                if (!in_place) copy_maps_back<OUT, P>(ys[k], s, y, n0 + k);
                for (int p = 0; p < s.windows && P != OUT; p++)
                    memcpy(codes + ((size_t)(n0 + k) * s.windows + p) * OUT, to[k] + (size_t)p * P, OUT);
            }
        }
    });
}

// ---------------------------------------------------------------- backward: the sparse gradient

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
    const int place[4] = {0, L::PIXEL, s.columns * L::PIXEL, (s.columns + 1) * L::PIXEL};
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
                            lists.add(l, corner + place[bit / 2], v);
                            db[l] += v;
                        }
                    continue;
                }
                // One share each: no branch, for which channels are alive is hard to foresee. What is
                // written for a dead one is overwritten by the next.
                const vec gain = q != 0 ? load_unaligned(gp + o) : vec{};
                store(db + o, load(db + o) + gain);
                alignas(64) int32_t offset[VL], live[VL];
                *(ivec *)offset = corner + ((q == 4) & place[1]) + ((q == 16) & place[2]) + ((q == 64) & place[3]);
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

// The same where a NaN or an infinity is about: every position is added, for 0 * NaN is NaN and
// must reach dW and dx as it does in the plain graph.
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
                } else if (std::isnan(plain_sum<L, IN, SIZE>(image, s, W, o, r, w))) {
                    v = nan;                            // beyond the last window
                }
                add(o, (r * s.columns + w) * L::PIXEL, v);
                db[o] += v;
            }
}

// dW += g * x and dx += g * W over a list, for a piece of the filter of NH rows by NT vectors. The piece of
// W and its gradient stay in registers while the list goes by. Of the last vector of a row, TAIL floats
// belong to the run; 0 means all.
template <int NH, int NT, int TAIL, bool DX>
ALWAYS_INLINE void add_piece(const Entry *entry, int entries, const float *x, float *dx, ptrdiff_t line,
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

// The rows h .. h + NH - 1 of one filter in one block, in pieces of at most PIECE vectors.
constexpr int PIECE = 5;    // 5 vectors of W and 5 of dW fit in 16 registers
template <class L, int NH, bool DX>
ALWAYS_INLINE void add_rows(const Entry *entry, int entries, const float *x, float *dx, ptrdiff_t line, const float *w,
                            float *dw) {
    constexpr int N = L::RUN_VECTORS, LAST = N % PIECE ? N % PIECE : PIECE, TAIL = L::RUN % VL;
    int t = 0;
    for (; t + LAST < N; t += PIECE)
        add_piece<NH, PIECE, 0, DX>(entry, entries, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
    add_piece<NH, LAST, TAIL, DX>(entry, entries, x + t * VL, dx + t * VL, line, w + t * VL, dw + t * VL, N * VL);
}
template <class L, int SIZE, bool DX>
void add_filter(const Entry *entry, int entries, const float *x, float *dx, int columns, const float *w, float *dw) {
    constexpr int N = L::RUN_VECTORS, ROWS = N >= PIECE ? 1 : PIECE / N < SIZE ? PIECE / N : SIZE;
    const ptrdiff_t line = (ptrdiff_t)columns * L::PIXEL;
    int h = 0;
    for (; h + ROWS <= SIZE; h += ROWS)
        add_rows<L, ROWS, DX>(entry, entries, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
    for (; h < SIZE; h++)
        add_rows<L, 1, DX>(entry, entries, x + h * line, dx + h * line, line, w + h * N * VL, dw + h * N * VL);
}

// ---------------------------------------------------------------- backward: the pixels that are not zero

// With few channels and no dx it is the pixels that are few. For a vector of filters, the gradient is
// spread over the positions before pooling; a pixel then multiplies those of the positions that see it, each
// for another place of the filter. A vector of dw has one place of as many filters: [place][filter].

constexpr int PLACES = VL == 16 ? 25 : 9;      // summed at once in registers

template <int IN, int SIZE> struct Spread {     // the positions, and SIZE - 1 more above and to the left that are 0
    static int columns(const Shape &s) { return s.columns + SIZE - 1; }
    static size_t floats(const Shape &s) { return (size_t)(s.rows + SIZE - 1) * columns(s) * VL; }
    static size_t room(const Shape &s) { return (size_t)s.rows * s.columns + 1; }   // for a channel's pixels
    static size_t memory(const Shape &s) { return piece(floats(s)) + piece(2 * IN * room(s)) + piece(IN); }
};

template <class L, int SIZE, int FIRST, int COUNT>
ALWAYS_INLINE void add_places(const Entry *pixels, const Entry *end, const float *spread, ptrdiff_t line, float *dw) {
    constexpr int P = L::OUT_PADDED;
    auto at = [](int k) { return ((FIRST + k) / SIZE * L::RUN + (FIRST + k) % SIZE * L::PIXEL) * P; };
    vec sum[COUNT];
    UNROLL for (int k = 0; k < COUNT; k++) sum[k] = load(dw + at(k));
    for (const Entry *e = pixels; e < end; e++) {
        const vec pixel = broadcast(e->value);
        const float *corner = keep(spread + e->offset);
        UNROLL for (int k = 0; k < COUNT; k++)
            sum[k] += pixel * load(corner - (FIRST + k) / SIZE * line - (FIRST + k) % SIZE * VL);
    }
    UNROLL for (int k = 0; k < COUNT; k++) store(dw + at(k), sum[k]);
}
template <class L, int SIZE, int FIRST, int LEFT> struct Places {       // a loop over constants
    static constexpr int COUNT = LEFT < PLACES ? LEFT : PLACES;
    template <class... Rest> static ALWAYS_INLINE void add(Rest... rest) {
        add_places<L, SIZE, FIRST, COUNT>(rest...);
        Places<L, SIZE, FIRST + COUNT, LEFT - COUNT>::add(rest...);
    }
};
template <class L, int SIZE, int FIRST> struct Places<L, SIZE, FIRST, 0> {
    template <class... Rest> static void add(Rest...) {}
};

// The pixels under one position, for one filter.
template <class L, int SIZE>
void add_position(const float *image, const Shape &s, int offset, float v, int o, float *dw) {
    for (int k = 0; k < SIZE * L::RUN; k++)
        dw[k * L::OUT_PADDED + o] += v * image[offset + k / L::RUN * s.columns * L::PIXEL + k % L::RUN];
}

// Adds what one finite image gives to dw and db. `memory` is zero before the first.
template <class L, int IN, int SIZE>
void add_pixels(const Shape &s, const float *image, const float *g, const uint8_t *code, float *memory, float *dw,
                float *db) {
    constexpr int P = L::OUT_PADDED;
    typedef Spread<IN, SIZE> S;
    const ptrdiff_t line = (ptrdiff_t)S::columns(s) * VL;
    Pieces pieces{memory};
    float *spread = pieces.take(S::floats(s)) + (SIZE - 1) * (line + VL);
    Entry *pixels[IN], *end[IN];
    for (int c = 0; c < IN; c++) {
        end[c] = pixels[c] = (Entry *)pieces.take(2 * S::room(s));
        for (int r = 0; r < s.rows; r++)
            for (int w = 0; w < s.columns; w++) {   // without branches, as above
                *end[c] = Entry{(int)(r * line + w * VL), image[(r * s.columns + w) * IN + c]};
                end[c] += nonzero(end[c]->value);
            }
    }
    for (int o = 0; o < P; o += VL) {
        vec total = load(db + o);
        for (int i = 0, p = o; i < s.window_rows; i++)
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
        store(db + o, total);
        for (int c = 0; c < IN; c++)
            Places<L, SIZE, 0, SIZE * SIZE>::add(pixels[c], end[c], (const float *)spread, line, dw + c * P + o);
    }
}

// ---------------------------------------------------------------- backward

// dW (contiguous, as W), db and, if DX, dx of all images. Throws std::bad_alloc.
template <int IN, int OUT, int SIZE, bool DX>
void backward(const Shape &s, const Input &x, const Input &W, const Input &g, const uint8_t *codes, float *dW,
              float *db, const Output &dx) {
    typedef Layout<IN, OUT, SIZE> L;
    constexpr int P = L::OUT_PADDED;
    // Images whose lists are joined: longer lists make more of each piece of a filter in registers.
    constexpr int JOIN = L::FEW ? 1 : 4;
    memset(dW, 0, (size_t)OUT * IN * SIZE * SIZE * sizeof(float));
    memset(db, 0, OUT * sizeof(float));
    if (s.images == 0) return;
    const int threads = parallel::threads();
    constexpr bool PIXELS = L::FEW && !DX;
    const size_t sums = PIXELS ? SIZE * L::RUN * P : OUT * L::FILTER, maps = (size_t)s.windows * P;
    const size_t room = PIXELS ? 0 : JOIN * s.positions, image_floats = L::image(s);
    // Parts with sums of their own: more of them even the load out, but must be added up.
    const int parts = threads == 1 ? 1 : parts_of(s.images, (PIXELS ? 8 : 2) * threads);
    const size_t part_sums = piece(sums) + piece(P);
    const size_t each = (DX ? 2 : 1) * piece(JOIN * image_floats) + piece(maps) +
                        piece(maps / 4 + 16) + piece(2 * OUT) + piece(2 * (OUT * room + 1)) +
                        (PIXELS ? Spread<IN, SIZE>::memory(s) : 0);
    Pieces shared{scratch<BackwardTag>((DX ? piece(sums) : 0) + parts * part_sums + threads * each)};
    float *filters = DX ? shared.take(sums) : nullptr, *all_sums = shared.take(parts * part_sums), *own = shared.next;
    bool finite_filters = true;
    if (DX) {
        share(OUT, threads, threads, [&](int, int, int first, int last) {
            pack_by_filter<L, IN, SIZE>(W, first, last, filters);
        });
        finite_filters = finite(largest(filters, sums));
    }

    share(s.images, parts, threads, [&](int part, int worker, int first, int last) {
        Pieces pieces{own + worker * each};
        float *dw = all_sums + part * part_sums, *dbias = dw + piece(sums), *image = pieces.take(JOIN * image_floats);
        float *dimage = DX ? pieces.take(JOIN * image_floats) : nullptr, *own_g = pieces.take(maps);
        const float *gl = own_g;
        const bool in_place = is_local<OUT, P>(g, s);
        uint8_t *code = (uint8_t *)pieces.take(maps / 4 + 16);
        Lists lists;
        lists.next = (Entry **)pieces.take(2 * OUT);
        lists.begin = (Entry *)pieces.take(2 * (OUT * room + 1));
        lists.room = room;
        if (PIXELS) memset(pieces.next, 0, Spread<IN, SIZE>::memory(s) * sizeof(float));
        memset(dw, 0, sums * sizeof(float));
        memset(dbias, 0, P * sizeof(float));
        if (P != OUT) memset(code, 0, maps);
        for (int n0 = first; n0 < last; n0 += JOIN) {
            const int joined = last - n0 < JOIN ? last - n0 : JOIN;
            for (int o = 0; o < OUT; o++) lists.next[o] = lists.of(o);
            if (DX) memset(dimage, 0, joined * image_floats * sizeof(float));
            for (int k = 0; k < joined; k++) {
                float *xk = image + k * image_floats;
                copy_image<L, IN>(x, n0 + k, s, xk);
                if (in_place) gl = g.at(n0 + k);
                else copy_maps<OUT, P>(g, n0 + k, s, own_g);
                const uint8_t *from = codes + (size_t)(n0 + k) * s.windows * OUT;
                if (P == OUT) code = (uint8_t *)from;
                else for (int p = 0; p < s.windows; p++) memcpy(code + (size_t)p * P, from + (size_t)p * OUT, OUT);
                const int start = (int)(k * image_floats);
                if (finite_filters && finite(largest(xk, image_floats)) && finite(largest(gl, maps)) &&
                    !has_nan(code, maps)) {
                    if (PIXELS) add_pixels<L, IN, SIZE>(s, xk, gl, code, pieces.next, dw, dbias);
                    else list_gradients<L, OUT>(s, gl, code, start, lists, dbias);
                } else {
                    add_everything<L, IN, OUT, SIZE>(s, xk, W, gl, code, dbias, [&](int o, int offset, float v) {
                        if (PIXELS) add_position<L, SIZE>(xk, s, offset, v, o, dw);
                        else lists.add(o, start + offset, v);
                    });
                }
            }
            for (int b = 0; b < L::BLOCKS && !PIXELS; b++)
                for (int o = 0; o < OUT; o++) {
                    const size_t f = (size_t)o * L::FILTER + b * SIZE * L::RUN_VECTORS * VL, plane = b * L::plane(s);
                    add_filter<L, SIZE, DX>(lists.of(o), lists.count(o), image + plane, dimage + plane,
                                            s.columns, filters + f, dw + f);
                }
            if (DX)
                for (int k = 0; k < joined; k++) copy_image_back<L, IN>(dimage + k * image_floats, s, dx, n0 + k);
        }
    });

    // Always added in the same order.
    share(OUT, threads, threads, [&](int, int, int first, int last) {
        for (int part = 0; part < parts; part++) {
            const float *dw = all_sums + part * part_sums, *dbias = dw + piece(sums);
            for (int o = first; o < last; o++) {
                for (int c = 0; c < IN; c++)
                    for (int h = 0; h < SIZE; h++)
                        for (int w = 0; w < SIZE; w++)
                            dW[((o * IN + c) * SIZE + SIZE - 1 - h) * SIZE + SIZE - 1 - w] +=
                                dw[PIXELS ? (h * L::RUN + w * L::PIXEL + c) * P + o
                                          : o * L::FILTER + place_in_filter<L>(c, h, w, SIZE)];
                db[o] += dbias[o];
            }
        }
    });
}

}  // namespace conv_relu_pool
