// Images whose pixels are displaced, each image in its own way.
//
//     result[y, x] = image[y + down[y, x], x + right[y, x]], between the pixels bilinearly, 0 outside
//
// where the displacements of an image are sums of a few fields that all images share:
//
//     down = factors[0, image] . fields,    right = factors[1, image] . fields
#pragma once

#include <cstring>

#include "runtime/scratch.h"
#include "runtime/simd.h"
#include "runtime/threads.h"

namespace distortion {

using namespace simd;

constexpr int TOGETHER = VL == 4 ? 2 : 4;  // images whose displacements are summed at once, to load a field once

// `images` images of which the first `distorted` are distorted; `count` fields.
struct Problem {
    int images, distorted, rows, columns, count;
    int pixels() const { return rows * columns; }
    int padded_pixels() const { return (int)round_up(pixels()); }
    // An image in a frame of zeros, and one row and column more for the neighbours of its last ones.
    int stride() const { return columns + 3; }
    int framed() const { return (rows + 3) * stride(); }
    int groups() const { return (distorted + TOGETHER - 1) / TOGETHER; }
};

// Read by all workers: the fields, [field][pixel], and each pixel's own place in the frame.
struct Fields {
    float *fields, *rows, *columns;
    Fields(scratch::Arena &arena, const Problem &p)
        : fields(arena.take((size_t)p.count * p.padded_pixels())),
          rows(arena.take(p.padded_pixels())),
          columns(arena.take(p.padded_pixels())) {}
};

// A worker's buffers.
struct Worker {
    float *image, *result;
    float *displacements;  // [image of a group][down, right][pixel]
    Worker(scratch::Arena &arena, const Problem &p)
        : image(arena.take(p.framed())),
          result(arena.take(p.padded_pixels())),
          displacements(arena.take((size_t)TOGETHER * 2 * p.padded_pixels())) {}
};

inline void prepare_fields(const Problem &p, const float *fields, const Fields &f) {
    const int padded = p.padded_pixels(), rest = padded - p.pixels();
    for (int k = 0; k < p.count; k++) {
        memcpy(f.fields + (size_t)k * padded, fields + (size_t)k * p.pixels(), p.pixels() * sizeof(float));
        memset(f.fields + (size_t)k * padded + p.pixels(), 0, rest * sizeof(float));
    }
    for (int r = 0; r < p.rows; r++)
        for (int c = 0; c < p.columns; c++) {
            f.rows[r * p.columns + c] = (float)(r + 1);
            f.columns[r * p.columns + c] = (float)(c + 1);
        }
    memset(f.rows + p.pixels(), 0, rest * sizeof(float));
    memset(f.columns + p.pixels(), 0, rest * sizeof(float));
}

// The displacements of TOGETHER images, or of the `count` that there are, the others being 0. The order of a sum
// depends on nothing.
inline void displace(const Problem &p, const Fields &f, const float *factors, int first, int count, float *to) {
    const int padded = p.padded_pixels();
    const float *of[2 * TOGETHER];  // of an image that is not there: any
    for (int n = 0; n < TOGETHER; n++)
        for (int axis = 0; axis < 2; axis++)
            of[2 * n + axis] = factors + ((size_t)axis * p.distorted + first + (n < count ? n : 0)) * p.count;
    for (int i = 0; i < padded; i += VL) {
        vec sum[2 * TOGETHER] = {};
        for (int k = 0; k < p.count; k++) {
            const vec field = load(f.fields + (size_t)k * padded + i);
            UNROLL for (int s = 0; s < 2 * TOGETHER; s++) sum[s] += broadcast(of[s][k]) * field;
        }
        UNROLL for (int s = 0; s < 2 * TOGETHER; s++) store(to + (size_t)s * padded + i, sum[s]);
    }
}

inline void frame(const Problem &p, const float *from, float *to) {
    memset(to, 0, p.framed() * sizeof(float));
    for (int r = 0; r < p.rows; r++)
        memcpy(to + (r + 1) * p.stride() + 1, from + (size_t)r * p.columns, p.columns * sizeof(float));
}

ALWAYS_INLINE vec clip(vec v, float most) {
    const vec none = {}, all = broadcast(most);
    v = v > none ? v : none;  // NaN becomes 0, too: no index is outside the frame
    return v < all ? v : all;
}

inline void read_between(const Problem &p, const Fields &f, const float *image, const float *displacements, float *to) {
    const float *down = displacements, *right = down + p.padded_pixels();
    for (int i = 0; i < p.padded_pixels(); i += VL) {
        vec y = clip(load(f.rows + i) + load(down + i), (float)(p.rows + 1));
        vec x = clip(load(f.columns + i) + load(right + i), (float)(p.columns + 1));
        const ivec row = __builtin_convertvector(y, ivec), column = __builtin_convertvector(x, ivec);
        y -= __builtin_convertvector(row, vec);
        x -= __builtin_convertvector(column, vec);
        const ivec corner = row * p.stride() + column;
        vec top = gather(image, corner), bottom = gather(image + p.stride(), corner);
        top += x * (gather(image + 1, corner) - top);
        bottom += x * (gather(image + p.stride() + 1, corner) - bottom);
        store(to + i, top + y * (bottom - top));
    }
}

// Throws std::bad_alloc.
inline void distort(const Problem &p, const float *images, const float *factors, const float *fields, float *results) {
    const size_t size = p.pixels();
    const int threads = parallel::threads();
    struct Tag;
    const size_t shared = scratch::floats_of<Fields>(p), each = scratch::floats_of<Worker>(p);
    float *memory = scratch::thread_memory<Tag>(shared + threads * each);
    scratch::Arena arena(memory);
    const Fields f(arena, p);
    prepare_fields(p, fields, f);
    parallel::for_ranges(
        p.groups(), p.groups() < 16 * threads ? p.groups() : 16 * threads, threads,
        [&](int, int number, int first, int last) {
            scratch::Arena own(memory + shared + number * each);
            const Worker worker(own, p);
            for (int group = first; group < last; group++) {
                const int n0 = group * TOGETHER, left = p.distorted - n0, count = left < TOGETHER ? left : TOGETHER;
                displace(p, f, factors, n0, count, worker.displacements);
                for (int n = 0; n < count; n++) {
                    frame(p, images + (n0 + n) * size, worker.image);
                    read_between(p, f, worker.image, worker.displacements + (size_t)2 * n * p.padded_pixels(),
                                 worker.result);
                    memcpy(results + (n0 + n) * size, worker.result, size * sizeof(float));
                }
            }
        });
    if (p.images > p.distorted)
        memcpy(results + p.distorted * size, images + p.distorted * size,
               (p.images - p.distorted) * size * sizeof(float));
}

}  // namespace distortion
