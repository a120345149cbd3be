// A product of matrices by BLAS, on all threads of the pool: each calls BLAS for its own rows or columns of the result.
// BLAS itself has one thread in this package (compat/flags.py).
#pragma once

#include "runtime/threads.h"

namespace blas {

// gemm: sgemm_, as Theano declares it, and its arguments; matrices lie by columns. The terms of a sum stay in one call,
// but which kernel of the library takes a row depends on the rows beside it: bits depend on the number of threads.
template <class Gemm>
void on_threads(Gemm gemm, char *turn_a, char *turn_b, const int *m, const int *n, const int *k, const float *alpha,
                const float *a, const int *lda, const float *b, const int *ldb, const float *beta, float *c,
                const int *ldc) {
    constexpr int ROWS = 16;           // a multiple of what BLAS's kernels take at once
    constexpr double LEAST = 1 << 19;  // multiply-adds: ten microseconds of a core
    const bool by_columns = *n >= *m;
    const int count = by_columns ? *n : *m, blocks = (count + ROWS - 1) / ROWS, threads = parallel::threads();
    if (threads < 2 || blocks < 2 || (double)*m * *n * *k < LEAST)
        return gemm(turn_a, turn_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    parallel::for_ranges(blocks, std::min(blocks, threads), threads, [=](int, int, int first, int last) {
        const ptrdiff_t from = (ptrdiff_t)first * ROWS;
        const int some = std::min(count, last * ROWS) - (int)from;
        if (by_columns)
            gemm(turn_a, turn_b, m, &some, k, alpha, a, lda, b + from * (*turn_b == 'N' ? *ldb : 1), ldb, beta,
                 c + from * *ldc, ldc);
        else
            gemm(turn_a, turn_b, &some, n, k, alpha, a + from * (*turn_a == 'N' ? 1 : *lda), lda, b, ldb, beta,
                 c + from, ldc);
    });
}

}  // namespace blas
