// Memory for a kernel's intermediate results.
//
// A kernel's buffers are the members of a struct, and its constructor takes them from an arena. The same
// constructor counts what they need, on an arena without memory. So what is allocated and what is used
// cannot differ.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace scratch {

// Hands out consecutive buffers, each aligned to 64 bytes. Without memory it only counts.
struct Arena {
    float *memory;
    size_t used = 0;  // floats
    explicit Arena(float *memory) : memory(memory) {}
    template <class T = float> T *take(size_t count) {
        T *buffer = memory ? (T *)(memory + used) : nullptr;
        const size_t floats = (count * sizeof(T) + sizeof(float) - 1) / sizeof(float);
        used += (floats + 15) / 16 * 16;
        return buffer;
    }
};

// Floats that a struct of buffers takes.
template <class Buffers, class... Args> size_t floats_of(const Args &...args) {
    Arena counting(nullptr);
    Buffers(counting, args...);
    return counting.used;
}

// Memory that a thread keeps from call to call, so that no step pays for fresh pages.
// Allocated by the calling thread before a parallel region: bad_alloc never crosses one.
template <class Tag> float *thread_memory(size_t floats) {
    struct Buffer {
        float *data = nullptr;
        size_t size = 0;
        ~Buffer() { free(data); }
    };
    static thread_local Buffer b;
    if (b.size < floats) {
        free(b.data);
        b.size = 0;
        b.data = nullptr;
        void *p = nullptr;
        if (posix_memalign(&p, 64, floats * sizeof(float))) throw std::bad_alloc();
        b.data = (float *)p;
        b.size = floats;
    }
    return b.data;
}

}  // namespace scratch
