// The operation and its gradients as their definition says, in double precision: what the kernels are checked
// against.
#pragma once

#include <algorithm>
#include <vector>

namespace convolution {

struct Reference {
    std::vector<double> y, dW, db, dx;
};

// N images of I channels and H x V pixels, O filters of K x K. Contiguous arrays throughout; every position that
// ties gets the gradient, half of it at zero.
inline Reference reference(int N, int I, int O, int K, int H, int V, const std::vector<float> &x,
                           const std::vector<float> &W, const std::vector<float> &b, const std::vector<float> &g) {
    const int P = (H - K + 1) / 2, Q = (V - K + 1) / 2;
    Reference r;
    r.y.resize((size_t)N * O * P * Q);
    r.dW.resize(W.size());
    r.db.resize(O);
    r.dx.resize(x.size());
    for (int n = 0; n < N; n++)
        for (int o = 0; o < O; o++)
            for (int i = 0; i < P; i++)
                for (int j = 0; j < Q; j++) {
                    double pre[4], most = -1e300;
                    auto taps = [&](int k, auto f) {
                        for (int c = 0; c < I; c++)
                            for (int h = 0; h < K; h++)
                                for (int w = 0; w < K; w++)
                                    f(((size_t)(o * I + c) * K + K - 1 - h) * K + K - 1 - w,
                                      ((size_t)(n * I + c) * H + 2 * i + k / 2 + h) * V + 2 * j + k % 2 + w);
                    };
                    for (int k = 0; k < 4; k++) {
                        double sum = b[o];
                        taps(k, [&](size_t w, size_t p) { sum += (double)W[w] * x[p]; });
                        pre[k] = sum;
                        most = std::max(most, sum);
                    }
                    const size_t at = ((size_t)(n * O + o) * P + i) * Q + j;
                    r.y[at] = std::max(most, 0.0);
                    for (int k = 0; k < 4 && most >= 0; k++) {
                        if (pre[k] != most) continue;
                        const double share = most == 0 ? 0.5 * g[at] : g[at];
                        r.db[o] += share;
                        taps(k, [&](size_t w, size_t p) {
                            r.dW[w] += share * x[p];
                            r.dx[p] += share * W[w];
                        });
                    }
                }
    return r;
}

}  // namespace convolution
