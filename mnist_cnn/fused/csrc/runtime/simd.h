// Vectors of floats, through the compiler's own vector types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace simd {

// Floats in a vector. -DVECTOR_LENGTH=16 takes longer vectors than the processor has, which the compiler puts
// together: slow, but so code for those can run anywhere.
#if !defined(VECTOR_LENGTH)
#if defined(__AVX512F__)
#define VECTOR_LENGTH 16
#elif defined(__AVX__)
#define VECTOR_LENGTH 8
#else
#define VECTOR_LENGTH 4
#endif
#endif
constexpr int VL = VECTOR_LENGTH;

// The processors whose intrinsics are used.
#if defined(__AVX512F__) && VECTOR_LENGTH == 16
#define HAS_AVX512
#elif defined(__AVX2__) && VECTOR_LENGTH == 8
#define HAS_AVX
#define HAS_AVX2
#elif defined(__AVX__) && VECTOR_LENGTH == 8
#define HAS_AVX
#elif defined(__SSE2__) && VECTOR_LENGTH == 4
#define HAS_SSE2
#elif defined(__aarch64__) && VECTOR_LENGTH == 4
#define HAS_NEON
#endif

// Registers for vectors.
#if VECTOR_LENGTH == 16 || defined(HAS_NEON)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

typedef float vec __attribute__((vector_size(VL * 4), may_alias));
typedef float vec_unaligned __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(VL * 4), may_alias));
typedef uint8_t bytes __attribute__((vector_size(VL), aligned(1), may_alias));

// Half a vector of floats, and a vector of as many numbers in double precision.
typedef float floats __attribute__((vector_size(VL * 2), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(VL * 4), may_alias));

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

ALWAYS_INLINE vec load(const float *p) { return *(const vec *)p; }
ALWAYS_INLINE vec load_unaligned(const float *p) { return *(const vec_unaligned *)p; }
ALWAYS_INLINE void store(float *p, vec v) { *(vec *)p = v; }
ALWAYS_INLINE void store_unaligned(float *p, vec v) { *(vec_unaligned *)p = v; }
// A vector, or the rest of a row: `some` may be less than VL, and the other lanes are zero. Masks, where the processor
// has them, take a tenth of the time of a call of memcpy.
#if defined(HAS_AVX512)
ALWAYS_INLINE __mmask16 first_lanes(int some) { return (__mmask16)(some >= VL ? 0xffff : (1 << some) - 1); }
ALWAYS_INLINE vec load_some(const float *from, int some) { return (vec)_mm512_maskz_loadu_ps(first_lanes(some), from); }
ALWAYS_INLINE void store_some_lanes(float *to, vec v, int some) {
    _mm512_mask_storeu_ps(to, first_lanes(some), (__m512)v);
}
#elif defined(HAS_AVX)
ALWAYS_INLINE __m256i first_lanes(int some) {
    static const int32_t sliding[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256((const __m256i *)(sliding + VL - some));
}
ALWAYS_INLINE vec load_some(const float *from, int some) {
    return some >= VL ? load_unaligned(from) : (vec)_mm256_maskload_ps(from, first_lanes(some));
}
ALWAYS_INLINE void store_some_lanes(float *to, vec v, int some) {
    if (some >= VL)
        store_unaligned(to, v);
    else
        _mm256_maskstore_ps(to, first_lanes(some), (__m256)v);
}
#else
ALWAYS_INLINE vec load_some(const float *from, int some) {
    if (some >= VL) return load_unaligned(from);
    float lanes[VL] __attribute__((aligned(64))) = {};
    memcpy(lanes, from, some * sizeof(float));
    return load(lanes);
}
ALWAYS_INLINE void store_some_lanes(float *to, vec v, int some) {
    if (some >= VL)
        store_unaligned(to, v);
    else
        memcpy(to, &v, some * sizeof(float));
}
#endif
// Asks for a cache line of a long array, `ahead` numbers after those that are used now. Processors do that themselves
// for what is read in order, but not all in time: a pass over maps that are in the third-level cache took twice as
// long.
constexpr int AHEAD = 1024;
template <class T> ALWAYS_INLINE void prefetch(const T *p, ptrdiff_t ahead = AHEAD) { __builtin_prefetch(p + ahead); }
ALWAYS_INLINE vec broadcast(float s) { return s - vec{}; }

// A vector's lanes in double precision.
struct Doubles {
    doubles halves[2];
    ALWAYS_INLINE void add(vec v) {
        floats parts[2];
        memcpy(parts, &v, sizeof v);
        UNROLL for (int k = 0; k < 2; k++) halves[k] += __builtin_convertvector(parts[k], doubles);
    }
};

// Operations that vector extensions lack, or compilers translate badly: a bit for each lane that is
// true, integers truncated to bytes, lanes moved, and "this stays in a register".
ALWAYS_INLINE unsigned lanes(ivec mask) {
#if defined(HAS_AVX512)
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask);
#elif defined(HAS_AVX)
    return _mm256_movemask_ps((__m256)mask);
#elif defined(HAS_SSE2)
    return _mm_movemask_ps((__m128)mask);
#elif defined(HAS_NEON)
    return vaddvq_u32((uint32x4_t)(mask & ivec{1, 2, 4, 8}));
#else
    unsigned bits = 0;
    for (int l = 0; l < VL; l++) bits |= (mask[l] != 0) << l;
    return bits;
#endif
}
ALWAYS_INLINE void store_bytes(uint8_t *p, ivec v) {
#if defined(HAS_AVX512)
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8((__m512i)v));
#elif defined(HAS_AVX)
    const __m128i low = _mm256_castsi256_si128((__m256i)v), high = _mm256_extractf128_si256((__m256i)v, 1);
    const __m128i words = _mm_packs_epi32(low, high);
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
#elif defined(HAS_NEON)
    const uint16x4_t words = vmovn_u32((uint32x4_t)v);
    const uint32_t four = vget_lane_u32((uint32x2_t)vmovn_u16(vcombine_u16(words, words)), 0);
    memcpy(p, &four, sizeof four);
#else
    *(bytes *)p = __builtin_convertvector(v, bytes);
#endif
}
ALWAYS_INLINE ivec load_bytes(const uint8_t *p) {
#if defined(HAS_AVX512)
    return (ivec)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
#elif defined(HAS_AVX2)
    return (ivec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#elif defined(HAS_NEON)
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return (ivec)vmovl_u16(vget_low_u16(vmovl_u8((uint8x8_t)vdup_n_u32(four))));
#else
    return __builtin_convertvector(*(const bytes *)p, ivec);
#endif
}
ALWAYS_INLINE ivec load_some_bytes(const uint8_t *from, int some) {
    if (some >= VL) return load_bytes(from);
#if defined(HAS_AVX512) && defined(__AVX512BW__) && defined(__AVX512VL__)
    return (ivec)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(some), from));
#else
    uint64_t lanes[(VL + 7) / 8] = {};  // put together in registers: a load waits for the stores of its bytes
    for (int l = 0; l < some; l++) lanes[l / 8] |= (uint64_t)from[l] << 8 * (l % 8);
    return load_bytes((const uint8_t *)lanes);
#endif
}
ALWAYS_INLINE void store_some_bytes(uint8_t *to, ivec v, int some) {
    if (some >= VL) return store_bytes(to, v);
#if defined(HAS_AVX512) && defined(__AVX512BW__) && defined(__AVX512VL__)
    _mm_mask_storeu_epi8(to, first_lanes(some), _mm512_cvtepi32_epi8((__m512i)v));
#else
    uint8_t lanes[VL];
    store_bytes(lanes, v);
    memcpy(to, lanes, some);
#endif
}
// The 4 x 4 floats at `from` transposed to `to`.
ALWAYS_INLINE void transpose4(const float *from, ptrdiff_t from_row, float *to, ptrdiff_t to_row) {
#if defined(__SSE2__)
    __m128 a = _mm_loadu_ps(from), b = _mm_loadu_ps(from + from_row);
    __m128 c = _mm_loadu_ps(from + 2 * from_row), d = _mm_loadu_ps(from + 3 * from_row);
    _MM_TRANSPOSE4_PS(a, b, c, d);
    _mm_storeu_ps(to, a);
    _mm_storeu_ps(to + to_row, b);
    _mm_storeu_ps(to + 2 * to_row, c);
    _mm_storeu_ps(to + 3 * to_row, d);
#elif defined(__aarch64__)
    const float32x4_t a = vld1q_f32(from), b = vld1q_f32(from + from_row);
    const float32x4_t c = vld1q_f32(from + 2 * from_row), d = vld1q_f32(from + 3 * from_row);
    const float64x2_t ab = (float64x2_t)vtrn1q_f32(a, b), AB = (float64x2_t)vtrn2q_f32(a, b);
    const float64x2_t cd = (float64x2_t)vtrn1q_f32(c, d), CD = (float64x2_t)vtrn2q_f32(c, d);
    vst1q_f32(to, (float32x4_t)vtrn1q_f64(ab, cd));
    vst1q_f32(to + to_row, (float32x4_t)vtrn1q_f64(AB, CD));
    vst1q_f32(to + 2 * to_row, (float32x4_t)vtrn2q_f64(ab, cd));
    vst1q_f32(to + 3 * to_row, (float32x4_t)vtrn2q_f64(AB, CD));
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) to[i * to_row + j] = from[j * from_row + i];
#endif
}
#if defined(__AVX__)
// The 8 x 8 floats at `from` transposed to `to`. Halves of two rows are joined as they are loaded.
ALWAYS_INLINE void transpose8(const float *from, ptrdiff_t from_row, float *to, ptrdiff_t to_row) {
    const auto join = [](const float *low, const float *high) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    };
    UNROLL for (int half = 0; half < 8; half += 4) {
        const float *p = from + half;
        const __m256 a = join(p, p + 4 * from_row), b = join(p + from_row, p + 5 * from_row);
        const __m256 c = join(p + 2 * from_row, p + 6 * from_row), d = join(p + 3 * from_row, p + 7 * from_row);
        const __m256 ab = _mm256_unpacklo_ps(a, b), AB = _mm256_unpackhi_ps(a, b);
        const __m256 cd = _mm256_unpacklo_ps(c, d), CD = _mm256_unpackhi_ps(c, d);
        float *q = to + half * to_row;
        _mm256_storeu_ps(q, _mm256_shuffle_ps(ab, cd, 0x44));
        _mm256_storeu_ps(q + to_row, _mm256_shuffle_ps(ab, cd, 0xee));
        _mm256_storeu_ps(q + 2 * to_row, _mm256_shuffle_ps(AB, CD, 0x44));
        _mm256_storeu_ps(q + 3 * to_row, _mm256_shuffle_ps(AB, CD, 0xee));
    }
}
#endif
// A matrix anywhere in memory: the floats from a row to the next, and from a column to the next.
struct Matrix {
    const float *data;
    ptrdiff_t row, column;
    const float *at(ptrdiff_t i, ptrdiff_t j) const { return data + i * row + j * column; }
    Matrix from(ptrdiff_t i, ptrdiff_t j) const { return {at(i, j), row, column}; }
};
// Copies rows x columns floats, `row` and `column` floats apart, to contiguous rows `to_row` floats apart.
inline void copy_matrix(const float *from, ptrdiff_t row, ptrdiff_t column, int rows, int columns, float *to,
                        int to_row) {
    if (column == 1) {
        for (int i = 0; i < rows; i++) memcpy(to + i * to_row, from + i * row, columns * sizeof(float));
        return;
    }
    const int squares = row == 1 ? rows & ~3 : 0, wide = columns & ~3;
    int j = 0;
#if defined(__AVX__)
    for (; j + 8 <= wide; j += 8) {
        int i = 0;
        for (; i + 8 <= squares; i += 8) transpose8(from + i + j * column, column, to + i * to_row + j, to_row);
        if (i < squares)
            for (int k = j; k < j + 8; k += 4) transpose4(from + i + k * column, column, to + i * to_row + k, to_row);
    }
#endif
    for (; j < wide; j += 4)
        for (int i = 0; i < squares; i += 4) transpose4(from + i + j * column, column, to + i * to_row + j, to_row);
    for (int i = 0; i < rows; i++)
        for (int j = i < squares ? wide : 0; j < columns; j++) to[i * to_row + j] = from[i * row + j * column];
}
#if defined(HAS_AVX2)
// For each set of lanes, their numbers in order. A template's member needs no check that it is made at each use.
struct Orders {
    uint8_t of[256][8] = {};
    Orders() {
        for (int bits = 0; bits < 256; bits++)
            for (int l = 0, n = 0; l < 8; l++)
                if (bits >> l & 1) of[bits][n++] = (uint8_t)l;
    }
};
template <class> struct Made {
    static const Orders orders;
};
template <class T> const Orders Made<T>::orders;
#endif
// Stores the lanes of v whose bit is set side by side at p. What lies behind them, up to VL lanes, is lost.
ALWAYS_INLINE void store_some(int32_t *p, ivec v, unsigned bits) {
#if defined(HAS_AVX512)
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi32((__mmask16)bits, (__m512i)v));
#elif defined(HAS_AVX2)
    const __m256i order = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)Made<void>::orders.of[bits]));
    _mm256_storeu_si256((__m256i *)p, _mm256_permutevar8x32_epi32((__m256i)v, order));
#else
    for (int l = 0; l < VL; l++) {
        *p = v[l];
        p += bits >> l & 1;
    }
#endif
}
// The floats at p[at[0]], p[at[1]] and so on.
ALWAYS_INLINE vec gather(const float *p, ivec at) {
#if defined(HAS_AVX512)
    return (vec)_mm512_i32gather_ps((__m512i)at, p, 4);
#elif defined(HAS_AVX2)
    return (vec)_mm256_i32gather_ps(p, (__m256i)at, 4);
#else
    vec v;
    for (int l = 0; l < VL; l++) v[l] = p[at[l]];
    return v;
#endif
}
ALWAYS_INLINE void keep(vec &v) {
#if defined(HAS_AVX512) || defined(HAS_AVX) || defined(HAS_SSE2)
    __asm__("" : "+x"(v));  // else the compiler loads it again for each use, and loads are scarce
#elif defined(HAS_NEON)
    __asm__("" : "+w"(v));
#else
    (void)v;
#endif
}
template <class Float> ALWAYS_INLINE Float *keep(Float *p) {
#if defined(__GNUC__)
    __asm__("" : "+r"(p));  // else each place at a constant distance from it gets a sum of its own
#endif
    return p;
}
constexpr unsigned ALL_LANES = (1u << VL) - 1;
// Whether a lane of a comparison is true.
ALWAYS_INLINE bool any(ivec mask) {
#if defined(HAS_NEON)
    return vmaxvq_u32((uint32x4_t)mask);
#else
    return lanes(mask) & ALL_LANES;
#endif
}

constexpr int vectors(int floats) { return (floats + VL - 1) / VL; }
constexpr size_t round_up(size_t floats) { return (floats + VL - 1) / VL * VL; }

// The largest |v| of vectors, NaN counting as more than infinity. Compares the bits as integers, which order like the
// numbers and hold under -ffast-math too.
class Largest {
    ivec top = {};

public:
    ALWAYS_INLINE void add(vec v) {
        const ivec size = (ivec)v & 0x7fffffff;
        top = size > top ? size : top;
    }
    void add(const float *v, size_t n) {
        size_t k = 0;
        for (; k + VL <= n; k += VL) {
            prefetch(v + k);
            add(load_unaligned(v + k));
        }
        if (k < n) add(load_some(v + k, (int)(n - k)));
    }
    float size() const {
        int32_t most = 0;
        for (int l = 0; l < VL; l++) most = top[l] > most ? top[l] : most;
        float f;
        memcpy(&f, &most, sizeof f);
        return f;
    }
};
inline float largest(const float *v, size_t n) {
    Largest most;
    most.add(v, n);
    return most.size();
}
// Copies n floats, and adds them to `most`: one pass takes little more time than the copy.
inline void copy_floats(float *to, const float *from, size_t n, Largest &most) {
    size_t k = 0;
    for (; k + VL <= n; k += VL) {
        prefetch(from + k);
        const vec v = load_unaligned(from + k);
        store_unaligned(to + k, v);
        most.add(v);
    }
    if (k == n) return;
    const vec rest = load_some(from + k, (int)(n - k));
    store_some_lanes(to + k, rest, (int)(n - k));
    most.add(rest);
}
// Whether not 0, of either sign: without a branch, and true of NaN.
ALWAYS_INLINE bool nonzero(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits << 1;
}
inline bool finite(float size) {
    int32_t bits;
    memcpy(&bits, &size, sizeof bits);
    return (bits & 0x7fffffff) < 0x7f800000;
}

}  // namespace simd
