// The product of two matrices, C = alpha P Q + beta C, without packed factors: BLAS takes as long to pack those of a
// few rows as to multiply them. Here only a Q that lies by columns is packed.
#pragma once

#include <algorithm>

#include "runtime/simd.h"

namespace dense_product {

using namespace simd;

constexpr int WIDTH = 2 * VL;              // columns of a tile
constexpr int TALL = (REGISTERS - 4) / 2;  // its rows at most: its sums stay in registers, and a row of Q beside them
constexpr int DEEP = 256;                  // terms at a time: their part of Q stays in the first-level cache

// A tile of C of ROWS rows and V vectors: alpha times the sums of `terms` products, and beta times what is there. Of
// the last vector `some` lanes count, all of them if WHOLE.
template <int ROWS, int V, bool WHOLE>
ALWAYS_INLINE void add_tile(const Matrix &p, const Matrix &q, int terms, int some, float alpha, float beta, float *c,
                            ptrdiff_t c_row) {
    const auto read = [=](const float *from, int v) {
        return WHOLE || v < V - 1 ? load_unaligned(from + v * VL) : load_some(from + v * VL, some);
    };
    vec sums[ROWS][V] = {};
    for (int k = 0; k < terms; k++) {
        const float *in_q = q.at(k, 0), *in_p = p.at(0, k);
        vec row[V];
        UNROLL for (int v = 0; v < V; v++) row[v] = read(in_q, v);
        UNROLL for (int i = 0; i < ROWS; i++) {
            const vec factor = broadcast(in_p[i * p.row]);
            UNROLL for (int v = 0; v < V; v++) sums[i][v] += factor * row[v];
        }
    }
    const vec factor = broadcast(alpha), kept = broadcast(beta);
    UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int v = 0; v < V; v++) {
            float *to = c + i * c_row;
            const vec sum = beta == 0 ? factor * sums[i][v] : factor * sums[i][v] + kept * read(to, v);
            if (WHOLE || v < V - 1)
                store_unaligned(to + v * VL, sum);
            else
                store_some_lanes(to + v * VL, sum, some);
        }
    }
}

// The same for `rows` rows and `columns` columns, TALL and WIDTH at most.
template <int ROWS> struct Tile {
    static void add(int rows, int columns, const Matrix &p, const Matrix &q, int terms, float alpha, float beta,
                    float *c, ptrdiff_t c_row) {
        if (rows < ROWS) return Tile<ROWS - 1>::add(rows, columns, p, q, terms, alpha, beta, c, c_row);
        if (columns == WIDTH) return add_tile<ROWS, 2, true>(p, q, terms, VL, alpha, beta, c, c_row);
        if (columns > VL) return add_tile<ROWS, 2, false>(p, q, terms, columns - VL, alpha, beta, c, c_row);
        add_tile<ROWS, 1, false>(p, q, terms, columns, alpha, beta, c, c_row);
    }
};
template <> struct Tile<0> {
    static void add(int, int, const Matrix &, const Matrix &, int, float, float, float *, ptrdiff_t) {}
};

// C has contiguous rows. A sum's terms are added in their order, whatever the other rows and columns are. A beta of 0
// hides NaN in C, as in BLAS.
inline void multiply(int rows, int columns, int terms, float alpha, const Matrix &p, const Matrix &q, float beta,
                     float *c, ptrdiff_t c_row) {
    float packed[DEEP * WIDTH] __attribute__((aligned(64)));
    const int tiles = (rows + TALL - 1) / TALL;
    for (int k = 0; k < terms; k += DEEP) {
        const int deep = std::min(DEEP, terms - k);
        // columns whose part of Q stays in the first-level cache while all rows meet it
        const int broad = DEEP / deep * WIDTH;
        for (int first = 0; first < columns; first += broad) {
            const int last = std::min(columns, first + broad);
            Matrix part = q.from(k, first);
            if (q.column != 1) {
                copy_matrix(part.data, q.row, q.column, deep, last - first, packed, broad);
                part = {packed, broad, 1};
            }
            for (int t = 0; t < tiles; t++) {
                const int top = (int)((long)rows * t / tiles), bottom = (int)((long)rows * (t + 1) / tiles);
                for (int j = first; j < last; j += WIDTH)
                    Tile<TALL>::add(bottom - top, std::min(WIDTH, last - j), p.from(top, k), part.from(0, j - first),
                                    deep, alpha, k ? 1 : beta, c + top * c_row + j, c_row);
            }
        }
    }
}

}  // namespace dense_product
