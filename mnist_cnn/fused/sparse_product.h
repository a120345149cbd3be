// C = A B for an A with many zeros, such as rectified or dropped-out activations and their gradients.
//
// Each row of A becomes a list of its non-zero values, and a row of C the sum of as many rows of B.
// docs/fused.md tells why. No Python here: the Theano side is sparse_product_numpy.h.
#pragma once

#include <algorithm>

#include "parallel.h"
#include "simd.h"

namespace sparse_product {

using namespace simd;

// A matrix anywhere in memory; strides count floats.
struct Matrix {
    const float *data;
    ptrdiff_t row, column;
};

struct Entry {
    int row;        // of B
    float value;
};

constexpr int PANEL = 8 * VL;   // columns of C that are summed at once, in registers

// Lists the values of the rows first .. last - 1 of A that count: those of row i at entries + i * k, and up
// to ends[i]. Without branches, for which values are zero is hard to foresee: what is written for a zero
// is overwritten by the next.
inline void list_rows(const Matrix &a, int first, int last, int k, bool zeros_count, Entry *entries, Entry **ends) {
    const int always = zeros_count;
    auto add = [=](Entry *to, int p, float value) {
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        *to = Entry{p, value};
        return to + (((bits << 1) != 0) | always);
    };
    constexpr int BLOCK = 16;       // rows listed together: the line of a cache, if A lies by columns
    for (int i0 = first; i0 < last; i0 += BLOCK) {
        const int rows = std::min(BLOCK, last - i0);
        Entry *to[BLOCK];
        for (int i = 0; i < rows; i++) to[i] = entries + (size_t)(i0 + i) * k;
        if (a.row == 1)
            for (int p = 0; p < k; p++)
                for (int i = 0; i < rows; i++) to[i] = add(to[i], p, a.data[i0 + i + p * a.column]);
        else
            for (int i = 0; i < rows; i++) {
                const float *row = a.data + (i0 + i) * a.row;
                Entry *next = to[i];
                for (int p = 0; p < k; p++) next = add(next, p, row[p * a.column]);
                to[i] = next;
            }
        for (int i = 0; i < rows; i++) ends[i0 + i] = to[i];
    }
}

// NV vectors of a row of C: the sum of value * row of B over a list. A row of B has `width` floats here.
template <int NV> ALWAYS_INLINE void add_rows(const Entry *begin, const Entry *end, const float *b, int width, float *c) {
    vec sum[NV] = {};
    for (const Entry *e = begin; e < end; e++) {
        const vec value = broadcast(e->value);
        const float *from = b + (size_t)e->row * width;
        UNROLL for (int v = 0; v < NV; v++) sum[v] += value * load(from + v * VL);
    }
    UNROLL for (int v = 0; v < NV; v++) store_unaligned(c + v * VL, sum[v]);
}

// Columns first .. first + columns - 1 of B side by side, padded with zeros to `width`.
inline void copy_columns(const Matrix &b, int k, int first, int columns, int width, float *to) {
    constexpr int BLOCK = 16;       // the line of a cache is used whole, if B lies by columns
    if (columns < width) memset(to, 0, (size_t)k * width * sizeof(float));
    for (int p0 = 0; p0 < k; p0 += BLOCK) {
        const float *from = b.data + p0 * b.row + first * b.column;
        float *block = to + (size_t)p0 * width;
        if (b.column == 1)
            for (int p = 0; p < BLOCK && p0 + p < k; p++) memcpy(block + p * width, from + p * b.row, columns * sizeof(float));
        else if (b.row == 1 && p0 + BLOCK <= k)
            for (int j = 0; j < columns; j++, from += b.column)
                UNROLL for (int p = 0; p < BLOCK; p++) block[p * width + j] = from[p];
        else
            for (int p = 0; p < BLOCK && p0 + p < k; p++)
                for (int j = 0; j < columns; j++) block[p * width + j] = from[p * b.row + j * b.column];
    }
}

struct ProductTag;

// C (m x n, contiguous) = A (m x k) B (k x n). A number of C is always summed in the same order, with any
// number of threads. Throws std::bad_alloc.
inline void multiply(int m, int k, int n, const Matrix &a, const Matrix &b, float *c) {
    if (m == 0 || n == 0) return;
    const int panels = (n + PANEL - 1) / PANEL, threads = parallel::threads(), parts = std::min(threads, m);
    const size_t panel_floats = piece((size_t)k * PANEL), entry_floats = piece(2 * ((size_t)m * k + 1));
    Pieces pieces{scratch<ProductTag>(panels * (panel_floats + piece(PANEL)) + piece(panels) + entry_floats + piece(2 * m))};
    float *copies = pieces.take(panels * panel_floats), *rests = pieces.take(panels * piece(PANEL));
    int *is_finite = (int *)pieces.take(panels);
    Entry *entries = (Entry *)pieces.take(entry_floats), **ends = (Entry **)pieces.take(2 * m);
    auto columns = [=](int panel) { return std::min(PANEL, n - panel * PANEL); };

    parallel::run(panels, threads, [&](int panel, int) {
        float *copy = copies + panel * panel_floats;
        const int width = (int)round_up(columns(panel));
        copy_columns(b, k, panel * PANEL, columns(panel), width, copy);
        is_finite[panel] = finite(largest(copy, (size_t)k * width));
    });
    const bool zeros_count = !std::all_of(is_finite, is_finite + panels, [](int f) { return f; });
    parallel::run(parts, threads, [&](int part, int) {
        list_rows(a, (int)((long)m * part / parts), (int)((long)m * (part + 1) / parts), k, zeros_count, entries, ends);
    });
    parallel::run(panels, threads, [&](int panel, int) {
        const float *copy = copies + panel * panel_floats;
        float *rest = rests + panel * piece(PANEL);
        for (int i = 0; i < m; i++) {
            const Entry *begin = entries + (size_t)i * k;
            float *to = c + (size_t)i * n + panel * PANEL;
            if (columns(panel) == PANEL) {
                add_rows<PANEL / VL>(begin, ends[i], copy, PANEL, to);
                continue;
            }
            const int width = (int)round_up(columns(panel));
            for (int j = 0; j < width; j += VL) add_rows<1>(begin, ends[i], copy + j, width, rest + j);
            memcpy(to, rest, columns(panel) * sizeof(float));
        }
    });
}

}  // namespace sparse_product
