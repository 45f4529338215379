// A whole training run in coefficient space on the device: one block of threads carries one seed with a group of its
// optimizers from one iteration to another, and nothing returns to the host in between.
//
// The mathematics is that of theory/cubic_cnn/coefficients.py. With n patches, m neurons, N samples of Q = n / N patches,
// and G optimizers in the group (R = G m rows), an iteration is
//
//     1  product     Xi = B K                                      threads: tiles of Xi
//     2  columns     Xi += a Xi_0;  cubes = sum over neurons Xi^3    threads: (optimizer, column)
//     3  samples     margins, logistic weights, pull               threads: (optimizer, sample)
//     4  sums        over the samples                              a warp: an optimizer
//     5  step        gradient, recorded states, u and theta        threads: (row, column)
//
// with a meeting of the block after each. Sums are formed in an order that depends on the sizes alone, so a run has the
// same bits whatever the number of blocks, seeds or calls.
//
// What lives where. Every array has a place in global memory. The host also gives each an offset in the block's shared
// memory (227 KB on sm_90, 163 KB on sm_80), or -1 if there is no room: first B (read by all threads at the same time),
// Xi and what belongs to samples, then K (float32: 200 patches need 160 KB), then the buffer u. An array without a place is read
// through the caches: the second-level cache of an H200 (50 MB) holds the Gram matrices of 39 seeds of 400 patches.
//
// All arguments come in one table of 64-bit integers: sizes, addresses, offsets; see Slot. sims/backends/cuda.py fills it
// by the same names.

#ifndef EMULATED
#define SHARED_MEMORY(name) extern __shared__ double name[]

// c += a b for an 8 x 8 tile with 4 inner indices, by the whole warp: lane i holds a[i / 4][i % 4], b[i % 4][i / 4], and
// c[i / 4][2 (i % 4) + {0, 1}] (PTX: mma.m8n8k4 with .f64). As fast on Hopper as single precision outside tensor cores.
__device__ inline void multiply_tile(double& c_0, double& c_1, double a, double b) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
                 : "+d"(c_0), "+d"(c_1) : "d"(a), "d"(b));
#endif
}
#endif

enum Slot {
    SEEDS, OPTIMIZERS, NEURONS, SAMPLES, PATCHES, GROUP, START, STOP, LAST, RECORDED, CHANGING, TRACED, HAS_FEATURE,
    OF_THE_LAW, HAS_OVERLAP, TENSOR, NUMBERS, RATES, RECORD, Y, CUBED, SMALL, XI_0, C_0, OVERLAP, TAIL, TAIL_U, THETA_OUT,
    GRAD_OUT, TRACE, T_0, T_1, DEAD_AT, DEAD_OF, SCRATCH_OFFSET,
    // Arrays that may have a place in shared memory: address, then offset in bytes or -1.
    B, B_OFFSET, XI, XI_OFFSET, PULL, PULL_OFFSET, MARGINS, MARGINS_OFFSET, MEMORIZATION, MEMORIZATION_OFFSET, ELL,
    ELL_OFFSET, SOFT, SOFT_OFFSET, CUBES, CUBES_OFFSET, PEAKS, PEAKS_OFFSET, C, C_OFFSET, K, K_OFFSET, U, U_OFFSET
};

typedef long long integer;

const int WARP = 32;
const int TILE_ROWS = 5, TILE_COLUMNS = 4;  // of the tiles without tensor cores

template <typename T>
__device__ T* address(const integer* table, int slot) {
    return reinterpret_cast<T*>(table[slot]);
}

// Where the block keeps an array: its offset in shared memory if it has one, else its part of global memory.
template <typename real>
__device__ real* place(const integer* table, int slot, integer start, double* shared) {
    const integer offset = table[slot + 1];
    if (offset >= 0) return reinterpret_cast<real*>(reinterpret_cast<char*>(shared) + offset);
    return address<real>(table, slot) + start;
}

// To shared memory at the beginning of a call, or back at its end; nothing for an array that has no place there.
template <typename real>
__device__ void carry(const integer* table, int slot, integer start, integer count, double* shared, bool back) {
    if (table[slot + 1] < 0) return;
    real* there = address<real>(table, slot) + start;
    real* here = place<real>(table, slot, start, shared);
    for (integer i = threadIdx.x; i < count; i += blockDim.x) {
        if (back) there[i] = here[i];
        else here[i] = there[i];
    }
}

// Sum over the lanes of a warp, always in the order of the lanes; every lane gets it.
__device__ double warp_sum(double value, double* scratch) {
    const int lane = threadIdx.x % WARP;
    scratch[lane] = value;
    __syncwarp();
    double total = 0;
    for (int i = 0; i < WARP; ++i) total += scratch[i];
    __syncwarp();
    return total;
}

__device__ double warp_max(double value, double* scratch) {
    const int lane = threadIdx.x % WARP;
    scratch[lane] = value;
    __syncwarp();
    double top = scratch[0];
    for (int i = 1; i < WARP; ++i) top = scratch[i] > top ? scratch[i] : top;
    __syncwarp();
    return top;
}

// Xi = B K in registers, TILE_ROWS x TILE_COLUMNS a thread: nine numbers are read for twenty multiplications.
template <typename real>
__device__ void product(const real* rows, const real* gram, real* out, int R, int n) {
    const int across = (n + TILE_COLUMNS - 1) / TILE_COLUMNS, down = (R + TILE_ROWS - 1) / TILE_ROWS;
    for (int tile = threadIdx.x; tile < across * down; tile += blockDim.x) {
        const int column = tile % across * TILE_COLUMNS, row = tile / across * TILE_ROWS;
        real sums[TILE_ROWS][TILE_COLUMNS] = {};
        if (column + TILE_COLUMNS <= n && row + TILE_ROWS <= R) {
            for (int l = 0; l < n; ++l) {
                real k[TILE_COLUMNS];
#pragma unroll
                for (int j = 0; j < TILE_COLUMNS; ++j) k[j] = gram[l * n + column + j];
#pragma unroll
                for (int i = 0; i < TILE_ROWS; ++i) {
                    const real b = rows[(row + i) * n + l];
#pragma unroll
                    for (int j = 0; j < TILE_COLUMNS; ++j) sums[i][j] += b * k[j];
                }
            }
#pragma unroll
            for (int i = 0; i < TILE_ROWS; ++i)
#pragma unroll
                for (int j = 0; j < TILE_COLUMNS; ++j) out[(row + i) * n + column + j] = sums[i][j];
        } else {
            for (int i = row; i < row + TILE_ROWS && i < R; ++i)
                for (int j = column; j < column + TILE_COLUMNS && j < n; ++j) {
                    real sum = 0;
                    for (int l = 0; l < n; ++l) sum += rows[i * n + l] * gram[l * n + j];
                    out[i * n + j] = sum;
                }
        }
    }
}

// The same by tensor cores, double precision: a warp takes 8 rows and 32 columns at a time.
__device__ void tensor_product(const double* rows, const double* gram, double* out, int R, int n) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const int across = (n + 31) / 32, down = (R + 7) / 8;
    const int quarter = lane % 4, eighth = lane / 4;
    for (int tile = warp; tile < across * down; tile += warps) {
        const int row = tile / across * 8 + eighth, column = tile % across * 32;
        double sums[4][2] = {};
        for (int l = 0; l < n; l += 4) {
            const bool inside = l + quarter < n;
            const double a = inside && row < R ? rows[row * n + l + quarter] : 0.0;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const int k = column + 8 * j + eighth;
                const double b = inside && k < n ? gram[(l + quarter) * n + k] : 0.0;
                multiply_tile(sums[j][0], sums[j][1], a, b);
            }
        }
        if (row < R) {
#pragma unroll
            for (int j = 0; j < 4; ++j)
                for (int half = 0; half < 2; ++half) {
                    const int k = column + 8 * j + 2 * quarter + half;
                    if (k < n) out[row * n + k] = sums[j][half];
                }
        }
    }
}

__device__ inline void tensor_or_not(const double* rows, const double* gram, double* out, int R, int n, bool tensor) {
    if (tensor) tensor_product(rows, gram, out, R, n);
    else product(rows, gram, out, R, n);
}

__device__ inline void tensor_or_not(const float* rows, const float* gram, float* out, int R, int n, bool) {
    product(rows, gram, out, R, n);
}

template <typename real>
__device__ void trajectory(const integer* table) {
    SHARED_MEMORY(shared);
    // Indices within a block are 32-bit (the host sees to it); those into the arrays of all blocks are 64-bit.
    const int A = table[OPTIMIZERS], m = table[NEURONS], N = table[SAMPLES], n = table[PATCHES], Q = n / N;
    const int group = table[GROUP], groups = (A + group - 1) / group;
    const integer s = blockIdx.x / groups;
    const int first = blockIdx.x % groups * group, G = first + group < A ? group : A - first, R = G * m;
    const integer one = s * A + first;  // the first of the block's members (seed, optimizer)
    const int width = n + 2;
    const integer steps = table[STOP] - table[START], all = table[SEEDS] * A;
    const bool has_feature = table[HAS_FEATURE], of_the_law = table[OF_THE_LAW] && has_feature, traced = table[TRACED];

    const double* numbers = address<double>(table, NUMBERS);  // lambda, gradient factor, thresholds of T_0 and T_1
    const real decay = static_cast<real>(numbers[0] * numbers[1]);
    const double scale = numbers[1] * (-3.0 / static_cast<double>(N));
    const real* y = address<real>(table, Y) + s * N;
    const real* cubed = address<real>(table, CUBED) + s * N;
    const unsigned char* small = address<unsigned char>(table, SMALL) + s * N;
    const real* begin = address<real>(table, XI_0) + s * m * n;
    const real* c_0 = address<real>(table, C_0) + s * m;
    const real* overlap = address<real>(table, OVERLAP) + s * n;
    real* tail = address<real>(table, TAIL) + one * m * 2;
    real* tail_u = address<real>(table, TAIL_U) + one * m * 2;
    const integer* record = address<integer>(table, RECORD);
    double* T_0_out = address<double>(table, T_0) + one;
    double* T_1_out = address<double>(table, T_1) + one;
    integer* dead_at = address<integer>(table, DEAD_AT) + one;
    integer* dead_of = address<integer>(table, DEAD_OF) + one;

    real* theta = place<real>(table, B, one * m * n, shared);
    real* xi = place<real>(table, XI, one * m * n, shared);
    real* u = place<real>(table, U, one * m * n, shared);
    const real* gram = place<real>(table, K, s * n * n, shared);
    real* pull = place<real>(table, PULL, one * N, shared);
    real* margins = place<real>(table, MARGINS, one * N, shared);
    real* memorization = place<real>(table, MEMORIZATION, one * N, shared);
    real* ell = place<real>(table, ELL, one * N, shared);
    real* soft = place<real>(table, SOFT, one * N, shared);
    real* cubes = place<real>(table, CUBES, one * n, shared);
    real* peaks = place<real>(table, PEAKS, one * n, shared);
    real* c = place<real>(table, C, one * m, shared);
    // Of each warp 32 numbers to sum; then of each optimizer: whether it has just diverged, and its signal pull.
    double* scratch = reinterpret_cast<double*>(reinterpret_cast<char*>(shared) + table[SCRATCH_OFFSET]);
    double* fresh = scratch + blockDim.x;
    double* signal = fresh + group;

    carry<real>(table, B, one * m * n, R * n, shared, false);
    carry<real>(table, U, one * m * n, R * n, shared, false);
    carry<real>(table, K, s * n * n, n * n, shared, false);
    __syncthreads();

    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    int kept = 0;
    for (integer t = table[START]; t < table[STOP]; ++t) {
        // 1 product
        tensor_or_not(theta, gram, xi, R, n, table[TENSOR] != 0);
        for (int row = threadIdx.x; row < R; row += blockDim.x) {
            real value = 0;
            if (has_feature) {
                value = tail[2 * row + 1] * c_0[row % m] + tail[2 * row];
                if (table[HAS_OVERLAP])
                    for (int k = 0; k < n; ++k) value += theta[row * n + k] * overlap[k];
            }
            c[row] = value;
        }
        __syncthreads();

        // 2 columns
        for (int i = threadIdx.x; i < G * n; i += blockDim.x) {
            const int a = i / n, k = i % n;
            real sum = 0, peak = 0;
            for (int r = 0; r < m; ++r) {
                const int row = a * m + r;
                const real x = xi[row * n + k] + tail[2 * row + 1] * begin[r * n + k];
                xi[row * n + k] = x;
                sum += x * x * x;
                peak = fabs(x) > peak ? fabs(x) : peak;
            }
            cubes[i] = sum;
            peaks[i] = peak;
        }
        __syncthreads();

        // 3 samples
        for (int i = threadIdx.x; i < G * N; i += blockDim.x) {
            const int a = i / N, sample = i % N;
            real total = 0;
            for (int j = 0; j < Q; ++j) total += cubes[a * n + sample * Q + j];
            const real memorized = y[sample] * total;
            real margin = memorized;
            if (of_the_law) {
                real feature = 0;
                for (int r = 0; r < m; ++r) feature += c[a * m + r] * c[a * m + r] * c[a * m + r];
                margin += cubed[sample] * feature;
            }
            const real e = exp(-fabs(margin));
            const real weight = (margin > 0 ? e : static_cast<real>(1)) / (1 + e);
            memorization[i] = memorized;
            margins[i] = margin;
            ell[i] = weight;
            soft[i] = log1p(e) + (margin < 0 ? -margin : static_cast<real>(0));
            pull[i] = static_cast<real>(scale) * y[sample] * weight;
        }
        __syncthreads();

        // 4 sums, and what is watched
        for (int a = warp; a < G; a += warps) {
            double* room = scratch + warp * WARP;
            double margin = 0, feature = 0, loss = 0, large = 0, little = 0, short_of = 0, peak = 0, count = 0;
            for (int i = lane; i < N; i += WARP) {
                const int at = a * N + i;
                margin += margins[at];
                feature += cubed[i] * ell[at];
                loss += soft[at];
                (small[i] ? little : large) += ell[at];
                count += small[i];
                short_of += small[i] && !(memorization[at] >= numbers[3]);
            }
            for (int k = lane; k < n; k += WARP) peak = peaks[a * n + k] > peak ? peaks[a * n + k] : peak;
            margin = warp_sum(margin, room);
            feature = warp_sum(feature, room);
            count = warp_sum(count, room);
            short_of = warp_sum(short_of, room);
            if (traced) {
                loss = warp_sum(loss, room);
                large = warp_sum(large, room);
                little = warp_sum(little, room);
                peak = warp_max(peak, room);
            }
            if (lane == 0) {
                const bool finite = isfinite(margin);
                fresh[a] = !finite;
                signal[a] = scale * feature;
                double top = c[a * m];
                for (int r = 1; r < m; ++r) top = c[a * m + r] > top ? c[a * m + r] : top;
                if (!finite) {
                    bool good = true, good_c = true;
                    for (int i = 0; i < m * n; ++i) good = good && isfinite(xi[a * m * n + i]);
                    for (int r = 0; r < m; ++r) good_c = good_c && isfinite(c[a * m + r]);
                    dead_at[a] = t;
                    dead_of[a] = !good_c && has_feature ? 1 : good ? 3 : 2;
                }
                if (dead_at[a] < 0) {
                    if (has_feature && isnan(T_0_out[a]))
                        for (int r = 0; r < m; ++r)
                            if (c[a * m + r] >= numbers[2]) T_0_out[a] = static_cast<double>(t);
                    if (isnan(T_1_out[a]) && count > 0 && short_of == 0) T_1_out[a] = static_cast<double>(t);
                }
                if (traced) {
                    real* line = address<real>(table, TRACE) + ((one + a) * steps + t - table[START]) * 5;
                    const bool dead = dead_at[a] >= 0;
                    const double none = nan("");
                    line[0] = static_cast<real>(dead ? none : loss / N);
                    line[1] = static_cast<real>(dead ? none : large / N);
                    line[2] = static_cast<real>(dead ? none : little / N);
                    line[3] = static_cast<real>(dead || !has_feature ? none : top);
                    line[4] = static_cast<real>(dead ? none : peak);
                }
            }
        }
        __syncthreads();

        // 5 step
        const bool keep = kept < table[RECORDED] && record[kept] == t;
        real* theta_out = address<real>(table, THETA_OUT) + (kept * all + one) * m * width;
        real* grad_out = address<real>(table, GRAD_OUT) + (kept * all + one) * m * width;
        const double* rates = address<double>(table, RATES) + (table[CHANGING] ? (t - table[START]) * A * 4 : 0) + first * 4;
        for (int i = threadIdx.x; i < R * width; i += blockDim.x) {
            const int row = i / width, k = i % width, a = row / m;
            real* state = k < n ? theta + row * n + k : tail + 2 * row + (k - n);
            real* buffer = k < n ? u + row * n + k : tail_u + 2 * row + (k - n);
            if (fresh[a] != 0) {
                *state = 0;
                *buffer = 0;
            }
            real g = decay * *state;
            if (fresh[a] == 0) {
                if (k < n) {
                    const real x = xi[row * n + k];
                    g += pull[a * N + k / Q] * x * x;
                } else if (k == n && of_the_law) {
                    g += static_cast<real>(signal[a]) * c[row] * c[row];
                }
            }
            if (keep) {
                theta_out[row * width + k] = *state;
                grad_out[row * width + k] = g;
            }
            if (t < table[LAST]) {
                const real gamma = rates[4 * a], kappa = rates[4 * a + 1], p = rates[4 * a + 2], q = rates[4 * a + 3];
                const real next = gamma * *buffer + kappa * g;
                *buffer = next;
                *state -= p * next + q * g;
            }
        }
        kept += keep;
        __syncthreads();
    }
    carry<real>(table, B, one * m * n, R * n, shared, true);
    carry<real>(table, U, one * m * n, R * n, shared, true);
}

extern "C" __global__ void __launch_bounds__(512) trajectory_float64(const integer* table) { trajectory<double>(table); }
extern "C" __global__ void __launch_bounds__(512) trajectory_float32(const integer* table) { trajectory<float>(table); }
