// The CUDA that trajectory.cu uses, on one processor thread: threads of a block are fibers that run until they meet.
//
// Between two meetings the fibers run in a chosen order: forwards, backwards, or shuffled anew each time. A kernel that
// lacks a meeting reads what another fiber has, or has not, written yet, and its results depend on the order. A meeting that
// some threads never reach is an error.

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#define EMULATED
#define __global__
#define __device__
#define __launch_bounds__(n)
#define SHARED_MEMORY(name) double* name = emulated::shared

using std::exp; using std::fabs; using std::isfinite; using std::isnan; using std::log1p; using std::nan;

struct Index { int x; };
static Index threadIdx, blockIdx, blockDim;

namespace emulated {

enum State { READY, AT_BLOCK, AT_WARP, DONE };
struct Fiber { ucontext_t context; std::vector<char> stack; State state = READY; };

static double* shared;
static ucontext_t scheduler;
static std::vector<Fiber> fibers;
static int current;
static void (*body)();
static double lane_a[1024], lane_b[1024];

inline void wait(State state) {
    Fiber& mine = fibers[current];
    mine.state = state;
    swapcontext(&mine.context, &scheduler);
    threadIdx.x = current;
}

inline void enter() {
    body();
    fibers[current].state = DONE;
    swapcontext(&fibers[current].context, &scheduler);
}

// 0, or 1 for a meeting that not all threads reach.
inline int run_block(int threads, int order, std::mt19937& random) {
    fibers = std::vector<Fiber>(threads);
    for (Fiber& fiber : fibers) {
        fiber.stack.resize(1 << 16);
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, enter, 0);
    }
    std::vector<int> turn(threads);
    for (int i = 0; i < threads; ++i) turn[i] = order == 1 ? threads - 1 - i : i;
    for (;;) {
        if (order == 2) std::shuffle(turn.begin(), turn.end(), random);
        bool ran = false;
        for (int i : turn)
            if (fibers[i].state == READY) {
                ran = true;
                current = threadIdx.x = i;
                swapcontext(&scheduler, &fibers[i].context);
            }
        if (ran) continue;
        bool all_done = true, all_there = true, released = false;
        for (Fiber& fiber : fibers) {
            all_done = all_done && fiber.state == DONE;
            all_there = all_there && fiber.state == AT_BLOCK;
        }
        if (all_done) return 0;
        for (int warp = 0; warp < threads; warp += 32) {
            bool together = true;
            for (int i = warp; i < warp + 32; ++i) together = together && fibers[i].state == AT_WARP;
            if (together || all_there) {
                released = true;
                for (int i = warp; i < warp + 32; ++i) fibers[i].state = READY;
            }
        }
        if (!released) return 1;
    }
}

}  // namespace emulated

inline void __syncthreads() { emulated::wait(emulated::AT_BLOCK); }
inline void __syncwarp() { emulated::wait(emulated::AT_WARP); }

inline void multiply_tile(double& c_0, double& c_1, double a, double b) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x - lane;
    emulated::lane_a[threadIdx.x] = a;
    emulated::lane_b[threadIdx.x] = b;
    __syncwarp();
    for (int l = 0; l < 4; ++l) {
        const double left = emulated::lane_a[warp + lane / 4 * 4 + l];
        c_0 += left * emulated::lane_b[warp + lane % 4 * 2 * 4 + l];
        c_1 += left * emulated::lane_b[warp + (lane % 4 * 2 + 1) * 4 + l];
    }
    __syncwarp();
}
