r"""The one inner loop of the compiled networks: a tile of a product, in vector registers.

Forward, backward and gradient of a convolution are all sums of a number times a vector of neighbouring channels. With
everything in one flat array, and R × S results of V vectors each,

    result[r, s] = first[r, s] + more[r, s] + Σ_{i < outer} Σ_{j < inner} a[i, j, r, s] · w[i, j],

where a names numbers, and w, first and more vectors; it is kept where mask[r, s] > 0, or with ``relu`` where it is
itself positive, and is 0 elsewhere. The sums stay in registers. They are written as vector instructions, as a compiler
does not find them in scalar loops; and where they read a is hidden from it, as it would keep a pointer for each result
in memory, where one pointer and fixed distances do (twice as fast).

Nothing here looks whether an offset lies within the array. Numba's cache on disk looks at the file of a function
alone: a file that compiles these into its own code names in ``BUILT_ON`` what it was built on, and a test holds that
to this text.
"""

from __future__ import annotations

__all__ = ["SHAPES", "VECTOR", "tile"]

from itertools import product
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR = 32
"""Bytes of a vector: eight numbers of single precision, four of double. Longer ones would be half zeros: the narrowest
layers have eight channels."""

DOUBLE = ((3, 2, 2), (1, 4, 2), (2, 2, 2))
SINGLE = ((3, 4, 1), (1, 8, 1), (2, 4, 1), (2, 2, 1), (3, 3, 1))
ALONE = ((1, 1, 4), (1, 1, 2), (1, 1, 1))
SHAPES = DOUBLE + SINGLE + ALONE
"""R, S and V of the tiles. Eight to twelve sums at once hide how long an addition takes."""

CODE, DOWN, ALONG, ACROSS, STEP, OUTER, INNER, RELU = range(8)
"""What the row of a product begins with: the tile by its number in `SHAPES`; how many of them there are down, along and
across, and the numbers from one to the next across; outer, inner and relu."""

OVER = 8
"""Then four strides: of a by i and j, of w by i and j;"""

SPOTS = 12
"""of a, w, first, more, mask and out the offset, and the strides by tiles down and along;"""

WITHIN = 30
"""of first, more, mask and out the strides by r and s;"""

NUMBERS = 38
"""and how far a[0, 0, r, s] is from a[0, 0, 0, 0], for up to twelve."""

LENGTH = 50


def _intrinsic(rows: int, columns: int, vectors: int) -> Any:
    """A tile; called with the array, a row of a product, and the offsets of a, w, first, more, mask and out."""

    def code(typingctx, m, job, a, w, first, more, mask, out):
        return types.void(m, job, *[types.intp] * 6), generate

    def generate(context, builder, sig, args):
        builder.function.attributes.add("noinline")  # once, and not in each of its callers: compiling takes seconds
        kind = context.get_data_type(sig.args[0].dtype)
        size = context.get_abi_sizeof(kind)
        lanes = VECTOR // size
        vector, i32, i64 = ir.VectorType(kind, lanes), ir.IntType(32), ir.IntType(64)
        data, job = (context.make_array(sig.args[k])(context, builder, args[k]).data for k in (0, 1))
        a, w, first, more, mask, out = args[2:]
        every = list(product(range(rows), range(columns), range(vectors)))

        def whole(number: int) -> Any:
            return ir.Constant(i64, number)

        def told(k: int) -> Any:
            return builder.load(builder.gep(job, [whole(k)]))

        def place(pointer: Any, v: int) -> Any:
            return builder.bitcast(builder.gep(pointer, [whole(v * lanes)]), vector.as_pointer())

        def placed(base: Any, which: int, r: int, s: int, v: int) -> Any:
            down, along = (builder.mul(whole(n), told(WITHIN + 2 * which + k)) for k, n in enumerate((r, s)))
            return place(builder.gep(data, [builder.add(base, builder.add(down, along))]), v)

        def load(where: Any) -> Any:
            return builder.load(where, align=size)

        def hidden(pointer: Any) -> Any:
            kind = ir.FunctionType(pointer.type, [pointer.type])
            return builder.call(ir.InlineAsm(kind, "", "=r,0"), [pointer])

        def spread(number: Any) -> Any:
            nothing, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(i32, lanes), [0] * lanes)
            return builder.shuffle_vector(builder.insert_element(nothing, number, i32(0)), nothing, zeros)

        away = [told(NUMBERS + k) for k in range(rows * columns)]
        steps = [told(OVER + k) for k in range(4)]
        sums = {one: cgutils.alloca_once(builder, vector) for one in every}
        for one, total in sums.items():
            builder.store(builder.fadd(load(placed(first, 0, *one)), load(placed(more, 1, *one))), total)
        pointers = [cgutils.alloca_once(builder, data.type) for _ in range(2)]
        with cgutils.for_range(builder, told(OUTER), intp=i64) as loop:
            for base, pointer, step in zip((a, w), pointers, steps[::2], strict=True):
                builder.store(builder.gep(data, [builder.add(base, builder.mul(loop.index, step))]), pointer)
            with cgutils.for_range(builder, told(INNER), intp=i64):
                numbers, wide = (hidden(builder.load(pointer)) for pointer in pointers)
                for at, pointer, step in zip((numbers, wide), pointers, steps[1::2], strict=True):
                    builder.store(builder.gep(at, [step]), pointer)
                loaded = [load(place(wide, v)) for v in range(vectors)]
                for r, s in product(range(rows), range(columns)):
                    number = spread(builder.load(builder.gep(numbers, [away[r * columns + s]]) if r + s else numbers))
                    for v in range(vectors):
                        term = builder.fmul(number, loaded[v], flags=("contract",))
                        total = builder.load(sums[r, s, v])
                        builder.store(builder.fadd(term, total, flags=("contract",)), sums[r, s, v])
        nothing, relu = ir.Constant(vector, [0.0] * lanes), builder.icmp_signed(">", told(RELU), whole(0))
        for one, total in sums.items():
            value = builder.load(total)
            test = builder.select(relu, value, load(placed(mask, 2, *one)))
            kept = builder.select(builder.fcmp_ordered(">", test, nothing), value, nothing)
            builder.store(kept, placed(out, 3, *one), align=size)
        return context.get_dummy_value()

    return intrinsic(code)


tile = {shape: _intrinsic(*shape) for shape in SHAPES}
