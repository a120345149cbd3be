// Local copies: of an image in a frame of zeros, of the gradient, of the filters in the order of their use.
#pragma once

#include "conv2d/problem.h"

namespace conv2d {

// An image in local memory. `top` and `left` are what lies before its first row and column.
struct Frame {
    int rows, columns, top, left, pixel;    // pixel: floats from one pixel to the next
    // A kernel may load one vector from the last place of a line, and two for the gradient.
    size_t floats() const { return (size_t)rows * columns * pixel + 2 * VL; }
    ptrdiff_t line() const { return (ptrdiff_t)columns * pixel; }
};

constexpr int MORE = 3;     // rows and columns: Winograd's last tiles may reach over the border

// The frame of x: that of the padding.
inline Frame frame_of_x(const Problem &p) {
    return Frame{p.rows + p.pad.top + p.pad.bottom + MORE, p.columns + p.pad.left + p.pad.right + MORE, p.pad.top,
                 p.pad.left, p.channels};
}

// The frame of y's gradient: what the filters, turned around, read for the gradient of x.
inline Frame frame_of_g(const Problem &p) {
    const auto need = [&](int pad) { return std::max(0, p.size - 1 - pad); };
    return Frame{p.out_rows() + need(p.pad.top) + need(p.pad.bottom) + MORE,
                 p.out_columns() + need(p.pad.left) + need(p.pad.right) + MORE, need(p.pad.top), need(p.pad.left),
                 padded(p.filters)};
}

// Clears what the copies of images leave as it is: the frame, and the lanes behind the last channel.
inline void clear(const Frame &f, float *to) { memset(to, 0, f.floats() * sizeof(float)); }

// Returns the image's largest |value|.
inline float copy_image(const Input &x, int n, int rows, int columns, int channels, const Frame &f, float *to) {
    Largest most;
    for (int i = 0; i < rows; i++) {
        const float *from = x.at(n) + i * x.row;
        float *line = to + (f.top + i) * f.line() + (ptrdiff_t)f.left * f.pixel;
        if (x.channel == 1 && x.column == f.pixel && channels == f.pixel) {
            copy_floats(line, from, (size_t)columns * channels, most);
        } else if (x.channel == 1) {
            for (int j = 0; j < columns; j++)
                copy_floats(line + (ptrdiff_t)j * f.pixel, from + j * x.column, channels, most);
        } else {
            for (int c = 0; c < channels; c++)
                for (int j = 0; j < columns; j++)
                    line[(ptrdiff_t)j * f.pixel + c] = from[j * x.column + c * x.channel];
            most.add(line, (size_t)columns * f.pixel);
        }
    }
    return most.size();
}

// Filters for sums over x: for each block of two vectors of outputs (the last one may have one), for each
// place of a patch, a weight for each output. Of so many floats:
inline size_t packed_floats(int outputs, int places) { return (size_t)padded(outputs) * places; }

// weight(h, w, c, output) for all, as above; c is the channel of place (h, w, c) of a patch.
template <class Weight> void pack(int outputs, int size, int channels, float *packed, int threads, Weight weight) {
    const int blocks = (padded(outputs) + 2 * VL - 1) / (2 * VL);
    parallel::for_ranges(blocks * size, std::min(blocks * size, threads), threads, [&](int, int, int first, int last) {
        for (int k = first; k < last; k++) {
            const int h = k % size, o0 = k / size * 2 * VL;
            const int width = std::min(2 * VL, padded(outputs) - o0), some = std::min(width, outputs - o0);
            float *to = packed + (size_t)o0 * size * size * channels + (size_t)h * size * channels * width;
            for (int w = 0; w < size; w++)
                for (int c = 0; c < channels; c++, to += width) {
                    for (int l = 0; l < some; l++) to[l] = weight(h, w, c, o0 + l);
                    for (int l = some; l < width; l++) to[l] = 0;
                }
        }
    });
}

// The filters as y's sums take them. Theano flips filters: place (h, w) of a patch meets W[.., size-1-h, size-1-w].
inline void pack_for_y(const Problem &p, const Filters &W, float *to, int threads) {
    pack(p.filters, p.size, p.channels, to, threads, [&](int h, int w, int c, int o) {
        return W.data[o * W.filter + c * W.channel + (p.size - 1 - h) * W.row + (p.size - 1 - w) * W.column];
    });
}

// As the sums of x's gradient take them: the flip undone, filters and channels exchanged.
inline void pack_for_dx(const Problem &p, const Filters &W, float *to, int threads) {
    pack(p.channels, p.size, padded(p.filters), to, threads, [&](int h, int w, int o, int c) {
        return o < p.filters ? W.data[o * W.filter + c * W.channel + h * W.row + w * W.column] : 0;
    });
}

// A line of a filter in whole vectors; a filter's lines lie one after another. Filters first .. last - 1.
inline int line_floats(const Problem &p) { return padded(p.size * p.channels); }
inline size_t lines_floats(const Problem &p) { return (size_t)p.filters * p.size * line_floats(p); }

inline void pack_lines(const Problem &p, const Filters &W, int first, int last, float *to) {
    to += (size_t)first * p.size * line_floats(p);
    for (int o = first; o < last; o++)
        for (int h = 0; h < p.size; h++, to += line_floats(p)) {
            for (int w = 0; w < p.size; w++)
                for (int c = 0; c < p.channels; c++)
                    to[w * p.channels + c] = W.data[o * W.filter + c * W.channel + (p.size - 1 - h) * W.row +
                                                    (p.size - 1 - w) * W.column];
            for (int t = p.size * p.channels; t < line_floats(p); t++) to[t] = 0;
        }
}

}  // namespace conv2d
