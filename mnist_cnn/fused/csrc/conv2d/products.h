// The products of matrices in Winograd's algorithm, one for each point.
#pragma once

#include "conv2d/problem.h"

namespace conv2d {

// c (ROWS by NV vectors) = or += a (ROWS by depth) * b (depth by NV vectors, `b_row` floats apart).
template <int ROWS, int NV>
void product(const Matrix &a, int depth, const float *b, ptrdiff_t b_row, float *c, ptrdiff_t c_row, bool add) {
    constexpr int POINTERS = (ROWS + 3) / 4;  // rows one, two and three apart share a pointer
    vec sum[ROWS][NV] = {};
    if (add) {
        UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int v = 0; v < NV; v++) sum[r][v] =
            load(c + r * c_row + v * VL);
    }
    const float *from[POINTERS];
    UNROLL for (int k = 0; k < POINTERS; k++) from[k] = a.data + 4 * k * a.row;
    const ptrdiff_t row = a.row, column = a.column;
#pragma GCC unroll 1
    for (int k = 0; k < depth; k++, b += b_row) {
        vec weight[NV];
        UNROLL for (int v = 0; v < NV; v++) keep(weight[v] = load(b + v * VL));
        UNROLL for (int r = 0; r < ROWS; r++) {
            const vec value = broadcast(from[r / 4][r % 4 * row]);
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] += value * weight[v];
        }
        UNROLL for (int p = 0; p < POINTERS; p++) from[p] = keep(from[p] + column);
    }
    UNROLL for (int r = 0; r < ROWS; r++) UNROLL for (int v = 0; v < NV; v++) store(c + r * c_row + v * VL, sum[r][v]);
}

typedef void (*Product)(const Matrix &, int, const float *, ptrdiff_t, float *, ptrdiff_t, bool);
constexpr int ROWS_STEP = TILE / 3;  // a product takes one, two or three times so many rows
template <int NV> Product product_of(int rows) {
    return rows > 2 * ROWS_STEP ? product<TILE, NV>
           : rows > ROWS_STEP   ? product<2 * ROWS_STEP, NV>
                                : product<ROWS_STEP, NV>;
}
inline int rows_up(int rows) { return (rows + ROWS_STEP - 1) / ROWS_STEP * ROWS_STEP; }

// c = or += a * b for `rows` rows, rounded up to whole steps, and `columns` floats, a multiple of VL. The rows of b
// lie `b_row` floats apart, or with 0 it is packed: block after block of two vectors, of which the last may have one.
inline void multiply(const Matrix &a, int rows, int depth, const float *b, ptrdiff_t b_row, int columns, float *c,
                     ptrdiff_t c_row, bool add) {
    const int all = rows_up(rows), passes = (all + TILE - 1) / TILE, each = rows_up((all + passes - 1) / passes);
    for (int o = 0; o < columns; o += 2 * VL) {
        const bool two = o + 2 * VL <= columns;
        const float *block = b + (b_row ? o : (ptrdiff_t)o * depth);
        const ptrdiff_t step = b_row ? b_row : two ? 2 * VL : VL;
        for (int r = 0; r < all; r += each) {
            const int some = std::min(each, all - r);
            const Product make = two ? product_of<2>(some) : product_of<1>(some);
            make(a.from(r, 0), depth, block, step, c + r * c_row + o, c_row, add);
        }
    }
}

}  // namespace conv2d
