// Which way the sums of a convolution go.
#pragma once

#include "conv2d/winograd.h"

namespace conv2d {

// For y, dW and dx: Winograd's algorithm or every product. Up to which share of non-zero gradients lists are faster
// than that, for dW and for dx.
struct Ways {
    bool winograd_y, winograd_dw, winograd_dx;
    float lists_dw, lists_dx;
};

// By a count of cycles, where nothing can be measured: products of a core with two multiply-add units in either way,
// and what it takes to transform a channel of a tile there and back.
inline Ways counted_ways(const Problem &p) {
    const bool lists = p.size.columns * p.channels >= 3 * VL;
    const auto faster = [&](int rows, int columns) {
        if (!has_winograd(p)) return false;
        const double products = (double)padded(p.filters) * padded(p.channels) / (2 * VL);
        const double transforms = 12. * points_of(p.size.rows) / VL * (padded(p.filters) + padded(p.channels));
        return Tiling(rows, columns).count() * (points_of(p.size.rows) * products + transforms) <
               (double)rows * columns * p.places() * products * p.channels / padded(p.channels);
    };
    const bool y = faster(p.out_rows(), p.out_columns()), dx = faster(p.rows, p.columns);
    return Ways{y, y, dx, lists ? (y ? .15f : .4f) : 0, lists ? (dx ? .1f : .25f) : 0};
}

}  // namespace conv2d
