// The measured cost of the ways, which takes some milliseconds on one thread.
#pragma once

#include <ctime>
#include <vector>

#include "conv2d/backward.h"
#include "conv2d/forward.h"
#include "conv2d/kept_ways.h"

namespace conv2d {

// Milliseconds of the thread's processor time, which other programs disturb less than the clock; the least of three
// runs.
template <class Work> double cost(Work work) {
    const auto now = [] {
        timespec time;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
    };
    double least = 1e300;
    for (int k = 0; k < 3; k++) {
        const double start = now();
        work();
        least = std::min(least, now() - start);
    }
    return least;
}

// With random images and gradients, and enough images to make the packing of filters negligible, unless they are few.
inline Ways measured_ways(Problem p) {
    if (!are_few(p)) p.images = FEW;
    if (!are_few(p) && has_winograd(p))
        p.images = std::max(FEW, images_together(p.size.rows, p.channels, p.filters, sums_of_y(p).tiling()));
    uint32_t state = 1;
    const auto uniform = [&] { return (float)((state = state * 1664525 + 1013904223) >> 8) / (1 << 24) - .5f; };
    const size_t out = (size_t)p.images * p.out_rows() * p.out_columns() * p.filters;
    std::vector<float> x((size_t)p.images * p.rows * p.columns * p.channels), g(out), y(out), dx(x.size()),
        W((size_t)p.filters * p.channels * p.places()), dW(W.size()), db(p.filters);
    for (float &v : x) v = uniform();
    for (float &v : W) v = uniform();
    const Input vx{x.data(), (ptrdiff_t)p.rows * p.columns * p.channels, (ptrdiff_t)p.columns * p.channels, p.channels,
                   1};
    const Input vg{g.data(), (ptrdiff_t)p.out_rows() * p.out_columns() * p.filters,
                   (ptrdiff_t)p.out_columns() * p.filters, p.filters, 1};
    const Filters vW{W.data(), (ptrdiff_t)p.channels * p.places(), p.places(), p.size.columns, 1};
    const After after{{LINES, 1}, NO_POOLING, false};
    const auto forward_cost = [&](bool winograd) {
        const Ways ways{winograd, false, false, 0, 0};
        return cost([&] { forward(p, after, ways, vx, vW, nullptr, 0, y.data(), nullptr, nullptr, 1); });
    };
    const auto backward_cost = [&](float share, bool with_dx, const Ways &ways) {
        for (float &v : g) v = uniform() + .5f < share ? 1 : 0;
        return cost([&] {
            backward(p, after, ways, vx, vW, y.data(), nullptr, nullptr, vg, dW.data(), db.data(),
                     with_dx ? dx.data() : nullptr, 1);
        });
    };
    Ways best{};
    double dw = backward_cost(1, false, best), both = backward_cost(1, true, best);
    if (has_winograd(p)) {
        best.winograd_y = forward_cost(true) < forward_cost(false);
        const Ways winograd{false, true, false, 0, 0}, too{false, false, true, 0, 0};
        const double winograd_dw = backward_cost(1, false, winograd), winograd_dx = backward_cost(1, true, too);
        best.winograd_dx = winograd_dx < both;
        both = std::min(both, winograd_dx);
        best.winograd_dw = winograd_dw < dw && winograd_dw_floats(p) < 4 << 20;
        both += best.winograd_dw ? winograd_dw - dw : 0;
        dw = best.winograd_dw ? winograd_dw : dw;
    }
    // The cost of lists grows with their length.
    const Ways lists{false, best.winograd_dw, best.winograd_dx, 2, 0},
        all_lists{false, best.winograd_dw, best.winograd_dx, 2, 2};
    const float few = .04f, more = .2f;
    const auto meets = [&](double at_few, double at_more, double other) {
        const double share = few + (other - at_few) / std::max(1e-9, at_more - at_few) * (more - few);
        return (float)(std::min(1., std::max(0., share)));
    };
    const double few_dw = backward_cost(few, false, lists), more_dw = backward_cost(more, false, lists);
    best.lists_dw = meets(few_dw, more_dw, dw);
    best.lists_dx = std::min(best.lists_dw, meets(backward_cost(few, true, all_lists) - few_dw,
                                                  backward_cost(more, true, all_lists) - more_dw, both - dw));
    return best;
}

}  // namespace conv2d
