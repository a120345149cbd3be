// C = A B for an A with many zeros, such as rectified or dropped-out activations and their gradients.
//
// Each row of A becomes a list of its non-zero values, and a row of C the sum of as many rows of B. Rows of A without
// any zero go a few at a time, so that a row of B is loaded once for all of them. So do all rows where C has few
// columns: a list takes longer there than the zeros.
// docs/fused.md tells why. No Python here: the Theano side is bindings/sparse_product.h.
#pragma once

#include <algorithm>
#include <climits>

#include "runtime/scratch.h"
#include "runtime/simd.h"
#include "runtime/threads.h"

namespace sparse_product {

using namespace simd;

// The product in question.
struct Problem {
    int k, n;  // columns of A, and of B
    Matrix a, b;
    float factor;  // of the product
    bool on_top;   // whether it is added to what C is
};

// Values of a row of A, and the rows of B that they multiply. A row INT_MAX ends the list.
struct List {
    int32_t *rows;
    float *values;
    List from(size_t entry) const { return List{rows + entry, values + entry}; }
};

constexpr int STRIP = 8;     // vectors of a row of C that are summed at once, in registers
constexpr int BLOCK = 8192;  // floats of B that are at hand: at most a usual first-level cache

// Rows of the blocks in which k rows of B are taken, `width` floats each: of nearly the same length, and about three
// quarters of BLOCK; all of it where that saves a pass over C.
inline int block_rows(int k, int width) {
    const int most = BLOCK / width, usual = most / 4 * 3;
    const int passes = std::max(1, (k - (most - usual) + usual - 1) / usual);
    return std::max(1, (k + passes - 1) / passes);
}

// Multiplies floats of a block.
inline void scale(float *block, size_t count, float factor) {
    if (factor == 1) return;
    for (size_t i = 0; i < count; i += VL) store(block + i, load(block + i) * factor);
}

constexpr int TILE = 16;  // rows listed together: the line of a cache, if A lies by columns

// Lists the non-zero values of the rows first .. last - 1 of A, and counts them; the n-th one's list begins at
// lists.from(n * length).
// Without branches, since zeros are hard to predict.
inline void list_rows(const Matrix &a, int first, int last, int k, const List &lists, size_t length, int *counts) {
    constexpr int WIDTH = 64;
    float tile[TILE * WIDTH];
    ivec lane;
    for (int l = 0; l < VL; l++) lane[l] = l;
    for (int i0 = first; i0 < last; i0 += TILE) {
        const int rows = std::min(TILE, last - i0);
        List to[TILE];
        for (int i = 0; i < rows; i++) to[i] = lists.from((i0 - first + i) * length);
        for (int p0 = 0; p0 < k; p0 += WIDTH) {
            const int width = std::min(WIDTH, k - p0);
            const bool in_place = a.column == 1 && width == WIDTH;
            const float *from = in_place ? a.at(i0, p0) : tile;
            const ptrdiff_t from_row = in_place ? a.row : WIDTH;
            if (width < WIDTH) memset(tile, 0, sizeof tile);
            if (!in_place) copy_matrix(a.at(i0, p0), a.row, a.column, rows, width, tile, WIDTH);
            for (int i = 0; i < rows; i++) {
                List next = to[i];
                for (int j = 0; j < width; j += VL) {
                    const ivec values = (ivec)load_unaligned(from + i * from_row + j);
                    const unsigned bits = lanes((values & 0x7fffffff) != 0);
                    store_some(next.rows, lane + (p0 + j), bits);
                    store_some((int32_t *)next.values, values, bits);
                    next = next.from(__builtin_popcount(bits));
                }
                to[i] = next;
            }
        }
        for (int i = 0; i < rows; i++) {
            *to[i].rows = INT_MAX;
            counts[i0 - first + i] = (int)(to[i].rows - lists.from((i0 - first + i) * length).rows);
        }
    }
}

// NV vectors of a row of C: (what they are, if `add`) + the sum of value * row of B over the list's entries
// of rows before `end`. Row p of B is at b + p * NV * VL. Returns how many entries these were.
template <int NV> ALWAYS_INLINE int add_rows(const List &list, int end, const float *b, bool add, float *c) {
    vec sum[NV] = {};
    if (add) UNROLL for (int v = 0; v < NV; v++) sum[v] = load_unaligned(c + v * VL);
    ptrdiff_t e = 0;
    for (; list.rows[e] < end; e++) {
        const vec value = broadcast(list.values[e]);
        const float *from = keep(b + (ptrdiff_t)list.rows[e] * (NV * VL));
        UNROLL for (int v = 0; v < NV; v++) sum[v] += value * load(from + v * VL);
    }
    UNROLL for (int v = 0; v < NV; v++) store_unaligned(c + v * VL, sum[v]);
    return (int)e;
}

constexpr int FULL = 3;                       // rows without zeros that go together
constexpr int AT_ONCE = VL == 8 ? 4 : STRIP;  // vectors of each: with FULL rows, as many sums as there are registers

// As `add_rows`, for FULL rows of C and the rows of A without zeros that they come from, of which values[r][0] belongs
// to the block's first row of B. The terms of a sum and their order are those of `add_rows`, and so are its bits.
template <int NV>
void add_full_rows(const float *const (&values)[FULL], int rows, const float *b, bool add, float *c, ptrdiff_t c_row) {
    constexpr int N = NV < AT_ONCE ? NV : AT_ONCE;
    for (int v0 = 0; v0 < NV; v0 += N) {
        vec sum[FULL][N] = {};
        if (add)
            UNROLL for (int r = 0; r < FULL; r++) UNROLL for (int v = 0; v < N; v++) sum[r][v] =
                load_unaligned(c + r * c_row + (v0 + v) * VL);
        for (int p = 0; p < rows; p++) {
            const float *from = keep(b + (ptrdiff_t)p * (NV * VL) + v0 * VL);
            vec value[FULL];
            UNROLL for (int r = 0; r < FULL; r++) value[r] = broadcast(values[r][p]);
            UNROLL for (int v = 0; v < N; v++) {
                const vec factor = load(from + v * VL);
                UNROLL for (int r = 0; r < FULL; r++) sum[r][v] += value[r] * factor;
            }
        }
        UNROLL for (int r = 0; r < FULL; r++) UNROLL for (int v = 0; v < N; v++)
            store_unaligned(c + r * c_row + (v0 + v) * VL, sum[r][v]);
    }
}

// Copies rows x columns floats of B to `block`, NV vectors a row. Returns whether all in the block are finite.
template <int NV> bool copy_block(const Matrix &b, const float *from, int rows, int columns, float *block) {
    if (b.column != 1 || columns < NV * VL) {
        copy_matrix(from, b.row, b.column, rows, columns, block, NV * VL);
        return finite(largest(block, (size_t)rows * NV * VL));
    }
    ivec top = {};
    for (int p = 0; p < rows; p++) UNROLL for (int v = 0; v < NV; v++) {
            const vec values = load_unaligned(from + p * b.row + v * VL);
            store(block + (p * NV + v) * VL, values);
            const ivec size = (ivec)values & 0x7fffffff;
            top = size > top ? size : top;
        }
    return finite(largest((const float *)&top, VL));
}

// A worker's buffers: lists from another core's cache would be slow.
struct Worker {
    size_t length;  // of a row's list, with room to store a whole vector behind the last value
    List lists;     // of `rows` rows
    float *block;   // of B
    int *listed;    // how much of each row's list is done
    int *counts;    // how long it is
    Worker(scratch::Arena &arena, int rows, int k) : length(((size_t)k + VL + 15) / 16 * 16) {
        lists.rows = arena.take<int32_t>(rows * length);
        lists.values = arena.take(rows * length);
        block = arena.take(BLOCK);
        listed = arena.take<int>(rows);
        counts = arena.take<int>(rows);
    }
};

// The rows of C that a worker has listed, first .. last - 1, in NV vectors of columns, from `column` on. Block by block
// of B, so that it is read from the first-level cache.
template <int NV> void strip(int first, int last, const Problem &problem, int column, const Worker &worker, float *c) {
    const int k = problem.k, n = problem.n;
    const Matrix a = problem.a, b = problem.b;
    const bool on_top = problem.on_top;
    constexpr int WIDTH = NV * VL;
    const int columns = std::min(WIDTH, n - column);
    if (columns < WIDTH) memset(worker.block, 0, BLOCK * sizeof(float));
    memset(worker.listed, 0, (last - first) * sizeof(int));
    const int most = block_rows(k, WIDTH);
    for (int p0 = 0; p0 == 0 || p0 < k; p0 += most) {
        const int rows = std::min(most, k - p0), end = p0 + rows;
        const bool skip_zeros = copy_block<NV>(b, b.at(p0, column), rows, columns, worker.block);
        const bool more = on_top || p0 > 0;  // whether the sums go on from C
        scale(worker.block, (size_t)rows * WIDTH, problem.factor);
        auto add = [&](int i, const List &list) {
            const float *from = worker.block - (ptrdiff_t)p0 * WIDTH;
            float *to = c + (size_t)i * n + column;
            if (columns == WIDTH) return add_rows<NV>(list, end, from, more, to);
            float padded[WIDTH] = {};
            if (more) memcpy(padded, to, columns * sizeof(float));
            const int count = add_rows<NV>(list, end, from, more, padded);
            memcpy(to, padded, columns * sizeof(float));
            return count;
        };
        auto is_full = [&](int i) { return worker.counts[i - first] == k; };
        for (int i = first; i < last; i++) {
            if (on_top && skip_zeros && worker.counts[i - first] == 0) continue;
            if (i + FULL <= last && is_full(i) && is_full(i + 1) && is_full(i + 2)) {
                const float *values[FULL];
                for (int r = 0; r < FULL; r++) values[r] = worker.lists.values + (i + r - first) * worker.length + p0;
                float *to = c + (size_t)i * n + column;
                if (columns == WIDTH) {
                    add_full_rows<NV>(values, rows, worker.block, more, to, n);
                } else {
                    float padded[FULL * WIDTH] = {};
                    for (int r = 0; r < FULL && more; r++)
                        memcpy(padded + r * WIDTH, to + (size_t)r * n, columns * sizeof(float));
                    add_full_rows<NV>(values, rows, worker.block, more, padded, WIDTH);
                    for (int r = 0; r < FULL; r++)
                        memcpy(to + (size_t)r * n, padded + r * WIDTH, columns * sizeof(float));
                }
                for (int r = 0; r < FULL; r++) worker.listed[i + r - first] += rows;
                i += FULL - 1;
                continue;
            }
            int &listed = worker.listed[i - first];
            const List list = worker.lists.from((i - first) * worker.length + listed);
            if (skip_zeros) {
                listed += add(i, list);
                continue;
            }
            int32_t all[BLOCK / WIDTH + 1];  // zero times infinity is NaN: every value counts
            float values[BLOCK / WIDTH];
            for (int p = 0; p < rows; p++) {
                all[p] = p0 + p;
                values[p] = *a.at(i, p0 + p);
            }
            all[rows] = INT_MAX;
            add(i, List{all, values});
            for (int e = 0; list.rows[e] < end; e++) listed++;
        }
    }
}

constexpr int NARROW = 4;  // vectors of a row of C: with so few, lists do not pay

// R rows of C from `c` on, `n` floats each: (what they are, if `add`) + the sum over `rows` columns of A, from `a.data`
// on, and as many rows of B. The terms of a sum and their order are those of `add_rows`, with zeros among them.
template <int NV, int R> void add_narrow_rows(const Matrix &a, int rows, const float *b, bool add, float *c, int n) {
    vec sum[R][NV] = {};
    if (add)
        UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < NV; v++) sum[r][v] =
            load_some(c + r * n + v * VL, n - v * VL);
    const float *from = a.data;
    for (int p = 0; p < rows; p++, from += a.column) {
        vec factor[NV];
        UNROLL for (int v = 0; v < NV; v++) factor[v] = load(b + (p * NV + v) * VL);
        UNROLL for (int r = 0; r < R; r++) {
            const vec value = broadcast(from[r * a.row]);
            UNROLL for (int v = 0; v < NV; v++) sum[r][v] += value * factor[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++) UNROLL for (int v = 0; v < NV; v++)
        store_some_lanes(c + r * n + v * VL, sum[r][v], n - v * VL);
}

// The rows first .. last - 1 of a C of NV vectors.
template <int NV> void narrow(int first, int last, const Problem &problem, float *block, float *c) {
    const int k = problem.k, n = problem.n;
    const Matrix a = problem.a, b = problem.b;
    constexpr int R = std::min(8, REGISTERS * 3 / 4 / NV);  // as many sums as there are registers
    const int most = block_rows(k, NV * VL);
    memset(block, 0, (size_t)most * NV * VL * sizeof(float));
    for (int p0 = 0; p0 == 0 || p0 < k; p0 += most) {
        const int rows = std::min(most, k - p0);
        copy_matrix(b.at(p0, 0), b.row, b.column, rows, n, block, NV * VL);
        scale(block, (size_t)rows * NV * VL, problem.factor);
        for (int i = first; i < last; i += i + R <= last ? R : 1) {
            const auto add_some = i + R <= last ? add_narrow_rows<NV, R> : add_narrow_rows<NV, 1>;
            add_some(a.from(i, p0), rows, block, problem.on_top || p0 > 0, c + (size_t)i * n, n);
        }
    }
}

// Strips of eight vectors, and the rest in one each of four, two and one as needed.
struct Strips {
    int whole, rest;
    explicit Strips(int n) : whole(vectors(n) / STRIP), rest(vectors(n) % STRIP) {}
    int count() const { return whole + __builtin_popcount(rest); }
};

inline void strip(int number, const Strips &strips, int first, int last, const Problem &problem, const Worker &worker,
                  float *c) {
    int vector = number * STRIP, width = STRIP;
    if (number >= strips.whole)
        for (vector = strips.whole * STRIP, width = STRIP / 2; !(strips.rest & width) || number-- > strips.whole;
             width /= 2)
            vector += strips.rest & width;
    const auto of_width = width == 8 ? strip<8> : width == 4 ? strip<4> : width == 2 ? strip<2> : strip<1>;
    of_width(first, last, problem, vector * VL, worker, c);
}

// Whether skipping zeros of A takes less time than BLAS takes for all: two values in five may be others. Always where C
// is so narrow that the rows of A fill the time.
inline bool is_worth(int m, int k, int n, const Matrix &a) {
    if (vectors(n) <= NARROW / 2) return true;
    if (a.column != 1 && a.row != 1) return false;
    const int runs = a.column == 1 ? m : k, length = a.column == 1 ? k : m;
    const ptrdiff_t step = a.column == 1 ? a.row : a.column;
    ptrdiff_t left = (ptrdiff_t)m * k * 2 / 5;
    for (int i = 0; i < runs && left >= 0; i++) {
        ivec count = {};
        for (int j = 0; j < length; j += VL)
            count -= ((ivec)load_some(a.data + i * step + j, length - j) & 0x7fffffff) != 0;
        for (int l = 0; l < VL; l++) left -= count[l];
    }
    return left >= 0;
}

// C (m x n, contiguous) = A (m x k) B (k x n), or C += factor * A B if `on_top`. A number of C is always summed in the
// same order, with any number of threads. Throws std::bad_alloc.
//
// Each part lists its rows of A and copies its blocks of B: repeating a little of that work takes less time than
// waiting for another core's lists. So parts are rows of C, except where C is wide and has few rows, or B is large.
inline void multiply(int m, int k, int n, const Matrix &a, const Matrix &b, float *c, float factor = 1,
                     bool on_top = false) {
    if (m == 0 || n == 0) return;
    const Problem problem{k, n, a, b, factor, on_top};
    constexpr int FEW = 24, MANY = 96;  // rows that are worth to bring B once more: for another thread, for balance
    constexpr size_t LARGE = 1 << 18;   // numbers of B that fill a second-level cache
    const Strips strips(n);
    const int most = parallel::threads();
    const int row_parts = most > 1 && m / MANY >= 2 * most ? 2 * most : std::max(1, std::min(m / FEW, most));
    struct Tag;
    if (vectors(n) <= NARROW) {
        const int threads = std::min(row_parts, most);
        float *blocks = scratch::thread_memory<Tag>((size_t)threads * BLOCK);
        constexpr decltype(&narrow<1>) of_width[NARROW] = {narrow<1>, narrow<2>, narrow<3>, narrow<4>};
        parallel::for_parts(row_parts, threads, [&](int part, int number) {
            auto row = [=](int part) { return (int)((long)m * part / row_parts); };
            of_width[vectors(n) - 1](row(part), row(part + 1), problem, blocks + (size_t)number * BLOCK, c);
        });
        return;
    }
    const bool by_rows = m >= n || (row_parts >= most && n / 8 <= m && (size_t)k * n <= LARGE);
    const int parts = by_rows ? row_parts : strips.count(), threads = std::min(parts, most);
    const int unit = a.column == 1 ? 1 : TILE, units = (m + unit - 1) / unit;
    const int rows = by_rows ? (units + parts - 1) / parts * unit : m;
    const size_t each = scratch::floats_of<Worker>(rows, k);
    float *memory = scratch::thread_memory<Tag>(threads * each + threads);
    int *has_listed = (int *)(memory + threads * each);
    memset(has_listed, 0, threads * sizeof(int));
    parallel::for_parts(parts, threads, [&](int part, int number) {
        scratch::Arena arena(memory + number * each);
        const Worker worker(arena, rows, k);
        auto row = [=](int part) { return (int)std::min((long)m, (long)units * part / parts * unit); };
        const int first = by_rows ? row(part) : 0, last = by_rows ? row(part + 1) : m;
        if (by_rows || !has_listed[number]) list_rows(a, first, last, k, worker.lists, worker.length, worker.counts);
        has_listed[number] = 1;
        for (int s = by_rows ? 0 : part; s < (by_rows ? strips.count() : part + 1); s++)
            strip(s, strips, first, last, problem, worker, c);
    });
}

}  // namespace sparse_product
