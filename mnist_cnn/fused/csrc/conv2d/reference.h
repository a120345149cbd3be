// The convolution and its gradients as their definition says, in double precision: what the kernels are checked
// against. Contiguous arrays: x, y, g and dx (image, row, column, channel); W (filter, channel, row, column).
#pragma once

#include <vector>

#include "conv2d/problem.h"

namespace conv2d {

struct Reference {
    std::vector<double> y, dW, db, dx;
};

inline Reference reference(const Problem &p, const std::vector<float> &x, const std::vector<float> &W,
                           const std::vector<float> &b, const std::vector<float> &g, double slope) {
    Reference r;
    r.y.resize(g.size());
    r.dW.resize(W.size());
    r.db.resize(b.size());
    r.dx.resize(x.size());
    const int size = p.size;
    for (int n = 0; n < p.images; n++)
        for (int i = 0; i < p.out_rows(); i++)
            for (int j = 0; j < p.out_columns(); j++)
                for (int o = 0; o < p.filters; o++) {
                    // work(weight, pixel) for all of the patch that lies in the image
                    const auto patch = [&](auto work) {
                        for (int h = 0; h < size; h++)
                            for (int w = 0; w < size; w++) {
                                const int row = i + h - p.pad.top, column = j + w - p.pad.left;
                                if (row < 0 || row >= p.rows || column < 0 || column >= p.columns) continue;
                                for (int c = 0; c < p.channels; c++)
                                    work(((size_t)(o * p.channels + c) * size + size - 1 - h) * size + size - 1 - w,
                                         ((size_t)(n * p.rows + row) * p.columns + column) * p.channels + c);
                            }
                    };
                    double z = b[o];
                    patch([&](size_t weight, size_t pixel) { z += (double)W[weight] * x[pixel]; });
                    const size_t at = ((size_t)(n * p.out_rows() + i) * p.out_columns() + j) * p.filters + o;
                    r.y[at] = z > 0 ? z : slope * z;
                    const double before = g[at] * (z > 0 ? 1 : z < 0 ? slope : (1 + slope) / 2);
                    r.db[o] += before;
                    patch([&](size_t weight, size_t pixel) {
                        r.dW[weight] += before * x[pixel];
                        r.dx[pixel] += before * W[weight];
                    });
                }
    return r;
}

}  // namespace conv2d
