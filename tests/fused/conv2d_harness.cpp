// Checks the convolutions of any size against their definition in double precision, and the poolings for access
// out of bounds, without Python, so that they can be built for any -march and under the sanitizers. Exits with 1
// and a line for each failure.
#include "conv2d/backward.h"
#include "conv2d/forward.h"
#include "conv2d/reference.h"
#include "pooling/pooling.h"

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

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

static void compare(const Problem &p, const char *what, double share, const Floats &got,
                    const std::vector<double> &want) {
    double scale = .1, error = 0;     // the inputs are of size 1
    for (double v : want) scale = std::max(scale, std::fabs(v));
    for (size_t k = 0; k < want.size(); k++) {
        const double e = std::fabs(got[k] - want[k]);
        if (!(e <= error)) error = e;
    }
    if (error <= 2e-5 * scale) return;
    printf("%s: %g of %g; %d images of %d x %d x %d, %d filters of %d, pad %d %d %d %d, %g of the gradients\n", what,
           error, scale, p.images, p.rows, p.columns, p.channels, p.filters, p.size, p.pad.top, p.pad.bottom,
           p.pad.left, p.pad.right, share);
    failures++;
}

static void check(const Problem &p, float slope, double share) {
    const size_t out = (size_t)p.images * p.out_rows() * p.out_columns() * p.filters;
    const Floats x = normal((size_t)p.images * p.rows * p.columns * p.channels), b = normal(p.filters),
                 W = normal((size_t)p.filters * p.channels * p.size * p.size), g = normal(out, share);
    Floats y(out), dW(W.size()), db(b.size()), dx(x.size()), dW_alone(W.size());
    const auto view = [&](const Floats &v, int rows, int columns, int channels) {
        return Input{v.data(), (ptrdiff_t)rows * columns * channels, (ptrdiff_t)columns * channels, channels, 1};
    };
    const Input vx = view(x, p.rows, p.columns, p.channels), vg = view(g, p.out_rows(), p.out_columns(), p.filters);
    const Filters vW{W.data(), (ptrdiff_t)p.channels * p.size * p.size, p.size * p.size, p.size, 1};
    forward(p, vx, vW, b.data(), 1, slope, y.data());
    backward(p, vx, vW, y.data(), vg, slope, dW.data(), db.data(), dx.data());
    backward(p, vx, vW, y.data(), vg, slope, dW_alone.data(), db.data(), nullptr);
    const Reference r = reference(p, x, W, b, g, slope);
    compare(p, "y", share, y, r.y);
    compare(p, "dW", share, dW, r.dW);
    compare(p, "dW alone", share, dW_alone, r.dW);
    compare(p, "db", share, db, r.db);
    compare(p, "dx", share, dx, r.dx);
}

static void check_pooling(const pooling::Problem &p) {
    const Floats x = normal((size_t)p.images * p.image()), g = normal((size_t)p.images * p.out_image());
    Floats most(g.size()), mean(g.size()), dx(x.size());
    pooling::maximum(p, x.data(), most.data());
    pooling::maximum_gradient(p, x.data(), most.data(), g.data(), dx.data());
    double given = 0, got = 0;
    for (float v : g) given += v;
    for (float v : dx) got += v;
    pooling::average(p, x.data(), mean.data());
    for (size_t k = 0; k < g.size(); k++)
        if (!(mean[k] <= most[k] + 1e-6f)) failures++;
    pooling::average_gradient(p, x.data(), mean.data(), g.data(), dx.data());
    double shared = 0;
    for (float v : dx) shared += v;
    if (std::fabs(given - got) > 1e-3 || std::fabs(given - shared) > 1e-3) {
        printf("pooling: %g became %g and %g\n", given, got, shared);
        failures++;
    }
}

int main() {
    const int sizes[] = {1, 2, 3, 4, 5, 7, 11}, channels[] = {1, 3, 16, 20, 33}, filters[] = {1, 7, 16, 40};
    for (int size : sizes)
        for (int c : channels)
            for (int f : filters)
                for (double share : {1., .3, .05}) {
                    const auto up_to = [&](int n) { return (int)(generator() % (n + 1)); };
                    const Pad pad{up_to(size + 1), up_to(size + 1), up_to(size + 1), up_to(size + 1)};
                    const Problem p{1 + up_to(2), std::max(1, size - pad.top - pad.bottom) + up_to(8),
                                    std::max(1, size - pad.left - pad.right) + up_to(19), c, f, size, pad};
                    check(p, share == 1 ? 1.f : share == .3 ? 0.f : .1f, share);
                }
    for (int size = 1; size < 5; size++)
        for (int stride = 1; stride < 4; stride++)
            for (int c : channels)
                for (bool ignore : {true, false})
                    check_pooling(pooling::Problem{2, 7, 9, c, size, size, stride, stride, ignore});
    if (!failures) printf("ok, vectors of %d\n", VL);
    return failures ? 1 : 0;
}
