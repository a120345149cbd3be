// Work shared between threads, without waiting for a thread that starts late.
//
// OpenMP's parallel regions wait for every thread of the team. On a machine with other work to do,
// a thread may start milliseconds late, and a training step of a few milliseconds with six
// regions takes fifty. Here the calling thread takes every part that no helper has begun, so that
// a busy machine costs only the helper's share. OpenMP says how many threads there are.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace parallel {

// The number of threads: OMP_NUM_THREADS where Theano's flag `openmp` is set, else one.
inline int threads() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

class ThreadPool {
    typedef void (*Call)(void *, int, int);

    // The job: its number, and the parts that nobody has taken, from `first` up to `last`. All in one
    // word, so that a helper who comes late cannot take a part of a job that is not the one it saw.
    static constexpr int BITS = 22;
    static constexpr uint64_t FIRST = 1 << BITS, MASK = FIRST - 1, NUMBER = FIRST << BITS;
    std::atomic<uint64_t> job{0};
    std::atomic<int> unfinished{0};
    Call call = nullptr;
    void *work = nullptr;
    std::atomic<int> workers{0};  // of the job: its caller is number 0, helpers follow

    std::mutex calling, sleeping;
    std::condition_variable wake, finished;
    std::atomic<int> asleep{0};  // helpers waiting for `wake`
    std::atomic<bool> caller_asleep{false};
    int helpers = 0;

    static int first(uint64_t seen) { return (int)(seen >> BITS & MASK); }
    static int last(uint64_t seen) { return (int)(seen & MASK); }
    bool has_part(uint64_t seen, int worker) const { return first(seen) < last(seen) && worker < workers.load(); }

    // Takes and does one part; false if none is left for this worker. The caller takes the last, helpers the
    // first: so a core meets much the same images in one job as in the next, and has them in its cache.
    bool do_part(int worker) {
        uint64_t seen = job.load();
        do {
            if (!has_part(seen, worker)) return false;
        } while (!job.compare_exchange_weak(seen, worker ? seen + FIRST : seen - 1));
        call(work, worker ? first(seen) : last(seen) - 1, worker);
        if (unfinished.fetch_sub(1) == 1 && caller_asleep.load()) {
            std::lock_guard<std::mutex> lock(sleeping);
            finished.notify_one();
        }
        return true;
    }

    // Spins until `ready` or for so many microseconds. The next job of a training step often comes
    // within that time, and waking a sleeping thread takes as long. Longer is worse on a busy
    // machine: a thread that has spun its time away has none left when its part comes.
    template <class Ready> static bool spin(int microseconds, Ready ready) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
        do {
            for (int k = 0; k < 64; k++) {
                if (ready()) return true;
#if defined(__x86_64__)
                _mm_pause();
#elif defined(__aarch64__)
                __asm__ volatile("yield");
#endif
            }
        } while (std::chrono::steady_clock::now() < end);
        return false;
    }

    void help(int worker) {
        const auto ready = [&] { return has_part(job.load(), worker); };
        for (;;) {
            while (do_part(worker)) {}
            if (spin(100, ready)) continue;
            std::unique_lock<std::mutex> lock(sleeping);
            asleep++;
            wake.wait(lock, ready);
            asleep--;
        }
    }

    // One pool for all compiled modules of the process, not one for each, where helpers would fight
    // for the processors: GCC makes a visible inline function's variable unique among libraries.
    __attribute__((visibility("default"))) static ThreadPool *&current() {
        static ThreadPool *pool = nullptr;  // never destroyed: helpers may outlive main()
        return pool;
    }
    // A child process has none of its parent's helpers.
    static void forget() { current() = nullptr; }

public:
    static ThreadPool &get() {
        static const int forgets = pthread_atfork(nullptr, nullptr, forget);
        (void)forgets;
        if (!current()) current() = new ThreadPool;
        return *current();
    }

    void run(int parts, int threads, Call c, void *w) {
        std::unique_lock<std::mutex> lock(calling, std::try_to_lock);
        if (!lock.owns_lock() || (uint64_t)parts > MASK) {  // another thread uses the pool, or too many parts to count
            for (int k = 0; k < parts; k++) c(w, k, 0);
            return;
        }
        try {
            for (; helpers < threads - 1; helpers++) std::thread(&ThreadPool::help, this, helpers + 1).detach();
        } catch (const std::system_error &) {
            // The system gives no more threads: the existing ones do the work.
        }
        call = c;
        work = w;
        workers = threads;
        unfinished = parts;
        job = (job.load() & ~(NUMBER - 1)) + NUMBER + (uint64_t)parts;
        if (asleep.load()) {
            {
                std::lock_guard<std::mutex> hold(sleeping);
            }
            wake.notify_all();
        }
        while (do_part(0)) {}
        if (spin(50, [&] { return unfinished.load() == 0; })) return;
        std::unique_lock<std::mutex> hold(sleeping);
        caller_asleep = true;
        finished.wait(hold, [&] { return unfinished.load() == 0; });
        caller_asleep = false;
    }
};

// Calls work(part, worker) for part = 0 .. parts - 1, each once, on up to `threads` threads. Which worker
// (0 .. threads - 1, each one thread) does a part is up to chance, but the parts are fixed: results repeat
// bit for bit. More parts than threads balance threads that start late or are interrupted.
template <class Work> void for_parts(int parts, int threads, Work work) {
    if (threads < 2 || parts < 2) {
        for (int k = 0; k < parts; k++) work(k, 0);
        return;
    }
    ThreadPool::get().run(parts, threads, [](void *w, int part, int worker) { (*(Work *)w)(part, worker); }, &work);
}

// Calls work(part, worker, first, last) with 0 .. count - 1 cut into `parts` contiguous ranges.
template <class Work> void for_ranges(int count, int parts, int threads, Work work) {
    for_parts(parts, threads, [&](int p, int worker) {
        work(p, worker, (int)((long)count * p / parts), (int)((long)count * (p + 1) / parts));
    });
}

// Calls work(block, first, last) for each block of `block` rows, the last one of what is left, in up to `parts` parts.
template <class Work> void for_blocks(ptrdiff_t rows, int block, ptrdiff_t parts, Work work) {
    const int blocks = (int)((rows + block - 1) / block);
    for_ranges(blocks, (int)std::min<ptrdiff_t>(blocks, parts), threads(), [&](int, int, int first, int last) {
        for (int b = first; b < last; b++) work(b, (ptrdiff_t)b * block, std::min(rows, (ptrdiff_t)(b + 1) * block));
    });
}

}  // namespace parallel
