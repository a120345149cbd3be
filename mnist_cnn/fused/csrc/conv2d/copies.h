// Local copies: of an image in a frame of zeros, of the gradient, of the filters in the order of their use.
#pragma once

#include "conv2d/problem.h"

namespace conv2d {

// An image in local memory. `top` and `left` are what lies before its first row and column.
struct Frame {
    int rows, columns, top, left, pixel;  // pixel: floats from one pixel to the next
    // A kernel may load one vector from the last place of a line, and two for the gradient.
    size_t floats() const { return (size_t)rows * columns * pixel + 2 * VL; }
    ptrdiff_t line() const { return (ptrdiff_t)columns * pixel; }
};

constexpr int MORE = 3;  // rows and columns: Winograd's last tiles may reach over the border

// The frame of x: that of the padding.
inline Frame frame_of_x(const Problem &p) {
    return Frame{p.rows + p.pad.top + p.pad.bottom + MORE, p.columns + p.pad.left + p.pad.right + MORE, p.pad.top,
                 p.pad.left, p.channels};
}

// The gradient of x along one axis, with a stride. The padded image's places first, first + stride, .. are one *phase*,
// which meets the filter's places first, first + stride, .. alone: so each phase is made of sums over patches of y's
// gradient, of stride 1. With a stride of 1 there is one phase.
struct Phase {
    int taps;         // places of the filter
    int from, count;  // the gradient, counted from y's first, where the first patch begins; and the number of patches
    int to;           // the first patch's place in the image; the others follow at the stride
};
inline Phase phase(int first, int length, int size, int stride, int pad) {
    const int taps = first < size ? (size - 1 - first) / stride + 1 : 0;
    const int q = std::max(0, (pad - first + stride - 1) / stride), to = first + q * stride - pad;
    return Phase{taps, q - taps + 1, to < length ? (length - 1 - to) / stride + 1 : 0, to};
}
inline Phase row_phase(const Problem &p, int first) {
    return phase(first, p.rows, p.size.rows, p.stride.rows, p.pad.top);
}
inline Phase column_phase(const Problem &p, int first) {
    return phase(first, p.columns, p.size.columns, p.stride.columns, p.pad.left);
}

// With filters of 1x1 and a stride, the pixels of one phase are all that is read: a convolution of stride 1 of those.
inline bool is_thin(const Problem &p) { return p.places() == 1 && (p.stride.rows > 1 || p.stride.columns > 1); }
inline Problem thinned(Problem p) {
    const Phase a = row_phase(p, 0), b = column_phase(p, 0);
    p.pad = Pad{a.from, p.out_rows() - a.from - a.count, b.from, p.out_columns() - b.from - b.count};
    p.rows = a.count, p.columns = b.count, p.stride = Pair{1, 1};
    return p;
}
template <class Float> View<Float> thinned(const Problem &p, View<Float> x) {
    const Phase a = row_phase(p, 0), b = column_phase(p, 0);
    if (a.count && b.count) x.data += a.to * x.row + b.to * x.column;
    x.row *= p.stride.rows, x.column *= p.stride.columns;
    return x;
}

// The frame of y's gradient, as large as its phases read.
inline Frame frame_of_g(const Problem &p) {
    int top = 0, bottom = 0, left = 0, right = 0;
    for (int k = 0; k < p.stride.rows; k++) {
        const Phase a = row_phase(p, k);
        top = std::max(top, -a.from), bottom = std::max(bottom, a.from + a.count + a.taps - 1 - p.out_rows());
    }
    for (int k = 0; k < p.stride.columns; k++) {
        const Phase a = column_phase(p, k);
        left = std::max(left, -a.from), right = std::max(right, a.from + a.count + a.taps - 1 - p.out_columns());
    }
    return Frame{p.out_rows() + top + bottom + MORE, p.out_columns() + left + right + MORE, top, left,
                 padded(p.filters)};
}

// Clears the floats that no copy of an image writes: the frame, and the lanes after the last channel.
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
                for (int j = 0; j < columns; j++) line[(ptrdiff_t)j * f.pixel + c] = from[j * x.column + c * x.channel];
            most.add(line, (size_t)columns * f.pixel);
        }
    }
    return most.size();
}

// Filters for sums over x: for each block of two vectors of outputs (the last one may have one), for each
// place of a patch, a weight for each output. Of so many floats:
inline size_t packed_floats(int outputs, int places) { return (size_t)padded(outputs) * places; }

// weight(h, w, c, output) for all, as above; c is the channel of place (h, w, c) of a patch.
template <class Weight> void pack(int outputs, Pair size, int channels, float *packed, int threads, Weight weight) {
    const int lines = (padded(outputs) + 2 * VL - 1) / (2 * VL) * size.rows;
    parallel::for_ranges(lines, std::min(lines, threads), threads, [&](int, int, int first, int last) {
        for (int k = first; k < last; k++) {
            const int h = k % size.rows, o0 = k / size.rows * 2 * VL;
            const int width = std::min(2 * VL, padded(outputs) - o0), some = std::min(width, outputs - o0);
            float *to = packed + ((size_t)o0 * size.rows + (size_t)h * width) * size.columns * channels;
            for (int w = 0; w < size.columns; w++)
                for (int c = 0; c < channels; c++, to += width) {
                    for (int l = 0; l < some; l++) to[l] = weight(h, w, c, o0 + l);
                    for (int l = some; l < width; l++) to[l] = 0;
                }
        }
    });
}

// The weight for place (h, w) of a patch: Theano flips filters.
inline float weight(const Problem &p, const Filters &W, int h, int w, int c, int o) {
    return W.data[o * W.filter + c * W.channel + (p.size.rows - 1 - h) * W.row + (p.size.columns - 1 - w) * W.column];
}

// The filters in the order of y's sums. In Theano's order a filter's weights lie side by side: those of some channels
// of some filters are turned together, since a weight here and there of large filters would be read from afar.
inline void pack_for_y(const Problem &p, const Filters &W, float *to, int threads) {
    constexpr int WEIGHTS = 256, WIDTH = 2 * VL;  // of a filter; filters
    const int places = p.places();
    if (places > WEIGHTS || W.column != 1 || W.row != p.size.columns || W.channel != places)
        return pack(p.filters, p.size, p.channels, to, threads,
                    [&](int h, int w, int c, int o) { return weight(p, W, h, w, c, o); });
    const int most = WEIGHTS / places, chunks = (p.channels + most - 1) / most,
              blocks = (padded(p.filters) + WIDTH - 1) / WIDTH;
    parallel::for_ranges(
        chunks * blocks, std::min(chunks * blocks, threads), threads, [&](int, int, int from, int end) {
            float turned[WEIGHTS * WIDTH] __attribute__((aligned(64)));  // [channel][place][filter]
            for (int k = from; k < end; k++) {
                const int o0 = k / chunks * WIDTH, c0 = k % chunks * most, channels = std::min(most, p.channels - c0);
                const int width = std::min(WIDTH, padded(p.filters) - o0), some = std::min(width, p.filters - o0);
                const int count = channels * places;
                const float *first = W.data + o0 * W.filter + c0 * W.channel;
                for (int t = 0; t < count; t++)
                    for (int l = some; l < width; l++) turned[t * width + l] = 0;
                copy_matrix(first, 1, W.filter, count, some, turned, width);
                float *block = to + (size_t)o0 * places * p.channels;
                for (int place = 0; place < places; place++)  // Theano flips filters
                    for (int c = 0; c < channels; c++)
                        memcpy(block + ((size_t)place * p.channels + c0 + c) * width,
                               turned + (c * places + places - 1 - place) * width, width * sizeof(float));
            }
        });
}

// In the order of the sums of x's gradient, phase after phase: turned around, filters and channels exchanged.
inline void pack_for_dx(const Problem &p, const Filters &W, float *to, int threads) {
    for (int i = 0; i < p.stride.rows; i++)
        for (int j = 0; j < p.stride.columns; j++) {
            const Pair taps{row_phase(p, i).taps, column_phase(p, j).taps};
            if (!taps.rows || !taps.columns) continue;
            pack(p.channels, taps, padded(p.filters), to, threads, [&](int h, int w, int o, int c) {
                return o < p.filters ? weight(p, W, i + (taps.rows - 1 - h) * p.stride.rows,
                                              j + (taps.columns - 1 - w) * p.stride.columns, c, o)
                                     : 0;
            });
            to += packed_floats(p.channels, taps.rows * taps.columns * padded(p.filters));
        }
}

// A line of a filter in whole vectors; a filter's lines lie one after another. Filters first .. last - 1.
inline int line_floats(const Problem &p) { return padded(p.size.columns * p.channels); }
inline size_t lines_floats(const Problem &p) { return (size_t)p.filters * p.size.rows * line_floats(p); }

inline void pack_lines(const Problem &p, const Filters &W, int first, int last, float *to) {
    to += (size_t)first * p.size.rows * line_floats(p);
    for (int o = first; o < last; o++)
        for (int h = 0; h < p.size.rows; h++, to += line_floats(p)) {
            for (int w = 0; w < p.size.columns; w++)
                for (int c = 0; c < p.channels; c++) to[w * p.channels + c] = weight(p, W, h, w, c, o);
            for (int t = p.size.columns * p.channels; t < line_floats(p); t++) to[t] = 0;
        }
}

}  // namespace conv2d
