// Batch normalization with the statistics of the batch, and the nonlinearity after it:
//
//     y = f((x - mean) / sqrt(variance + epsilon) * gamma + beta)
//
// of rows of channels: the examples, or every pixel of every image. (S. Ioffe, C. Szegedy: Batch Normalization:
// Accelerating Deep Network Training by Reducing Internal Covariate Shift. ICML 2015, arXiv:1502.03167.)
//
// Sums over rows are made of blocks, each in float and few enough for that, and of the blocks in double, always in the
// same order: the result does not depend on the number of threads.
#pragma once

#include <cmath>
#include <vector>

#include "conv2d/nonlinearity.h"
#include "pooling/pooling.h"
#include "runtime/threads.h"

namespace normalization {

using namespace simd;
using conv2d::Nonlinearity;

struct Problem {
    ptrdiff_t rows;
    int channels;
};

constexpr int BLOCK = 128;  // rows

// Calls work(block, first row, last row) for all blocks.
template <class Work> void for_blocks(const Problem &p, Work work) {
    parallel::for_blocks(p.rows, BLOCK, 4 * parallel::threads(), work);
}

// Two sums of each block, [block][2][channels]. Allocated before threads begin.
inline std::vector<float> block_sums(const Problem &p) {
    return std::vector<float>((size_t)((p.rows + BLOCK - 1) / BLOCK) * 2 * p.channels);
}

// x's mean and 1 / sqrt(variance + epsilon) for each channel.
inline void statistics(const Problem &p, const float *x, float epsilon, float *mean, float *inv_std) {
    const int C = p.channels;
    std::vector<float> sums = block_sums(p);
    std::vector<double> total(C), squares(C);
    for_blocks(p, [&](int block, ptrdiff_t first, ptrdiff_t last) {
        float *to = sums.data() + (size_t)block * 2 * C;
        for (int c = 0; c < C; c += VL) {
            vec sum = {}, square = {};
            for (ptrdiff_t r = first; r < last; r++) {
                prefetch(x + r * C + c);
                sum += load_some(x + r * C + c, C - c);
            }
            const vec middle = sum / broadcast((float)(last - first));
            for (ptrdiff_t r = first; r < last; r++) {
                const vec off = load_some(x + r * C + c, C - c) - middle;
                square += off * off;
            }
            store_some_lanes(to + c, sum, C - c);
            store_some_lanes(to + C + c, square, C - c);  // around the block's own mean
        }
    });
    const size_t blocks = sums.size() / (2 * C);
    for (size_t b = 0; b < blocks; b++)
        for (int c = 0; c < C; c++) total[c] += sums[b * 2 * C + c];
    for (size_t b = 0; b < blocks; b++) {
        const double rows = (double)std::min((ptrdiff_t)BLOCK, p.rows - (ptrdiff_t)b * BLOCK);
        for (int c = 0; c < C; c++) {
            const double off = sums[b * 2 * C + c] / rows - total[c] / p.rows;
            squares[c] += sums[(b * 2 + 1) * C + c] + rows * off * off;
        }
    }
    for (int c = 0; c < C; c++) {
        mean[c] = (float)(total[c] / p.rows);
        inv_std[c] = (float)(1 / std::sqrt(squares[c] / p.rows + epsilon));
    }
}

inline void forward(const Problem &p, const float *x, const float *gamma, const float *beta, float epsilon,
                    const Nonlinearity &f, float *y, float *mean, float *inv_std) {
    const int C = p.channels;
    if (!p.rows) {
        for (int c = 0; c < C; c++) mean[c] = inv_std[c] = NAN;
        return;
    }
    statistics(p, x, epsilon, mean, inv_std);
    // The last rows are still in the cache. Copies of what is captured stay in registers, though vectors are stored.
    const ptrdiff_t rows = p.rows;
    for_blocks(p, [=, &f](int, ptrdiff_t from, ptrdiff_t to) {
        const Nonlinearity bend = f;
        const ptrdiff_t first = rows - to, last = rows - from, next = -(ptrdiff_t)BLOCK * C;
        for (int c = 0; c < C; c += VL) {
            const vec middle = load_some(mean + c, C - c), shift = load_some(beta + c, C - c) + 0,
                      scale = load_some(inv_std + c, C - c) * load_some(gamma + c, C - c);
            for (ptrdiff_t r = first; r < last; r++) {
                prefetch(x + r * C + c, next);
                prefetch(y + r * C + c, next);
                const vec z = (load_some(x + r * C + c, C - c) - middle) * scale + shift;
                store_some_lanes(y + r * C + c, conv2d::rectified(z, bend), C - c);
            }
        }
        conv2d::bend(y + first * C, (last - first) * C, f);
    });
}

// From y's gradient g; with h = g * f' and n = (x - mean) * inv_std:
//
//     dbeta = sum h    dgamma = sum h * n    dx = gamma * inv_std * (h - (dbeta + n * dgamma) / rows)
inline void backward(const Problem &p, const float *x, const float *gamma, const Nonlinearity &f, const float *y,
                     const float *mean, const float *inv_std, const float *g, float *dx, float *dgamma, float *dbeta) {
    const int C = p.channels;
    std::vector<float> sums = block_sums(p);
    std::vector<double> total(2 * C);
    const Nonlinearity bend = f;
    const auto before = [=](ptrdiff_t at, int some, ptrdiff_t ahead) {
        prefetch(g + at, ahead);
        const vec v = load_some(g + at, some);
        if (bend.is_linear()) return v;
        prefetch(y + at, ahead);
        return conv2d::through(v, load_some(y + at, some), bend);
    };
    for_blocks(p, [&](int block, ptrdiff_t first, ptrdiff_t last) {
        float *to = sums.data() + (size_t)block * 2 * C;
        for (int c = 0; c < C; c += VL) {
            const vec middle = load_some(mean + c, C - c), scale = load_some(inv_std + c, C - c);
            vec beta = {}, product = {};
            for (ptrdiff_t r = first; r < last; r++) {
                prefetch(x + r * C + c);
                const vec h = before(r * C + c, C - c, AHEAD);
                beta += h;
                product += h * ((load_some(x + r * C + c, C - c) - middle) * scale);
            }
            store_some_lanes(to + c, beta, C - c);
            store_some_lanes(to + C + c, product, C - c);
        }
    });
    for (size_t b = 0; b < sums.size() / (2 * C); b++)
        for (int k = 0; k < 2 * C; k++) total[k] += sums[b * 2 * C + k];
    for (int c = 0; c < C; c++) dbeta[c] = (float)total[c], dgamma[c] = (float)total[C + c];
    const ptrdiff_t rows = p.rows;
    const float share = rows ? 1.f / rows : 0;
    for_blocks(p, [=](int, ptrdiff_t from, ptrdiff_t to) {
        const auto through_f = before;
        // the last rows are still in the cache
        const ptrdiff_t first = rows - to, last = rows - from, next = -(ptrdiff_t)BLOCK * C;
        for (int c = 0; c < C; c += VL) {
            const int some = C - c;
            const vec middle = load_some(mean + c, some), inverse = load_some(inv_std + c, some),
                      scale = load_some(gamma + c, some) * inverse, beta = load_some(dbeta + c, some) * share,
                      product = load_some(dgamma + c, some) * share;
            for (ptrdiff_t r = first; r < last; r++) {
                prefetch(x + r * C + c, next);
                prefetch(dx + r * C + c, next);
                const vec n = (load_some(x + r * C + c, some) - middle) * inverse, h = through_f(r * C + c, some, next);
                store_some_lanes(dx + r * C + c, scale * (h - (beta + n * product)), some);
            }
        }
    });
}

}  // namespace normalization
