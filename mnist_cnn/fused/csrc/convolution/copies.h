// Copies between arrays with any strides and the layout of the kernels.
#pragma once

#include "convolution/layout.h"

namespace convolution {

// Copies image n into the layout above, whatever the strides; padding channels become zero.
template <class L, int IN> void copy_image(const Input &x, int n, const Shape &s, float *to) {
    const size_t plane = L::plane(s);
    const int pixels = s.rows * s.columns;
    if (L::FEW) {
        memset(to + (size_t)pixels * IN, 0, (plane - (size_t)pixels * IN) * sizeof(float));
        if (IN == 1 && x.column == 1 && x.row == s.columns) {
            memcpy(to, x.at(n), pixels * sizeof(float));
            return;
        }
        for (int c = 0; c < IN; c++)
            for (int r = 0; r < s.rows; r++) {
                const float *from = x.at(n, c, r);
                float *row = to + (size_t)r * s.columns * IN + c;
                for (int w = 0; w < s.columns; w++) row[w * IN] = from[w * x.column];
            }
        return;
    }
    for (int b = 0; b < L::BLOCKS; b++) memset(to + b * plane + (size_t)pixels * VL, 0, VL * sizeof(float));
    if (IN % VL) memset(to + (L::BLOCKS - 1) * plane, 0, (size_t)pixels * VL * sizeof(float));
    for (int r = 0; r < s.rows; r++) {
        const float *from = x.at(n, 0, r);
        float *row = to + (size_t)r * s.columns * VL;
        if (IN % VL == 0 && x.channel == 1)  // a vector at a time
            for (int w = 0; w < s.columns; w++, from += x.column, row += VL) {
                UNROLL for (int b = 0; b < L::BLOCKS; b++) {
                    prefetch(from + b * VL);
                    store(row + b * plane, load_unaligned(from + b * VL));
                }
            }
        else
            for (int c = 0; c < IN; c++)
                for (int w = 0; w < s.columns; w++)
                    row[c / VL * plane + w * VL + c % VL] = from[c * x.channel + w * x.column];
    }
}

// The way back, for the gradient of an image.
template <class L, int IN> void copy_image_back(const float *from, const Shape &s, const Output &x, int n) {
    const size_t plane = L::plane(s);
    for (int r = 0; r < s.rows; r++) {
        const float *row = from + (size_t)r * s.columns * L::PIXEL;
        float *to = x.at(n, 0, r);
        if (IN % VL == 0 && x.channel == 1)
            for (int w = 0; w < s.columns; w++, row += L::PIXEL, to += x.column)
                UNROLL for (int b = 0; b < L::BLOCKS; b++) {
                    prefetch(to + b * VL);
                    store_unaligned(to + b * VL, load(row + b * plane));
                }
        else
            for (int c = 0; c < IN; c++)
                for (int w = 0; w < s.columns; w++)
                    to[c * x.channel + w * x.column] = row[c / VL * plane + w * L::PIXEL + c % VL];
    }
}

// Pooled maps <-> local [window][channel], channels padded with zeros to whole vectors.
template <int OUT, int PADDED, class View> bool is_local(const View &maps, const Shape &s) {
    return OUT == PADDED && maps.channel == 1 && maps.column == OUT && maps.row == OUT * s.window_columns;
}
template <int OUT, int PADDED> void copy_maps(const Input &g, int n, const Shape &s, float *to) {
    if (PADDED != OUT) memset(to, 0, (size_t)s.windows * PADDED * sizeof(float));
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const float *from = g.at(n, 0, i, j);
            float *row = to + (size_t)p * PADDED;
            for (int o = 0; o < OUT; o += VL) prefetch(from + o);
            if (g.channel == 1)
                memcpy(row, from, OUT * sizeof(float));
            else
                for (int c = 0; c < OUT; c++) row[c] = from[c * g.channel];
        }
}
template <int OUT, int PADDED> void copy_maps_back(const float *from, const Shape &s, const Output &y, int n) {
    for (int i = 0, p = 0; i < s.window_rows; i++)
        for (int j = 0; j < s.window_columns; j++, p++) {
            const float *row = from + (size_t)p * PADDED;
            float *to = y.at(n, 0, i, j);
            if (y.channel == 1)
                memcpy(to, row, OUT * sizeof(float));
            else
                for (int c = 0; c < OUT; c++) to[c * y.channel] = row[c];
        }
}

// Filters for the forward pass: the output channels of a place side by side.
template <class L, int IN, int OUT, int SIZE> void pack_by_output(const Input &W, float *to) {
    memset(to, 0, L::PACKED_FILTERS * sizeof(float));
    for (int o = 0; o < OUT; o++)
        for (int c = 0; c < IN; c++)
            for (int h = 0; h < SIZE; h++)
                for (int w = 0; w < SIZE; w++) {
                    const int block = L::FEW ? 0 : c / VL, lane = L::FEW ? c : c % VL;
                    to[L::place(block, h, w * L::PIXEL + lane) + o] = *W.at(o, c, SIZE - 1 - h, SIZE - 1 - w);
                }
}

// Filters for the gradient, one after the other: [output channel][block][filter row][run].
template <class L> ALWAYS_INLINE size_t place_in_filter(int c, int h, int w, int size) {
    const int block = L::FEW ? 0 : c / VL, lane = L::FEW ? c : c % VL;
    return (size_t)(block * size + h) * L::RUN_VECTORS * VL + w * L::PIXEL + lane;
}
template <class L, int IN, int SIZE> void pack_by_filter(const Input &W, int first, int last, float *to) {
    memset(to + first * L::FILTER, 0, (size_t)(last - first) * L::FILTER * sizeof(float));
    for (int o = first; o < last; o++)
        for (int c = 0; c < IN; c++)
            for (int h = 0; h < SIZE; h++)
                for (int w = 0; w < SIZE; w++)
                    to[o * L::FILTER + place_in_filter<L>(c, h, w, SIZE)] = *W.at(o, c, SIZE - 1 - h, SIZE - 1 - w);
}

}  // namespace convolution
