// The algorithms ("ways") for the sums of a convolution.
#pragma once

#include "conv2d/winograd.h"

namespace conv2d {

// For y, dW and dx: Winograd's algorithm or every product. For dW and dx also the share of non-zero gradients up to
// which lists are faster.
struct Ways {
    bool winograd_y, winograd_dw, winograd_dx;
    float lists_dw, lists_dx;
};

// Images that are so few are measured by their number: packing and transforming the filters, done once for all images,
// may take longer than their sums.
constexpr int FEW = 8;
inline bool are_few(const Problem &p) { return p.images < FEW; }

// A count of cycles, for when nothing can be measured: the products of either way on a core with two multiply-add
// units, and the transforms of a channel of a tile.
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
