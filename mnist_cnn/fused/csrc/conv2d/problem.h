// A convolution of any size: its shape, its arrays, and the words that the other files use.
//
// Images lie with the channels of a pixel side by side: (image, row, column, channel). A *patch* is what one
// filter covers, and under one row of the filter its pixels are one contiguous *line* of its columns * channels floats.
#pragma once

#include <algorithm>

#include "conv2d/nonlinearity.h"
#include "pooling/pooling.h"

namespace conv2d {

using namespace simd;

struct Pad {
    int top, bottom, left, right;
};

struct Pair {
    int rows, columns;
};

struct Problem {
    int images, rows, columns, channels, filters;
    Pair size;  // of the filters
    Pad pad;
    Pair stride = {1, 1};
    static int length(int padded, int size, int stride) { return padded < size ? 0 : (padded - size) / stride + 1; }
    int out_rows() const { return length(rows + pad.top + pad.bottom, size.rows, stride.rows); }
    int out_columns() const { return length(columns + pad.left + pad.right, size.columns, stride.columns); }
    int places() const { return size.rows * size.columns; }
};

// What follows the sums. `ties`: whether something else than this pooling compares y's values, so that equal patches
// have to give equal sums.
struct After {
    Nonlinearity f;
    pooling::Window pool;
    bool ties;
    pooling::Problem pooling(const Problem &p) const {
        return pooling::Problem{p.images, p.out_rows(), p.out_columns(), p.filters, pool};
    }
};
constexpr pooling::Window NO_POOLING{0, 0, 1, 1, 0, 0, true, pooling::MAXIMUM};

// An array (image, row, column, channel) anywhere in memory; strides count floats.
template <class Float> struct View {
    Float *data;
    ptrdiff_t image, row, column, channel;
    Float *at(int n) const { return data + n * image; }
};
typedef View<const float> Input;

// Filters (filter, channel, row, column), as Theano has them; strides count floats.
struct Filters {
    const float *data;
    ptrdiff_t filter, channel, row, column;
};

// The largest tile: so many sums times two vectors fit in the registers, with two weights and a pixel.
constexpr int TILE = REGISTERS == 32 ? 12 : 6;

// What lies under one another in memory, padded to whole vectors.
inline int padded(int floats) { return (int)round_up(floats); }

// The fewest tiles of at most TILE that cover `count`, all of nearly the same length.
inline int tile_length(int count) {
    const int tiles = (count + TILE - 1) / TILE;
    return tiles ? (count + tiles - 1) / tiles : 0;
}

}  // namespace conv2d
