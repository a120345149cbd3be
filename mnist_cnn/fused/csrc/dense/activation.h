// Bias and nonlinearity, and their gradient, in one pass over rows: a dense layer's product, or the pixels of maps. And
// the nonlinearity of a sum of two arrays, as a residual network has it.
#pragma once

#include <algorithm>
#include <vector>

#include "conv2d/nonlinearity.h"
#include "runtime/threads.h"

namespace activation {

using namespace simd;
using conv2d::Nonlinearity;

struct Problem {
    ptrdiff_t rows;
    int columns;
};

constexpr int BLOCK = 32;  // rows

// Calls work(block, first row, last row) for all blocks, on as many threads as there is work for.
template <class Work> void for_blocks(const Problem &p, Work work) {
    constexpr ptrdiff_t ENOUGH = 1 << 12;  // numbers that are worth another thread
    const ptrdiff_t worth = p.rows * p.columns / ENOUGH + 1, most = 4 * parallel::threads();
    parallel::for_blocks(p.rows, BLOCK, std::min(worth, most), work);
}

// y = f(z + b)
inline void forward(const Problem &p, const float *z, const float *b, const Nonlinearity &f, float *y) {
    const int C = p.columns;
    const Nonlinearity bend = f;
    for_blocks(p, [=](int, ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t r = first; r < last; r++)
            for (int c = 0; c < C; c += VL) {
                prefetch(z + r * C + c);
                prefetch(y + r * C + c);
                const vec sum = load_some(z + r * C + c, C - c) + load_some(b + c, C - c) + 0;  // no -0
                store_some_lanes(y + r * C + c, conv2d::rectified(sum, bend), C - c);
            }
        conv2d::bend(y + first * C, (last - first) * C, bend);
    });
}

// dz = g * f', and db, its sum over the rows in double, as Theano has it: of each block, then of the blocks, with any
// number of threads. Throws std::bad_alloc.
inline void backward(const Problem &p, const float *y, const Nonlinearity &f, const float *g, float *dz, float *db) {
    const int C = p.columns, padded = (int)round_up(C);
    const size_t blocks = (p.rows + BLOCK - 1) / BLOCK;
    std::vector<double> sums(blocks * padded), total(C);
    double *of_blocks = sums.data();
    const Nonlinearity bend = f;
    for_blocks(p, [=](int block, ptrdiff_t first, ptrdiff_t last) {
        for (int c = 0; c < C; c += VL) {
            const int some = C - c;
            Doubles sum = {};
            for (ptrdiff_t at = first * C + c; at < last * C; at += C) {
                for (const float *array : {g, y, (const float *)dz}) prefetch(array + at);
                const vec h = conv2d::through(load_some(g + at, some), load_some(y + at, some), bend);
                store_some_lanes(dz + at, h, some);
                sum.add(h);
            }
            memcpy(of_blocks + (size_t)block * padded + c, &sum, sizeof sum);
        }
    });
    for (size_t b = 0; b < blocks; b++)
        for (int c = 0; c < C; c++) total[c] += sums[b * padded + c];
    for (int c = 0; c < C; c++) db[c] = (float)total[c];
}

// Calls work(at, lanes) for all vectors of `count` floats; the last one may have fewer lanes.
template <class Work> void for_vectors(ptrdiff_t count, Work work) {
    constexpr int FLOATS = 1 << 12;
    parallel::for_blocks(count, FLOATS, 4 * parallel::threads(), [&](int, ptrdiff_t first, ptrdiff_t last) {
        for (ptrdiff_t k = first; k < last; k += VL) work(k, (int)std::min<ptrdiff_t>(VL, last - k));
    });
}

// y = f(a + b), or f(a) without a b
inline void forward_of_sum(ptrdiff_t count, const float *a, const float *b, const Nonlinearity f, float *y) {
    const bool bends = f.kind != conv2d::LINES || f.of_nan != conv2d::NOT_A_NUMBER_BITS;
    for_vectors(count, [=](ptrdiff_t k, int lanes) {
        prefetch(a + k);
        prefetch(y + k);
        if (b) prefetch(b + k);
        const vec sum = b ? load_some(a + k, lanes) + load_some(b + k, lanes) : load_some(a + k, lanes);
        const vec z = conv2d::rectified(sum + 0, f);  // no -0
        store_some_lanes(y + k, bends ? conv2d::curve(z, f) : z, lanes);
    });
}

// (g + h) * f'; h may be null.
inline void backward_of_sum(ptrdiff_t count, const float *y, const Nonlinearity f, const float *g, const float *h,
                            float *dz) {
    for_vectors(count, [=](ptrdiff_t k, int lanes) {
        for (const float *array : {g, y, (const float *)dz}) prefetch(array + k);
        if (h) prefetch(h + k);
        vec all = load_some(g + k, lanes);
        if (h) all += load_some(h + k, lanes);
        store_some_lanes(dz + k, conv2d::through(all, load_some(y + k, lanes), f), lanes);
    });
}

}  // namespace activation
