// Checks the kernels against a naive reference in double precision, without Python, so that they
// can be built for any -march and under the sanitizers. Exits with 1 and a line for each failure.
#include <algorithm>
#include <cstdio>
#include <random>
#include <thread>
#include <vector>

#include "conv2d/reference.h"
#include "convolution/backward.h"
#include "convolution/forward.h"
#include "dense/activation.h"
#include "dense/sparse_product.h"
#include "distortion/distortion.h"
#include "dropout/mrg31k3p.h"
#include "dropout/mt19937.h"
#include "libm/vectors.h"
#include "sums/double_sum.h"
#include "update/elementwise.h"

using namespace convolution;
typedef std::vector<float> Floats;

static std::mt19937 generator(1);
static int failures = 0;

static Floats normal(size_t n, float scale) {
    std::normal_distribution<float> d(0, scale);
    Floats v(n);
    for (float &e : v) e = d(generator);
    return v;
}

static void expect(bool right, const char *what, const char *where) {
    if (right) return;
    printf("%s: %s\n", where, what);
    failures++;
}

template <class A> static bool close(const A &got, const std::vector<double> &want, double tolerance) {
    double scale = 1e-30, error = 0;
    for (double v : want) scale = std::max(scale, std::fabs(v));
    for (size_t k = 0; k < want.size(); k++) {
        const double e = std::fabs(got[k] - want[k]);
        if (!(e <= error)) error = e;
    }
    return error <= tolerance * scale;
}

// (image, channel, place) in the order (image, place, channel).
template <class A> static A turned(const A &v, int images, int channels, int places) {
    A to(v.size());
    for (size_t n = 0; n < (size_t)images; n++)
        for (int c = 0; c < channels; c++)
            for (int p = 0; p < places; p++) to[(n * places + p) * channels + c] = v[(n * channels + c) * places + p];
    return to;
}

// exact: small integers, so that sums are exact and ties are ties in any order of the terms.
template <int I, int O, int K> static void check(int N, int H, int V, bool channels_last, bool exact) {
    char where[80];
    snprintf(where, sizeof where, "<%d, %d, %d> %d of %d x %d%s%s", I, O, K, N, H, V,
             channels_last ? ", channels last" : "", exact ? ", ties" : "");
    Floats x = normal((size_t)N * I * H * V, 1), W = normal((size_t)O * I * K * K, .1f), b = normal(O, .1f);
    if (exact) {
        for (float &v : x) v = (float)(int)(v * 1.2f);
        for (float &v : W) v = (float)(int)(v * 15);
        for (float &v : b) v = (float)(int)(v * 15);
        for (int k = 0; k < N * I * H; k++)  // a blank part, as around a digit
            for (int w = 0; w < V / 2 + 2 && w < V; w++) x[(size_t)k * V + w] = 0;
    }
    const Shape s(N, H, V, K);
    const int P = s.window_rows, Q = s.window_columns;
    Floats g = normal((size_t)N * O * P * Q, 1);
    for (float &v : g)
        if (generator() % 2) v = 0;
    const conv2d::Problem p{N, H, V, I, O, {K, K}, {0, 0, 0, 0}};
    const conv2d::After after{{conv2d::LINES, 0}, {2, 2, 2, 2, 0, 0, true, pooling::MAXIMUM}, false};
    conv2d::Reference want = conv2d::reference(p, after, turned(x, N, I, H * V), W, b, turned(g, N, O, P * Q));
    want.pooled = turned(want.pooled, N, P * Q, O);
    want.dx = turned(want.dx, N, H * V, I);

    // Arrays of exactly their size, so that a sanitizer sees a step beyond them.
    Floats other = turned(x, N, I, H * V), y(g.size()), dW(W.size()), db(O), dx(x.size());
    std::vector<uint8_t> codes(g.size());
    Input xv{x.data(), I * H * V, H * V, V, 1};
    if (channels_last) xv = Input{other.data(), H * V * I, 1, V * I, I};
    const Input Wv{W.data(), I * K * K, K * K, K, 1};
    const View4<float> maps =
        channels_last ? View4<float>{nullptr, O * P * Q, 1, Q * O, O} : View4<float>{nullptr, O * P * Q, P * Q, Q, 1};
    Floats laid_g(g.size()), got_y(g.size());
    auto for_maps = [&](auto f) {
        for (size_t n = 0, k = 0; n < (size_t)N; n++)
            for (int o = 0; o < O; o++)
                for (int p = 0; p < P * Q; p++, k++)
                    f(k, n * maps.image + o * maps.channel + p / Q * maps.row + p % Q * maps.column);
    };
    for_maps([&](size_t k, size_t at) { laid_g[at] = g[k]; });
    const Input gv{laid_g.data(), maps.image, maps.channel, maps.row, maps.column};
    const Output yv{y.data(), maps.image, maps.channel, maps.row, maps.column}, dxv{dx.data(), H * V * I, 1, V * I, I};
    forward<I, O, K>(s, xv, Wv, b.data(), 1, yv, codes.data());
    backward<I, O, K, true>(s, xv, Wv, gv, codes.data(), dW.data(), db.data(), dxv);
    for_maps([&](size_t k, size_t at) { got_y[k] = y[at]; });
    expect(close(got_y, want.pooled, 1e-5), "y", where);
    std::fill(y.begin(), y.end(), -9.f);
    forward<I, O, K>(s, xv, Wv, b.data(), 1, yv, nullptr);
    for_maps([&](size_t k, size_t at) { got_y[k] = y[at]; });
    expect(close(got_y, want.pooled, 1e-5), "y without codes", where);
    expect(close(dW, want.dW, 1e-5), "dW", where);
    expect(close(db, want.db, 1e-5), "db", where);
    expect(close(turned(dx, N, H * V, I), want.dx, 1e-5), "dx", where);
    backward<I, O, K, false>(s, xv, Wv, gv, codes.data(), dW.data(), db.data(), dxv);
    expect(close(dW, want.dW, 1e-5), "dW without dx", where);
    expect(close(db, want.db, 1e-5), "db without dx", where);
}

template <int I, int O, int K> static void check_all(int N, int H, int V) {
    for (int how = 0; how < 4; how++) check<I, O, K>(N, H, V, how & 1, how & 2);
}

// A B for every way that the two may lie, A with `dense` of its values not zero. `infinite`: one value of B is.
static void check_product(int m, int k, int n, double dense, bool infinite = false) {
    for (int how = 0; how < 8; how++) {
        char where[80];
        snprintf(where, sizeof where, "%d x %d by %d x %d, %d%s", m, k, k, n, how, infinite ? ", infinite" : "");
        Floats a = normal((size_t)m * k, 1), b = normal((size_t)k * n + 1, 1), c((size_t)m * n, -1);
        for (float &v : a)
            if (generator() % 1000 >= dense * 1000) v = 0;
        if (infinite) b[generator() % (k * n) + 1] = INFINITY;
        sparse_product::Matrix av{a.data(), how & 1 ? 1 : k, how & 1 ? m : 1};
        sparse_product::Matrix bv{b.data() + 1, how & 2 ? 1 : n, how & 2 ? k : 1};  // + 1: aligned to no vector
        if (how & 4 && m * k) {                                                     // backwards
            av = sparse_product::Matrix{av.at(m - 1, k - 1), -av.row, -av.column};
            bv = sparse_product::Matrix{bv.at(k - 1, n - 1), -bv.row, -bv.column};
        }
        std::vector<double> want((size_t)m * n);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                for (int p = 0; p < k; p++) want[(size_t)i * n + j] += (double)*av.at(i, p) * *bv.at(p, j);
        if (how & 1) {  // on top of what C is
            std::fill(c.begin(), c.end(), 3);
            for (double &v : want) v = 3 - .5 * v;
        }
        sparse_product::multiply(m, k, n, av, bv, c.data(), how & 1 ? -.5f : 1, how & 1);
        for (size_t e = 0; e < want.size(); e++) {
            if (std::isfinite(want[e])) continue;
            expect(std::isnan(want[e]) ? std::isnan(c[e]) : c[e] == (float)want[e], "NaN or infinity", where);
            want[e] = c[e] = 0;
        }
        expect(close(c, want, 1e-5), "product", where);
    }
}

// y = f(z + b), dz and db, each nonlinearity by its definition.
static void check_activation(int rows, int columns) {
    const size_t size = (size_t)rows * columns;
    const Floats z = normal(size, 2), b = normal(columns, 1), g = normal(size, 1);
    for (const conv2d::Nonlinearity f : {conv2d::Nonlinearity{conv2d::LINES, 0},
                                         {conv2d::LINES, .25f},
                                         {conv2d::TANH, 1},
                                         {conv2d::SIGMOID, 1},
                                         {conv2d::ELU, 1}}) {
        char where[80];
        snprintf(where, sizeof where, "activation %d, %d x %d", f.kind, rows, columns);
        std::vector<double> want_y(size), want_dz(size), want_db(columns);
        for (size_t e = 0; e < size; e++) {
            const double v = (double)(z[e] + b[e % columns]), grown = std::exp(v);
            const double s = 1 / (1 + 1 / grown), t = std::tanh(v);
            want_y[e] = f.kind == conv2d::TANH      ? t
                        : f.kind == conv2d::SIGMOID ? s
                        : v > 0                     ? v
                        : f.kind == conv2d::ELU     ? grown - 1
                                                    : f.slope * v;
            want_dz[e] = g[e] * (f.kind == conv2d::TANH      ? 1 - t * t
                                 : f.kind == conv2d::SIGMOID ? s * (1 - s)
                                 : v > 0                     ? 1
                                 : f.kind == conv2d::ELU     ? grown
                                                             : f.slope);
            want_db[e % columns] += want_dz[e];
        }
        const activation::Problem p{rows, columns};
        Floats y(size, -9), dz(size, -9), db(columns, -9);
        activation::forward(p, z.data(), b.data(), f, y.data());
        activation::backward(p, y.data(), f, g.data(), dz.data(), db.data());
        expect(close(y, want_y, 1e-5), "y", where);
        expect(close(dz, want_dz, 1e-5), "dz", where);
        expect(close(db, want_db, 1e-5), "db", where);
    }
}

// A rule as updates.py writes it: u' = .5 u + s v, then v' = v - u', which both read a kept s v.
struct Rule {
    enum { ARRAYS = 2, SCALARS = 1, UPDATED = 2, LOCALS = 1 };
    static void chunk(const float *const *arrays, const float *scalars, float *const *updated,
                      float (*locals)[update::CHUNK], int n) {
        const float *u = arrays[0], *v = arrays[1], s = scalars[0];
        float *kept = locals[0], *to = updated[0];
        UPDATE_LOOP for (int i = 0; i < n; i++) kept[i] = s * v[i];
        UPDATE_LOOP for (int i = 0; i < n; i++) to[i] = .5f * u[i] + kept[i];
        const float *changed = to;
        to = updated[1];
        UPDATE_LOOP for (int i = 0; i < n; i++) to[i] = v[i] - changed[i];
    }
};

static void check_update(size_t n, bool in_place) {
    Floats u = normal(n, 1), v = normal(n, 1), other_u(n), other_v(n);
    std::vector<double> want_u(n), want_v(n);
    for (size_t k = 0; k < n; k++) {
        want_u[k] = .5 * u[k] + (double).1f * v[k];
        want_v[k] = v[k] - want_u[k];
    }
    const float *arrays[] = {u.data(), v.data()}, scalars[] = {.1f};
    float *updated[] = {in_place ? u.data() : other_u.data(), in_place ? v.data() : other_v.data()};
    update::step<Rule>(arrays, scalars, updated, n);
    expect(close(updated[0], want_u, 1e-6) && close(updated[1], want_v, 1e-6), "value", "update");
}

// Jobs of parts, each to be done once, from two threads at a time.
static void check_parallel() {
    auto work = [] {
        for (int job = 0; job < 2000; job++) {
            const int parts = job % 7;
            std::vector<int> done(parts);
            parallel::for_parts(parts, 3, [&](int part, int worker) {
                done[part]++;
                expect(worker >= 0 && worker < 3, "no such worker", "parallel");
            });
            for (int d : done) expect(d == 1, "a part was not done once", "parallel");
        }
    };
    std::thread other(work);
    work();
    other.join();
}

// Next number of a stream by the paper's recurrences; its six words move on.
static int64_t next_number(int32_t *s) {
    const int64_t m1 = 2147483647, m2 = 2147462579;
    const int64_t x = ((1ll << 22) * s[1] + 129ll * s[2]) % m1, y = ((1ll << 15) * s[3] + 32769ll * s[5]) % m2;
    for (int k : {2, 1, 5, 4}) s[k] = s[k - 1];
    s[0] = (int32_t)x;
    s[3] = (int32_t)y;
    return x > y ? x - y : x - y + m1;
}

// Uniform numbers and masks of n numbers from so many streams.
static void check_mrg31k3p(size_t streams, size_t n) {
    std::vector<int32_t> start(streams * 6);
    for (int32_t &word : start) word = (int32_t)(generator() % 2147462578) + 1;
    std::vector<int32_t> want = start, state = start;
    std::vector<float> single(n);
    std::vector<double> twice(n), numbers(n);
    for (size_t k = 0; k < n; k++) numbers[k] = next_number(&want[k % streams * 6]) / 2147483648.;
    mrg31k3p::draw(mrg31k3p::Uniform(), state.data(), streams, twice.data(), n);
    expect(twice == numbers, "double", "mrg31k3p");
    expect(state == want, "state", "mrg31k3p");
    state = start;
    mrg31k3p::draw(mrg31k3p::Uniform(), state.data(), streams, single.data(), n);
    for (size_t k = 0; k < n; k++) expect(std::fabs(single[k] - numbers[k]) < 1.2e-7, "float", "mrg31k3p");
    state = start;
    std::vector<float> mask(n);
    mrg31k3p::draw(mrg31k3p::Bernoulli{.3f}, state.data(), streams, mask.data(), n);
    for (size_t k = 0; k < n; k++) expect(mask[k] == (single[k] < .3f), "mask", "mrg31k3p");
    expect(state == want, "state after a mask", "mrg31k3p");
}

// Floats of all sizes, by vectors or by calls.
template <class Function> static void check_libm(const char *name, size_t n) {
    std::vector<float> x(n), y(n);
    for (float &value : x) {
        const uint32_t bits = generator();
        memcpy(&value, &bits, sizeof bits);
    }
    libm::apply<Function>(x.data(), y.data(), n);
    bool same = true;
    for (size_t i = 0; i < n; i++) {
        const float want = Function::call(x[i]);
        same = same && (want == want ? !memcmp(&want, &y[i], sizeof want) : y[i] != y[i]);
    }
    expect(same, "the bits of libm", name);
}

// Images distorted by `count` fields, some of them far beyond their borders; `others` stay as they are.
// The 32 partial sums, one after the other, have the same bits as on vectors.
static void check_sum(size_t n) {
    const Floats x = normal(n, 1);
    double partial[32] = {}, total = 0;
    const size_t whole = n > 1024 ? n / 32 * 32 : 0;
    for (size_t k = 0; k < whole; k++) partial[k % 32] += x[k] * x[k];
    for (double p : partial) total += p;
    for (size_t k = whole; k < n; k++) total += x[k] * x[k];
    expect(sums::sum<sums::Square>(x.data(), n) == (float)total, "the sum of the squares", "check_sum");
}

static void check_distortion(int distorted, int others, int rows, int columns, int count) {
    const distortion::Problem p = {distorted + others, distorted, rows, columns, count};
    const size_t size = (size_t)rows * columns;
    const Floats images = normal(p.images * size, 1), factors = normal((size_t)2 * distorted * count, 1);
    const Floats fields = normal(count * size, 2);
    Floats got(images.size(), -9);
    std::vector<double> want(images.begin(), images.end());
    for (int n = 0; n < distorted; n++)
        for (size_t i = 0; i < size; i++) {
            double at[2] = {(double)(i / columns), (double)(i % columns)}, sum = 0;
            for (int axis = 0; axis < 2; axis++)
                for (int k = 0; k < count; k++)
                    at[axis] += (double)factors[((size_t)axis * distorted + n) * count + k] * fields[k * size + i];
            for (int r = 0; r < rows; r++)  // a tent over each pixel
                for (int c = 0; c < columns; c++) {
                    const double near = std::max(0., 1 - std::fabs(at[0] - r)),
                                 by = std::max(0., 1 - std::fabs(at[1] - c));
                    sum += near * by * images[n * size + r * columns + c];
                }
            want[n * size + i] = sum;
        }
    distortion::distort(p, images.data(), factors.data(), fields.data(), got.data());
    expect(close(got, want, 1e-5), "image", "distortion");
}

// Against the standard library's generator, which NumPy's is too.
static void check_mt19937() {
    std::mt19937 standard(1234);
    mt19937::State state{{1234}, mt19937::WORDS};
    for (int i = 1; i < mt19937::WORDS; i++)
        state.key[i] = 1812433253 * (state.key[i - 1] ^ state.key[i - 1] >> 30) + i;
    for (size_t n : {0, 1, 310, 1, 311, 312, 313, 5000}) {
        for (bool turned : {false, true}) {
            std::vector<int64_t> mask(n);
            mt19937::draw_mask(&state, .3, turned, mask.data(), n);
            for (int64_t m : mask) {
                const double high = standard() >> 5, low = standard() >> 6;
                expect(m == (((high * 67108864 + low) / 9007199254740992 > .3) != turned), "mask", "mt19937");
            }
        }
        if (state.pos == mt19937::WORDS) mt19937::next_block(state.key), state.pos = 0;
        state.pos++, standard();  // from now on a double's two words may lie in two blocks
    }
}

int main() {
    check_all<1, 32, 5>(3, 28, 28);   // the tutorial's first stage
    check_all<32, 32, 5>(5, 12, 12);  // and its second
    check_all<3, 5, 3>(2, 9, 14);     // few channels, odd sizes, a vector cut short
    check_all<18, 20, 5>(1, 40, 9);   // channels that fill no vector; more than a group of tiles
    check_all<9, 3, 4>(2, 6, 5);      // an even filter, one column of windows
    check<2, 4, 1>(2, 3, 2, false, true);
    check<2, 4, 2>(0, 4, 4, false, false);
    check<2, 4, 2>(2, 2, 2, false, false);  // no window at all
    check_product(50, 64, 256, .2);
    check_product(3, 17, 10, 1);
    check_product(33, 5, 131, .5);
    check_product(1, 1, 1, 1);
    check_product(40, 300, 100, .3);  // several blocks of B; strips of many widths
    check_product(3, 1100, 7, .3);
    check_product(400, 70, 90, .3);  // shared out by rows
    check_product(7, 60, 1100, .3);  // and by columns, several strips for each thread
    check_product(400, 70, 90, .3, true);
    check_product(9, 300, 270, .3, true);
    check_product(3, 1100, 7, .3, true);
    check_product(2, 0, 3, 1);  // nothing to sum
    check_product(0, 3, 3, 1);
    check_activation(100, 256);
    check_activation(33, 15);  // a block and one row, columns that fill no vector
    check_activation(0, 5);
    check_activation(3, 0);
    for (size_t n : {size_t(0), size_t(1), size_t(7), update::CHUNK, update::CHUNK + 1, 3 * update::PART - 5})
        for (bool in_place : {false, true}) check_update(n, in_place);
    for (size_t n : {0, 1, 7, 16, 100, 100003}) {
        check_sum(n);
        check_libm<libm::Tanh>("tanh", n);
        check_libm<libm::Sigmoid>("sigmoid", n);
    }
    check_distortion(9, 3, 28, 28, 28);  // groups of images, one of them not full
    check_distortion(1, 0, 5, 3, 1);
    check_distortion(2, 1, 1, 1, 2);
    check_distortion(2, 0, 4, 9, 0);  // no field moves a pixel
    check_distortion(0, 2, 6, 6, 3);
    check_distortion(0, 0, 6, 6, 3);
    check_parallel();
    for (size_t streams : {1, 3, 16, 37, 2000})
        for (size_t n : {0, 1, 15, 36, 37, 100, 2000, 20011}) check_mrg31k3p(streams, n);
    check_mt19937();
    if (!failures) printf("ok, vectors of %d\n", VL);
    return failures != 0;
}
