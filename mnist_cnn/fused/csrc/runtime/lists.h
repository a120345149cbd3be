// Gradients that are not zero, listed for each channel.
#pragma once

#include "runtime/scratch.h"
#include "runtime/simd.h"

namespace lists {

using namespace simd;

// Where in the local images a gradient's patch begins, and the gradient.
struct List {
    const int32_t *patches;
    const float *values;
    int count;
};

struct Lists {
    int32_t *patches;  // channel o's list begins at o * room
    float *values;
    int *count;
    // Whole vectors are stored behind the last entry. With one more, room is no power of two where there are many
    // positions: the lists would share one set of the cache.
    size_t room;
    int channels;
    Lists(scratch::Arena &arena, int channels, size_t positions) : room(round_up(positions) + VL), channels(channels) {
        patches = arena.take<int32_t>(channels * room);
        values = arena.take(channels * room);
        count = arena.take<int>(channels);
    }
    void clear() const { memset(count, 0, channels * sizeof(int)); }
    ALWAYS_INLINE void add(int channel, int patch, float value) const {
        const size_t end = channel * room + count[channel]++;
        patches[end] = patch;
        values[end] = value;
    }
    // The lanes whose bit is set.
    ALWAYS_INLINE void add_some(int channel, ivec patch, ivec value, unsigned bits) const {
        const size_t end = channel * room + count[channel];
        store_some(patches + end, patch, bits);
        store_some((int32_t *)values + end, value, bits);
        count[channel] += __builtin_popcount(bits);
    }
    List of(int channel) const { return List{patches + channel * room, values + channel * room, count[channel]}; }
};

}  // namespace lists
