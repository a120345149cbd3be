// Checks the convolutions of any size against their definition in double precision, and the poolings for access
// out of bounds, without Python, so that they can be built for any -march and under the sanitizers. Exits with 1
// and a line for each failure. With an argument n it takes every n-th convolution alone.
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "conv2d/measure.h"
#include "conv2d/reference.h"
#include "normalization/batch_norm.h"
#include "pooling/pooling.h"

using namespace conv2d;
typedef std::vector<float> Floats;

static std::mt19937 generator(1);
static int failures = 0;

static Floats normal(size_t n, double share = 1) {
    std::normal_distribution<float> value;
    std::uniform_real_distribution<double> uniform;
    Floats v(n);
    for (float &e : v) e = uniform(generator) < share ? value(generator) : 0;
    return v;
}

// Whole numbers up to `most`, whose sums are exact: what ties does so in the reference as well.
static Floats whole(size_t n, int most) {
    Floats v(n);
    for (float &e : v) e = (float)((int)(generator() % (2 * most + 1)) - most);
    return v;
}

// Makes a rectangle of each image flat: patches inside equal their neighbours, others on the rectangle's border.
static void flatten(const Problem &p, Floats *x) {
    for (int n = 0; n < p.images; n++) {
        const int top = generator() % p.rows, left = generator() % p.columns, rows = 1 + generator() % p.rows,
                  columns = 1 + generator() % p.columns;
        float *image = x->data() + (size_t)n * p.rows * p.columns * p.channels, color[64];
        std::copy(image, image + p.channels, color);
        for (int r = top; r < std::min(p.rows, top + rows); r++)
            for (int c = left; c < std::min(p.columns, left + columns); c++)
                std::copy(color, color + p.channels, image + ((size_t)r * p.columns + c) * p.channels);
    }
}

// `scale`: of the terms that are summed, for sums may be small by chance.
static void compare(const Problem &p, const char *what, double share, double scale, const Floats &got,
                    const std::vector<double> &want) {
    double error = 0;
    for (double v : want) scale = std::max(scale, std::fabs(v));
    for (size_t k = 0; k < want.size(); k++) {
        const double e = std::fabs(got[k] - want[k]);
        if (!(e <= error)) error = e;
    }
    if (error <= 2e-5 * scale) return;
    printf(
        "%s: %g of %g; %d images of %d x %d x %d, %d filters of %d x %d, pad %d %d %d %d, stride %d %d, "
        "%g of the gradients\n",
        what, error, scale, p.images, p.rows, p.columns, p.channels, p.filters, p.size.rows, p.size.columns, p.pad.top,
        p.pad.bottom, p.pad.left, p.pad.right, p.stride.rows, p.stride.columns, share);
    failures++;
}

// What the Op's has_codes says.
static bool has_codes(const After &after) {
    const pooling::Window &w = after.pool;
    return w.compares() && after.f.kind == LINES && w.rows == 2 && w.columns == 2 && w.stride_rows == 2 &&
           w.stride_columns == 2 && !w.pad_rows && !w.pad_columns;
}

static double worst_rounding = 0;  // of Winograd's sums, in units of ties.h's margins

static void check(const Problem &p, const After &after, double share, const Ways &ways) {
    const size_t all = (size_t)p.images * p.out_rows() * p.out_columns() * p.filters;
    const pooling::Problem pool = after.pool ? after.pooling(p) : pooling::Problem();
    const size_t out = after.pool ? p.images * pool.out_image() : all;
    Floats x = normal((size_t)p.images * p.rows * p.columns * p.channels), b = normal(p.filters),
           W = normal((size_t)p.filters * p.channels * p.places());
    const Floats g = normal(out, share);
    if (after.f.kind == LINES && (after.f.slope != 1 || after.pool.compares())) {
        const int most = generator() % 3 ? 50 : 2;
        x = whole(x.size(), most), W = whole(W.size(), most), b = whole(b.size(), most);
        if (generator() % 2) flatten(p, &x);
    } else {
        for (float &w : W) w /= std::sqrt((float)p.channels * p.places());
    }
    if (p.channels == 1 && generator() % 2)  // a digit's share of zeros
        for (float &v : x)
            if (generator() % 5) v = 0;
    Floats y(all), pooled(out), alone(out), dW(W.size()), db(b.size()), dx(x.size()), dW_alone(W.size());
    const auto view = [&](const Floats &v, int rows, int columns, int channels) {
        return Input{v.data(), (ptrdiff_t)rows * columns * channels, (ptrdiff_t)columns * channels, channels, 1};
    };
    const Input vx = view(x, p.rows, p.columns, p.channels),
                vg = after.pool ? view(g, pool.out_rows(), pool.out_columns(), p.filters)
                                : view(g, p.out_rows(), p.out_columns(), p.filters);
    const Filters vW{W.data(), (ptrdiff_t)p.channels * p.places(), p.places(), p.size.columns, 1};
    float *maxima = after.pool ? pooled.data() : nullptr;
    forward(p, after, ways, vx, vW, b.data(), 1, y.data(), maxima, nullptr);
    backward(p, after, ways, vx, vW, y.data(), maxima, nullptr, vg, dW.data(), db.data(), dx.data());
    backward(p, after, ways, vx, vW, y.data(), maxima, nullptr, vg, dW_alone.data(), db.data(), nullptr);
    Reference r = reference(p, after, x, W, b, g);
    const double of_x = std::max(1.f, largest(x.data(), x.size())), of_W = std::max(1.f, largest(W.data(), W.size()));
    compare(p, "y", share, of_x, y, r.y);
    if (after.pool) {
        compare(p, "pooled", share, of_x, pooled, r.pooled);
        std::vector<uint8_t> codes(has_codes(after) ? out : 0);
        forward(p, after, ways, vx, vW, b.data(), 1, nullptr, alone.data(), codes.empty() ? nullptr : codes.data());
        if (!codes.empty()) {
            Floats dW_codes(W.size()), db_codes(b.size()), dx_codes(x.size());
            backward(p, after, ways, vx, vW, nullptr, maxima, codes.data(), vg, dW_codes.data(), db_codes.data(),
                     dx_codes.data());
            compare(p, "db from codes", share, 1, db_codes, r.db);
            if (dW_codes != dW || dx_codes != dx) {
                printf("the gradients from codes are other ones\n");
                failures++;
            }
        }
        if (memcmp(alone.data(), maxima, out * sizeof(float))) {
            printf("the pooled alone are other ones\n");
            failures++;
        }
    }
    compare(p, "dW", share, of_x, dW, r.dW);
    compare(p, "dW alone", share, of_x, dW_alone, r.dW);
    compare(p, "db", share, 1, db, r.db);
    compare(p, "dx", share, of_W, dx, r.dx);
    if (ways.winograd_y && after.f.is_linear() && !after.pool) {
        float most = 0;
        for (float v : x) most = std::max(most, std::fabs(v));
        for (size_t k = 0; k < all; k++) {
            const size_t o = k % p.filters, each = W.size() / p.filters;
            double size = 0;
            for (size_t t = 0; t < each; t++) size += std::fabs(W[o * each + t]);
            worst_rounding =
                std::max(worst_rounding, std::fabs(y[k] - r.y[k]) / (ROUNDING * (most * size + std::fabs(b[o]))));
        }
    }
}

// The sum of a pooling's gradient, of those modes that give all of it.
static void check_pooling(const pooling::Problem &p) {
    const Floats x = normal((size_t)p.images * p.image()), g = normal((size_t)p.images * p.out_image());
    Floats y(g.size()), dx(x.size());
    pooling::forward(p, x.data(), y.data());
    pooling::backward(p, x.data(), y.data(), g.data(), dx.data());
    double given = 0, got = 0;
    for (int n = 0, k = 0; n < p.images; n++)
        pooling::for_windows(p, [&](ptrdiff_t, const pooling::Area &area) {
            const double share = p.window.compares() ? 1 : area.rows * area.columns / p.divisor(area);
            for (int c = 0; c < p.channels; c++, k++) given += g[k] * share;
        });
    for (float v : dx) got += v;
    if (std::fabs(given - got) > 1e-3) {
        printf("pooling: %g became %g\n", given, got);
        failures++;
    }
}

static void expect(bool good, const char *what) {
    if (good) return;
    printf("%s\n", what);
    failures++;
}

// What was measured first is what all go by; where nothing can be kept, the count.
static void check_kept_ways() {
    char file[] = "/tmp/conv2d_ways_XXXXXX";
    const int descriptor = mkstemp(file);
    if (descriptor < 0 || close(descriptor)) return expect(false, "no temporary file");
    const Problem p{1, 9, 9, 5, 6, {3, 3}, {1, 1, 1, 1}}, other{1, 9, 9, 5, 6, {3, 3}, {1, 1, 1, 0}};
    const Ways measured = measured_ways(p), first{true, false, true, .25f, .125f};
    expect(measured.lists_dw >= 0 && measured.lists_dw <= 1 && measured.lists_dx >= 0 &&
               measured.lists_dx <= measured.lists_dw,
           "ways: a share out of range");
    Ways kept{};
    expect(!read_ways(file, key(p), &kept), "ways: read what is not there");
    expect(
        write_ways(file, key(other), measured) && write_ways(file, key(p), first) && write_ways(file, key(p), measured),
        "ways: not written");
    kept = ways_of(p, file, [&](const Problem &) {
        expect(false, "ways: measured again");
        return measured;
    });
    expect(kept.winograd_y && !kept.winograd_dw && kept.winograd_dx && kept.lists_dw == .25f, "ways: not the first");
    expect(ways_of(p, file).winograd_y, "ways: the gradient has others");
    Problem many = p, more = p;
    many.images = 8, more.images = 500;
    expect(key(many) != key(p) && key(many) == key(more), "ways: few images have their own, many the same");
    const Ways counted = counted_ways(other), alone = ways_of(other, "/no/such/folder/file", measured_ways);
    expect(alone.winograd_y == counted.winograd_y && alone.lists_dw == counted.lists_dw, "ways: not counted");
    unlink(file);
}

// Statistics against their definition; sums of the gradient that must vanish. test_batch_norm.py has the rest.
static void check_batch_norm(int channels) {
    const normalization::Problem p{300, channels};
    const Nonlinearity f{LINES, 1};
    const Floats x = normal(p.rows * channels), g = normal(x.size()), gamma = normal(channels), beta = normal(channels);
    Floats y(x.size()), dx(x.size()), mean(channels), inv_std(channels), dgamma(channels), dbeta(channels);
    normalization::forward(p, x.data(), gamma.data(), beta.data(), 1e-4f, f, y.data(), mean.data(), inv_std.data());
    normalization::backward(p, x.data(), gamma.data(), f, y.data(), mean.data(), inv_std.data(), g.data(), dx.data(),
                            dgamma.data(), dbeta.data());
    for (int c = 0; c < channels; c++) {
        double sum = 0, squares = 0, of_dx = 0;
        for (int r = 0; r < p.rows; r++) sum += x[(size_t)r * channels + c], of_dx += dx[(size_t)r * channels + c];
        for (int r = 0; r < p.rows; r++) squares += std::pow(x[(size_t)r * channels + c] - sum / p.rows, 2);
        expect(std::fabs(mean[c] - sum / p.rows) < 1e-6 &&
                   std::fabs(inv_std[c] - 1 / std::sqrt(squares / p.rows + 1e-4)) < 1e-6,
               "batch normalization: statistics");
        expect(std::fabs(of_dx) < 1e-3, "batch normalization: a gradient along the mean");
    }
}

// The marks of patches that equal a neighbour, against a comparison of whole patches.
static void check_marks() {
    for (int turn = 0; turn < 500; turn++) {
        const int size = 1 + generator() % 5, pad = generator() % 3;
        const Problem p{1,
                        size + (int)(generator() % 9),
                        size + (int)(generator() % 70),
                        1 + (int)(generator() % 3),
                        1,
                        {size, size},
                        {pad, pad, pad, pad}};
        const Frame f = frame_of_x(p);
        Floats x = whole((size_t)p.rows * p.columns * p.channels, generator() % 2), frame(f.floats());
        flatten(p, &x);
        copy_image(Input{x.data(), 0, (ptrdiff_t)p.columns * p.channels, p.channels, 1}, 0, p.rows, p.columns,
                   p.channels, f, frame.data());
        std::vector<uint8_t> marks((size_t)p.out_rows() * p.out_columns(), 255);
        std::vector<int> counts(f.columns);
        const long all = mark_equal_patches(p, frame.data(), f, counts.data(), marks.data());
        const auto equal = [&](int i, int j, int k, int l) {
            for (int h = 0; h < size; h++)
                for (int t = 0; t < size * p.channels; t++)
                    if (frame[(i + h) * f.line() + j * f.pixel + t] != frame[(k + h) * f.line() + l * f.pixel + t])
                        return false;
            return true;
        };
        bool right = true;
        long found = 0;
        for (int i = 0; i < p.out_rows(); i++)
            for (int j = 0; j < p.out_columns(); j++) {
                const int want = (j && equal(i, j, i, j - 1) ? LEFT : 0) | (i && equal(i, j, i - 1, j) ? ABOVE : 0);
                found += (want & LEFT) / LEFT + (want & ABOVE) / ABOVE;
                right &= marks[(size_t)i * p.out_columns() + j] == want;
            }
        expect(right && all == found, "marks of equal patches");
    }
}

static void check_empty_batch() {
    const Problem p{0, 9, 9, 5, 6, {3, 3}, {1, 1, 1, 1}};
    const Ways ways = counted_ways(p);
    const After after{{LINES, 0}, NO_POOLING, false};
    const Floats W(6 * 5 * 9);
    Floats dW(W.size(), 1), db(6, 1);
    const Input none{nullptr, 0, 0, 0, 0};
    const Filters filters{W.data(), 45, 9, 3, 1};
    forward(p, after, ways, none, filters, nullptr, 0, nullptr, nullptr, nullptr);
    backward(p, after, ways, none, filters, nullptr, nullptr, nullptr, none, dW.data(), db.data(), nullptr);
    expect(dW[7] == 0 && db[3] == 0, "an empty batch has a gradient");
}

static int up_to(int n) { return (int)(generator() % (n + 1)); }

int main(int count, char **arguments) {
    const int every = count > 1 ? atoi(arguments[1]) : 1;
    const int sizes[] = {1, 2, 3, 4, 5, 7, 11}, channels[] = {1, 3, 16, 20, 33}, filters[] = {1, 7, 16, 40};
    const Nonlinearity nonlinearities[] = {{LINES, 1},          {LINES, 0},
                                           {LINES, .1f},        {TANH, 1},
                                           {SIGMOID, 1},        {ELU, 1},
                                           {LINES, 0, MAXIMUM}, {LINES, .5f, MAXIMUM_SECOND},
                                           {LINES, 0, SWITCH},  {LINES, .25f, SWITCH_GE},
                                           {LINES, 0, PRODUCT}};
    const int kinds = sizeof nonlinearities / sizeof *nonlinearities;
    const pooling::Window pools[] = {NO_POOLING,
                                     {2, 2, 2, 2, 0, 0, true, pooling::MAXIMUM},
                                     {3, 3, 2, 2, 0, 0, false, pooling::MAXIMUM},
                                     {2, 2, 2, 2, 0, 0, false, pooling::MAXIMUM},
                                     {3, 3, 2, 2, 0, 0, false, pooling::AVERAGE_WITHOUT_PAD},
                                     {3, 2, 2, 3, 1, 1, true, pooling::MAXIMUM},
                                     {2, 3, 2, 3, 1, 2, true, pooling::AVERAGE_WITH_PAD},
                                     {2, 2, 1, 2, 0, 1, true, pooling::SUM}};
    int turn = 0;
    for (int size : sizes)
        for (int c : channels)
            for (int o : filters)
                for (double share : {1., .3, .05})
                    for (int way = 0; way < 4; way++) {
                        const bool square = way != 3 && up_to(3);
                        const Pair lengths{size, square ? size : 1 + up_to(6)},
                            stride{way == 3 ? 1 + up_to(2) : 1, way == 3 ? 1 + up_to(2) : 1};
                        const Pad pad{up_to(size + 1), up_to(size + 1), up_to(size + 1), up_to(size + 1)};
                        const Problem p{1 + up_to(2),
                                        std::max(1, size - pad.top - pad.bottom) + up_to(8),
                                        std::max(1, lengths.columns - pad.left - pad.right) + up_to(19),
                                        c,
                                        o,
                                        lengths,
                                        pad,
                                        stride};
                        if (way == 2 && !has_winograd(p)) continue;
                        pooling::Window pool = pools[turn / kinds % (sizeof pools / sizeof *pools)];
                        if (p.out_rows() < 2 || p.out_columns() < 2) pool = NO_POOLING;
                        const bool by_lists = way == 1 || (way == 3 && up_to(1)), winograd = way == 2;
                        const Nonlinearity &f = nonlinearities[turn % kinds];
                        if (turn++ % every) continue;
                        check(p, After{f, pool, false}, share,
                              Ways{winograd, winograd, winograd, by_lists ? 1.f : 0.f, by_lists ? .5f : 0.f});
                    }
    for (int size : {3, 5})
        for (int c : channels) {
            if (turn++ % every) continue;
            check(Problem{3, 21, 17, c, 40, {size, size}, {1, 0, 0, 1}}, After{{LINES, 1}, NO_POOLING, false}, 1,
                  Ways{true, true, true, 0, 0});
        }
    // more filters than the second-level cache holds, whose gradients are packed
    check(Problem{2, 9, 11, 64, 136, {5, 5}, {1, 0, 2, 1}, {2, 2}}, After{{LINES, 1}, NO_POOLING, false}, 1, Ways{});
    for (int c : channels) check_batch_norm(c);
    for (int size = 1; size < 5; size++)
        for (int stride = 1; stride < 4; stride++)
            for (int c : channels)
                for (auto mode :
                     {pooling::MAXIMUM, pooling::AVERAGE_WITH_PAD, pooling::AVERAGE_WITHOUT_PAD, pooling::SUM})
                    for (int pad : {-1, 0, size - 1})  // -1: windows that are cut
                        check_pooling(pooling::Problem{
                            2,
                            7,
                            9,
                            c,
                            {size, size, stride, stride, std::max(0, pad), std::max(0, pad / 2), pad >= 0, mode}});
    if (worst_rounding > .5) {
        printf("Winograd's sums: an error of %.2f of the margin\n", worst_rounding);
        failures++;
    }
    check_marks();
    check_kept_ways();
    check_empty_batch();
    if (!failures) printf("ok, vectors of %d\n", VL);
    return failures ? 1 : 0;
}
