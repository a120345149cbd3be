// The gradients of W and x where y's gradient is mostly zeros, as after max-pooling or a rectifier.
//
// For each filter, its positions with a gradient are listed. Then for each row of the filter
//
//     for each entry of the list:   dW_line += value * x[line];   dx[line] += value * W_line
//
// with the line of W and its gradient in registers while the list goes by.
#pragma once

#include "conv2d/copies.h"
#include "runtime/lists.h"

namespace conv2d {

using lists::List;
using lists::Lists;

// Fills the lists: VL positions of a row by VL filters at a time, turned so that a vector holds one filter's
// positions. Its non-zero lanes are moved to the front and stored, and the list's end moves on by their number:
// no branch depends on which gradients are zero, which is hard to predict.
inline void list_gradient(const Problem &p, const Frame &fx, const float *g, const Frame &fg, const Lists &lists) {
    lists.clear();
    ivec lane;
    for (int l = 0; l < VL; l++) lane[l] = l;
    for (int i = 0; i < p.out_rows(); i++)
        for (int j = 0; j < p.out_columns(); j += VL) {
            const int positions = std::min(VL, p.out_columns() - j);
            const int row = (int)(i * p.stride.rows * fx.line()), column = p.stride.columns * fx.pixel;
            const ivec patches = (lane + j) * column + row;
            for (int o = 0; o < fg.pixel; o += VL) {
                const float *from = g + i * fg.line() + (ptrdiff_t)j * fg.pixel + o;
                float tile[VL * VL] __attribute__((aligned(64)));  // [filter][position]
                for (int k = 0; k < (positions & ~3); k += 4) {
                    UNROLL for (int f = 0; f < VL; f += 4)
                        transpose4(from + (ptrdiff_t)k * fg.pixel + f, fg.pixel, tile + f * VL + k, VL);
                }
                for (int k = positions & ~3; k < positions; k++)
                    for (int f = 0; f < VL; f++) tile[f * VL + k] = from[(ptrdiff_t)k * fg.pixel + f];
                const int filters = std::min(VL, p.filters - o);
                for (int f = 0; f < filters; f++) {
                    const ivec values = (ivec)load(tile + f * VL);
                    const unsigned bits = lanes((values & 0x7fffffff) != 0) & ((1u << positions) - 1);
                    lists.add_some(o + f, patches, values, bits);
                }
            }
        }
}

// A list's share of NV vectors of a line.
template <int NV, bool DX>
void add_line(const List list, const float *x, float *dx, const float *W, float *dW) {
    vec sum[NV], weight[NV];
    UNROLL for (int v = 0; v < NV; v++) {
        sum[v] = load(dW + v * VL);
        if (DX) weight[v] = load(W + v * VL);
    }
#pragma GCC unroll 1
    for (int e = 0; e < list.count; e++) {
        const vec value = broadcast(list.values[e]);
        const float *from = x + list.patches[e];
        UNROLL for (int v = 0; v < NV; v++) sum[v] += value * load_unaligned(from + v * VL);
        if (DX) {
            float *to = dx + list.patches[e];
            UNROLL for (int v = 0; v < NV; v++)
                store_unaligned(to + v * VL, load_unaligned(to + v * VL) + value * weight[v]);
        }
    }
    UNROLL for (int v = 0; v < NV; v++) store(dW + v * VL, sum[v]);
}

typedef void (*AddLine)(const List, const float *, float *, const float *, float *);
constexpr int LINE = 6;  // vectors of W, and as many of dW, that fit in 16 registers
template <bool DX, int NV = LINE> struct AddLines {
    static AddLine of(int vectors) { return vectors == NV ? add_line<NV, DX> : AddLines<DX, NV - 1>::of(vectors); }
};
template <bool DX> struct AddLines<DX, 0> {
    static AddLine of(int) { return nullptr; }
};

// An image's share of dW and, unless it is null, of dx, which lies in a frame like x's.
inline void add_sparse(const Problem &p, const float *x, const Frame &fx, const Lists &lists, const float *lines,
                       float *sums, float *dx) {
    const int all = line_floats(p) / VL, pieces = std::max(1, (all + LINE - 1) / LINE),
              each = (all + pieces - 1) / pieces;
    for (int o = 0; o < p.filters; o++)
        for (int h = 0; h < p.size.rows; h++)
            for (int v = 0; v < all; v += each) {
                const int some = std::min(each, all - v);
                const size_t at = ((size_t)o * p.size.rows + h) * line_floats(p) + v * VL;
                const ptrdiff_t place = h * fx.line() + v * VL;
                const AddLine add = dx ? AddLines<true>::of(some) : AddLines<false>::of(some);
                add(lists.of(o), x + place, dx ? dx + place : nullptr, lines + at, sums + at);
            }
}

}  // namespace conv2d
