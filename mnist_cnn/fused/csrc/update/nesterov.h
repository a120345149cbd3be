// A step of gradient descent with Nesterov's momentum, all parameters in one pass over the memory.
//
// docs/fused.md tells why. No Python here: the Theano side is bindings/nesterov.h.
#pragma once

#include <algorithm>

#include "runtime/simd.h"
#include "runtime/threads.h"

namespace nesterov {

using namespace simd;

// One parameter. What is new may lie where the old is; otherwise no two arrays overlap.
struct Parameter {
    const float *value, *velocity, *gradient;
    float *new_value, *new_velocity;
    size_t size;
};

constexpr size_t PART = 1 << 14;    // numbers that a thread takes at once

// Rounds as Theano does, which simplifies Lasagne's expressions to these: the change is rounded before it
// is subtracted, and the compiler may join the products by the momentum to the sums.
ALWAYS_INLINE void step(vec &value, vec &velocity, vec gradient, vec rate, vec momentum) {
    vec change = rate * gradient;
    keep(change);
    velocity = momentum * velocity - change;
    value = momentum * velocity + (value - change);
}

// The numbers first .. last - 1 of a parameter.
inline void step(const Parameter &p, size_t first, size_t last, vec rate, vec momentum) {
    size_t i = first;
    for (; i + VL <= last; i += VL) {
        vec value = load_unaligned(p.value + i), velocity = load_unaligned(p.velocity + i);
        step(value, velocity, load_unaligned(p.gradient + i), rate, momentum);
        store_unaligned(p.new_value + i, value);
        store_unaligned(p.new_velocity + i, velocity);
    }
    if (i >= last) return;
    const size_t rest = (last - i) * sizeof(float);
    vec value = {}, velocity = {}, gradient = {};
    memcpy(&value, p.value + i, rest);
    memcpy(&velocity, p.velocity + i, rest);
    memcpy(&gradient, p.gradient + i, rest);
    step(value, velocity, gradient, rate, momentum);
    memcpy(p.new_value + i, &value, rest);
    memcpy(p.new_velocity + i, &velocity, rest);
}

// velocity' = momentum * velocity - rate * gradient,   value' = value + momentum * velocity' - rate * gradient
inline void update(const Parameter *parameters, int count, float rate, float momentum) {
    size_t total = 0;
    for (int k = 0; k < count; k++) total += parameters[k].size;
    parallel::for_parts((int)((total + PART - 1) / PART), parallel::threads(), [&](int part, int) {
        // Parts count through all parameters as if they were one: most are small.
        size_t first = part * PART, last = first + PART;
        for (const Parameter *p = parameters; p < parameters + count; p++) {
            const size_t from = std::min(first, p->size), to = std::min(last, p->size);
            step(*p, from, to, broadcast(rate), broadcast(momentum));
            first -= from;
            last -= to;
        }
    });
}

}  // namespace nesterov
