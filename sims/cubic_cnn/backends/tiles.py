r"""The innermost parts of the compiled loops: tiles of matrix products, and the meeting of threads.

A trajectory is dominated by products of a thin matrix (the R = A m rows of a seed's optimizers and neurons) with a
matrix that never changes (K, or the patches). In `outer_tile` and `dot_tile` a tile of the result stays in vector
registers while the common index runs. They are written as vector instructions, since a compiler does not find them in
scalar loops.

Numba's cache on disk looks at the file of a function alone. A file that compiles these into its own code therefore
names in ``BUILT_ON`` what it was built on, and a test holds that to the texts: whoever edits this file touches those.
"""

from __future__ import annotations

__all__ = ["ROWS", "VECTOR", "barrier", "dot_tile", "narrow_tile", "outer_tile"]

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lemmascope.sims.cubic_cnn.backends.machine_code import njit

ROWS = 5  # rows of a tile: of B or W
WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
VECTOR = 64 if WIDE else 32
"""Bytes in a vector register; the columns of arrays are padded to a multiple of two of them."""
SPINS = 4000  # looks at a barrier before the processor is offered to others


def _pointer(builder: Any, data: Any, offset: Any, kind: Any) -> Any:
    i64 = ir.IntType(64)
    return builder.inttoptr(builder.add(builder.ptrtoint(data, i64), offset), kind.as_pointer())


def _splat(builder: Any, scalar: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _lanes(kind: Any) -> int:
    return VECTOR * 8 // kind.bitwidth


def _prefetch(builder: Any, pointer: Any) -> None:
    """Bring a line towards the second-level cache; the address need not be ours."""
    i32, i8p = ir.IntType(32), ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [i8p, i32, i32, i32])
    hint = builder.module.declare_intrinsic("llvm.prefetch.p0", fnty=kind)
    builder.call(hint, [builder.bitcast(pointer, i8p), i32(0), i32(2), i32(1)])


def _outer(A: Any, M: Any, out: Any, vectors: int) -> Any:
    """Signature and code of a tile of so many vectors."""
    integers = [types.intp] * 2
    sig = types.void(A, types.intp, M, *integers, out, *integers, types.boolean, *integers)
    lanes = _lanes(A.dtype)

    def codegen(context, builder, sig, args):
        i64, scalar = ir.IntType(64), context.get_data_type(sig.args[0].dtype)
        vector, size = ir.VectorType(scalar, lanes), context.get_abi_sizeof(scalar)
        a, m, o = (context.make_array(sig.args[k])(context, builder, args[k]) for k in (0, 2, 5))
        _, row, _, start, step, _, col, n, adding, next_, pace = args
        bytes_ = lambda x: builder.mul(x, ir.Constant(i64, size))  # noqa: E731
        acc = [[cgutils.alloca_once(builder, vector) for _ in range(vectors)] for _ in range(ROWS)]

        def place(i: int, v: int) -> Any:
            at = builder.mul(builder.add(row, ir.Constant(i64, i)), builder.extract_value(o.strides, 0))
            at = builder.add(at, builder.add(bytes_(col), ir.Constant(i64, v * lanes * size)))
            return _pointer(builder, o.data, at, vector)

        with builder.if_else(adding) as (old, new):
            with old:
                for i in range(ROWS):
                    for v in range(vectors):
                        builder.store(builder.load(place(i, v), align=size), acc[i][v])
            with new:
                for i in range(ROWS):
                    for v in range(vectors):
                        builder.store(ir.Constant(vector, [0.0] * lanes), acc[i][v])
        with cgutils.for_range(builder, n, intp=i64) as loop:
            base = bytes_(builder.add(start, builder.mul(loop.index, step)))
            later = bytes_(builder.add(next_, builder.mul(loop.index, pace)))
            _prefetch(builder, _pointer(builder, m.data, later, scalar))
            wide = [
                builder.load(
                    _pointer(builder, m.data, builder.add(base, ir.Constant(i64, v * lanes * size)), vector), align=size
                )
                for v in range(vectors)
            ]
            for i in range(ROWS):
                at = builder.mul(builder.add(row, ir.Constant(i64, i)), builder.extract_value(a.strides, 0))
                one = builder.load(_pointer(builder, a.data, builder.add(at, bytes_(loop.index)), scalar))
                same = _splat(builder, one, vector)
                for v in range(vectors):
                    builder.store(_fma(builder, same, wide[v], builder.load(acc[i][v])), acc[i][v])
        for i in range(ROWS):
            for v in range(vectors):
                builder.store(builder.load(acc[i][v]), place(i, v), align=size)
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def outer_tile(typingctx, A, r, M, first, stride, out, column, count, add, ahead, pace):
    """out[r:r+5, column:column+2 lanes] (+)= Σ_{l < count} A[r:r+5, l] ⊗ M.flat[first + l stride : … + 2 lanes].

    Meanwhile M.flat[ahead + l pace] is brought closer, as the rest of the work will want it next.
    """
    return _outer(A, M, out, 2)


@intrinsic
def narrow_tile(typingctx, A, r, M, first, stride, out, column, count, add, ahead, pace):
    """As `outer_tile`, one vector wide: for the last columns, where the second would be padding."""
    return _outer(A, M, out, 1)


@intrinsic
def dot_tile(typingctx, A, r, M, k, out, column, first, count, add):
    """out[r:r+5, column:column+4] (+)= A[r:r+5, l] M[k:k+4, l]ᵀ over l in [first, first + count), whole vectors."""
    integers = [types.intp] * 3
    sig = types.void(A, types.intp, M, types.intp, out, *integers, types.boolean)
    columns, lanes = 4, _lanes(A.dtype)

    def codegen(context, builder, sig, args):
        i64, i32, scalar = ir.IntType(64), ir.IntType(32), context.get_data_type(sig.args[0].dtype)
        vector, size = ir.VectorType(scalar, lanes), context.get_abi_sizeof(scalar)
        a, m, o = (context.make_array(sig.args[j])(context, builder, args[j]) for j in (0, 2, 4))
        _, row, _, line, _, col, begin, n, adding = args
        acc = [[cgutils.alloca_once(builder, vector) for _ in range(columns)] for _ in range(ROWS)]
        for tiles in acc:
            for tile in tiles:
                builder.store(ir.Constant(vector, [0.0] * lanes), tile)

        def at(array: Any, index: Any, i: int, more: Any) -> Any:
            start = builder.mul(builder.add(index, ir.Constant(i64, i)), builder.extract_value(array.strides, 0))
            return builder.add(start, builder.mul(more, ir.Constant(i64, size)))

        with cgutils.for_range(builder, builder.udiv(n, ir.Constant(i64, lanes)), intp=i64) as loop:
            l_ = builder.add(begin, builder.mul(loop.index, ir.Constant(i64, lanes)))
            right = [
                builder.load(_pointer(builder, m.data, at(m, line, j, l_), vector), align=size) for j in range(columns)
            ]
            for i in range(ROWS):
                left = builder.load(_pointer(builder, a.data, at(a, row, i, l_), vector), align=size)
                for j in range(columns):
                    builder.store(_fma(builder, left, right[j], builder.load(acc[i][j])), acc[i][j])
        for i in range(ROWS):
            for j in range(columns):
                sums = builder.load(acc[i][j])
                while sums.type.count > 1:  # halves onto each other, in a fixed order
                    half = sums.type.count // 2
                    nothing = ir.Constant(sums.type, ir.Undefined)
                    low, high = (
                        builder.shuffle_vector(
                            sums, nothing, ir.Constant(ir.VectorType(i32, half), list(range(e, e + half)))
                        )
                        for e in (0, half)
                    )
                    sums = builder.fadd(low, high)
                whole = builder.extract_element(sums, i32(0))
                where = _pointer(builder, o.data, builder.add(at(o, row, i, col), ir.Constant(i64, j * size)), scalar)
                before = builder.select(adding, builder.load(where), ir.Constant(scalar, 0.0))
                builder.store(builder.fadd(before, whole), where)
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def atomic_add(typingctx, counters, k, value):
    """Add to counters[k] and return what was there; no access moves across it."""
    sig = types.int64(counters, types.intp, types.int64)

    def codegen(context, builder, sig, args):
        array = context.make_array(sig.args[0])(context, builder, args[0])
        offset = builder.mul(args[1], ir.Constant(ir.IntType(64), 8))
        return builder.atomic_rmw("add", _pointer(builder, array.data, offset, ir.IntType(64)), args[2], "seq_cst")

    return sig, codegen


_yield = types.ExternalFunction("sched_yield", types.int32())
_HAS_YIELD = binding.address_of_symbol("sched_yield") is not None


@njit(nogil=True, cache=True)
def barrier(sync: np.ndarray, team: int) -> None:
    """Wait until all of the team are here. Counters at sync[0] (arrived) and sync[8] (passes)."""
    if team == 1:
        return
    passes = atomic_add(sync, 8, 0)
    if atomic_add(sync, 0, 1) == team - 1:
        atomic_add(sync, 0, -team)
        atomic_add(sync, 8, 1)
        return
    looks = 0
    while atomic_add(sync, 8, 0) == passes:
        looks += 1
        if _HAS_YIELD and looks > SPINS:
            _yield()
