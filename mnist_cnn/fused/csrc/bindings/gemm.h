// Between Theano's calls of BLAS and dense_product.h.
#pragma once

#include "dense/dense_product.h"
#include "runtime/threads.h"

namespace gemm {

// Whether BLAS takes longer than the product here. It does for a few rows or terms, since it packs the factors; and for
// any number if its vectors are shorter (SciPy's OpenBLAS takes AVX2's kernels on AMD's Zen 5).
inline bool is_slower(int rows, int columns, int terms) {
    if (columns < simd::VL || !terms) return false;
#if defined(BLAS_HAS_AVX2_ONLY) && defined(HAS_AVX512)
    return rows > 0;
#else
    constexpr int FEW_ROWS = simd::VL == 16 ? 20 : 12, FEW_TERMS = 12;
    return rows > 2 && (rows <= FEW_ROWS || terms <= FEW_TERMS);  // of one row or two BLAS packs nothing
#endif
}

// C = alpha A B + beta C: sgemm_, as Theano declares it, and its arguments; matrices lie by columns. All threads of the
// pool share it, each with its own rows or columns of C, unless it is small. BLAS itself has one thread in this package
// (compat/flags.py). The terms of a sum stay in one call, but which of BLAS's kernels takes a row depends on the rows
// beside it, so its bits depend on the number of threads.
template <class Sgemm>
void multiply(Sgemm sgemm, char *turn_a, char *turn_b, const int *m, const int *n, const int *k, const float *alpha,
              const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c,
              const int *ldc) {
    const ptrdiff_t a_row = *turn_a == 'N' ? 1 : *lda, a_column = *turn_a == 'N' ? *lda : 1;
    const ptrdiff_t b_row = *turn_b == 'N' ? 1 : *ldb, b_column = *turn_b == 'N' ? *ldb : 1;
    const bool ours = is_slower(*n, *m, *k);
    // some of C's rows and columns, which begin at `row` and `column`
    const auto part = [=](ptrdiff_t row, int rows, ptrdiff_t column, int columns) {
        const float *in_a = a + row * a_row, *in_b = b + column * b_column;
        float *in_c = c + row + column * *ldc;
        if (ours)  // by rows: the transposed product
            dense_product::multiply(columns, rows, *k, *alpha, {in_b, b_column, b_row}, {in_a, a_column, a_row}, *beta,
                                    in_c, *ldc);
        else
            sgemm(turn_a, turn_b, &rows, &columns, k, alpha, in_a, lda, in_b, ldb, beta, in_c, ldc);
    };
    constexpr int LENGTH = dense_product::WIDTH;  // a multiple of what BLAS's kernels take at once
    constexpr double LEAST = 1 << 19;             // multiply-adds: ten microseconds of a core
    const bool by_columns = *n >= *m;
    const int count = by_columns ? *n : *m, blocks = (count + LENGTH - 1) / LENGTH, threads = parallel::threads();
    if (threads < 2 || blocks < 2 || (double)*m * *n * *k < LEAST) return part(0, *m, 0, *n);
    parallel::for_ranges(blocks, std::min(blocks, threads), threads, [=](int, int, int first, int last) {
        const int from = first * LENGTH, some = std::min(count, last * LENGTH) - from;
        by_columns ? part(0, *m, from, some) : part(from, some, 0, *n);
    });
}

}  // namespace gemm
