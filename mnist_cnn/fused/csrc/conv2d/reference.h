// The convolution and its gradients by their definition, in double precision: the reference for checks of the kernels.
// Contiguous arrays: x, y, pooled, g and dx (image, row, column, channel); W (filter, channel, row, column).
#pragma once

#include <cmath>
#include <vector>

#include "conv2d/problem.h"

namespace conv2d {

struct Reference {
    std::vector<double> y, pooled, dW, db, dx;
};

inline double apply(const Nonlinearity &f, double z) {
    switch (f.kind) {
    case TANH: return std::tanh(z);
    case SIGMOID: return 1 / (1 + std::exp(-z));
    case ELU: return z > 0 ? z : std::exp(z) - 1;
    default: return z > 0 ? z : f.slope * z;
    }
}
inline double slope_at(const Nonlinearity &f, double z) {
    const double y = apply(f, z);
    switch (f.kind) {
    case TANH: return 1 - y * y;
    case SIGMOID: return y * (1 - y);
    case ELU: return z > 0 ? 1 : std::exp(z);
    default: return z > 0 ? 1 : z < 0 ? f.slope : f.at_zero;
    }
}

// g: of the pooled where there is a pooling, else of y. Every position that equals the maximum gets its gradient.
inline Reference reference(const Problem &p, const After &after, const std::vector<float> &x,
                           const std::vector<float> &W, const std::vector<float> &b, const std::vector<float> &g) {
    Reference r;
    const size_t map = (size_t)p.out_rows() * p.out_columns() * p.filters;
    std::vector<double> z(p.images * map), dy(z.size());
    r.y.resize(z.size());
    r.dW.resize(W.size());
    r.db.resize(b.size());
    r.dx.resize(x.size());
    // work(at) for every sum; each(at, weight, pixel) for all of its patch that lies in the image
    const auto for_sums = [&](auto work) {
        for (size_t at = 0; at < z.size(); at++) work(at);
    };
    const auto patch = [&](size_t at, auto each) {
        const int o = at % p.filters, j = at / p.filters % p.out_columns(), n = at / map,
                  i = at % map / p.filters / p.out_columns();
        for (int h = 0; h < p.size.rows; h++)
            for (int w = 0; w < p.size.columns; w++) {
                const int row = i * p.stride.rows + h - p.pad.top, column = j * p.stride.columns + w - p.pad.left;
                if (row < 0 || row >= p.rows || column < 0 || column >= p.columns) continue;
                for (int c = 0; c < p.channels; c++)
                    each(((size_t)(o * p.channels + c) * p.size.rows + p.size.rows - 1 - h) * p.size.columns +
                             p.size.columns - 1 - w,
                         ((size_t)(n * p.rows + row) * p.columns + column) * p.channels + c);
            }
    };
    for_sums([&](size_t at) {
        z[at] = b[at % p.filters];
        patch(at, [&](size_t weight, size_t pixel) { z[at] += (double)W[weight] * x[pixel]; });
        r.y[at] = apply(after.f, z[at]);
    });
    if (after.pool) {
        const pooling::Problem pool = after.pooling(p);
        const pooling::Window &w = pool.window;
        r.pooled.resize(p.images * pool.out_image());
        for (size_t k = 0; k < r.pooled.size(); k++) {
            const int o = k % p.filters, j = k / p.filters % pool.out_columns(), n = k / pool.out_image(),
                      i = k % pool.out_image() / p.filters / pool.out_columns();
            double most = -1e300, sum = 0;
            int pixels = 0;
            const auto window = [&](auto work) {
                for (int h = 0; h < w.rows; h++)
                    for (int v = 0; v < w.columns; v++) {
                        const int row = i * w.stride_rows - w.pad_rows + h,
                                  column = j * w.stride_columns - w.pad_columns + v;
                        if (row >= 0 && row < pool.rows && column >= 0 && column < pool.columns)
                            work(n * map + ((size_t)row * pool.columns + column) * p.filters + o);
                    }
            };
            window([&](size_t at) { most = std::max(most, r.y[at]), sum += r.y[at], pixels++; });
            if (w.mode == pooling::AVERAGE_WITH_PAD && w.ignore_border) pixels = w.rows * w.columns;
            if (w.mode == pooling::SUM) pixels = 1;
            r.pooled[k] = w.compares() ? most : sum / pixels;
            window([&](size_t at) {
                if (!w.compares())
                    dy[at] += g[k] / (double)pixels;
                else if (r.y[at] == most)
                    dy[at] += g[k];
            });
        }
    } else {
        dy.assign(g.begin(), g.end());
    }
    for_sums([&](size_t at) {
        const double before = dy[at] * slope_at(after.f, z[at]);
        r.db[at % p.filters] += before;
        if (before)
            patch(at, [&](size_t weight, size_t pixel) {
                r.dW[weight] += before * x[pixel];
                r.dx[pixel] += before * W[weight];
            });
    });
    return r;
}

}  // namespace conv2d
