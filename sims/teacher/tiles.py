r"""The innermost parts of the compiled training loop: products and sums that stay in vector registers.

Samples are the fast axis of every large array: a hidden unit, or an input, is a row (rows, samples), and a vector
register holds neighbouring samples. Positions follow each other as blocks of rows, so that k neighbours side by side
are rows one after the other. With w a matrix of numbers,

    `hidden_tile`    out[row, n] = relu(bias[row] + Σ_k w[row, k] x[k, n])
    `last_tile`      the same, and f[n] += Σ_row v[row] out[row, n]
    `backward_tile`  out[row, n] = Σ_k w[row, k] x[k, n] where A[row, n] > 0, else 0
    `pull_tile`      out[row, n] = g[n] v[row] where A[row, n] > 0, else 0; sums[row] += Σ_n out, slopes[row] += Σ_n g A
    `sum_tiles`      G[i, j] += Σ_p Σ_n D[p, i, n] x[p, j, n], over positions p too: registers are emptied once

They are written as vector instructions, since a compiler does not find tiles in scalar loops. Nothing here looks
whether an index lies within an array, and counts of samples are whole multiples of `together`.

Numba's cache on disk looks at the file of a function alone. A file that compiles these into its own code names in
``BUILT_ON`` what it was built on, and a test holds that to this text.
"""

from __future__ import annotations

__all__ = [
    "COLUMNS",
    "ROWS",
    "VECTOR",
    "VECTORS",
    "backward_tile",
    "hidden_tile",
    "last_tile",
    "pull_tile",
    "sum_tiles",
    "together",
]

from itertools import product
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDE = bool(binding.get_host_cpu_features().get("avx512f", False))
VECTOR = 64 if WIDE else 32
"""Bytes in a vector register."""

ROWS, VECTORS = 4, 2
"""Of a tile of a product: eight sums, as many as are under way at once."""

PAIR, COLUMNS = 2, 6
"""Rows of D, and of x at most, of a tile of sums: with what they are made of they fill sixteen registers."""

I32, I64 = ir.IntType(32), ir.IntType(64)


def together(itemsize: int) -> int:
    """Samples that a tile of a product takes."""
    return VECTORS * VECTOR // itemsize


def _integer(number: int) -> Any:
    return ir.Constant(I64, number)


class _Writer:
    """What the code of one tile is written with: arrays as (pointer, numbers in a row), vectors of its number type."""

    def __init__(self, context: Any, builder: Any, array: Any) -> None:
        self.context, self.builder = context, builder
        kind = context.get_data_type(array.dtype)
        self.size = context.get_abi_sizeof(kind)
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(kind, self.lanes)
        self.nothing = ir.Constant(self.vector, [0.0] * self.lanes)

    def array(self, kind: Any, value: Any) -> tuple[Any, Any]:
        found = self.context.make_array(kind)(self.context, self.builder, value)
        row = self.builder.extract_value(found.strides, 0)
        return found.data, self.builder.udiv(row, _integer(self.size))

    def place(self, array: tuple[Any, Any], row: Any, column: Any) -> Any:
        """Where the vector at [row, column] begins."""
        (data, stride), builder = array, self.builder
        at = builder.gep(data, [builder.add(builder.mul(row, stride), column)])
        return builder.bitcast(at, self.vector.as_pointer())

    def load(self, array: tuple[Any, Any], row: Any, column: Any) -> Any:
        return self.builder.load(self.place(array, row, column), align=self.size)

    def store(self, vector: Any, array: tuple[Any, Any], row: Any, column: Any) -> None:
        self.builder.store(vector, self.place(array, row, column), align=self.size)

    def number(self, array: tuple[Any, Any], index: Any) -> Any:
        """The number at [index], in every lane."""
        builder, nothing = self.builder, ir.Constant(self.vector, ir.Undefined)
        first = builder.insert_element(nothing, builder.load(builder.gep(array[0], [index])), ir.Constant(I32, 0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes))

    def total(self, begin: Any = None) -> Any:
        """A register for a sum."""
        found = cgutils.alloca_once(self.builder, self.vector)
        self.builder.store(self.nothing if begin is None else begin, found)
        return found

    def add(self, total: Any, a: Any, b: Any) -> None:
        """total + a b."""
        builder, flags = self.builder, ("contract",)
        builder.store(builder.fadd(builder.fmul(a, b, flags=flags), builder.load(total), flags=flags), total)

    def where_positive(self, test: Any, value: Any) -> Any:
        """The value where the test is positive, else 0."""
        return self.builder.select(self.builder.fcmp_ordered(">", test, self.nothing), value, self.nothing)

    def add_lanes(self, total: Any, array: tuple[Any, Any], index: Any) -> None:
        """array.flat[index] + the sum of the lanes, halves onto each other: in a fixed order."""
        builder, vector = self.builder, self.builder.load(total)
        while vector.type.count > 1:
            half = vector.type.count // 2
            nothing, kind = ir.Constant(vector.type, ir.Undefined), ir.VectorType(I32, half)
            low, high = (
                builder.shuffle_vector(vector, nothing, ir.Constant(kind, list(range(first, first + half))))
                for first in (0, half)
            )
            vector = builder.fadd(low, high)
        where = builder.gep(array[0], [index])
        whole = builder.extract_element(vector, ir.Constant(I32, 0))
        builder.store(builder.fadd(builder.load(where), whole), where)


def _product_tile(what: str) -> Any:
    def code(typingctx, w, row, first, count, x, start, column, other, out, to, v, f):
        number = types.intp
        return types.void(w, number, number, number, x, number, number, other, out, number, v, f), generate

    def generate(context, builder, sig, args):
        writer = _Writer(context, builder, sig.args[0])
        w, x, other, out, v, f = (writer.array(sig.args[i], args[i]) for i in (0, 4, 7, 8, 10, 11))
        _, row, first, count, _, start, column, _, _, to, _, _ = args
        columns = [builder.add(column, _integer(j * writer.lanes)) for j in range(VECTORS)]
        rows = [builder.add(row, _integer(i)) for i in range(ROWS)]
        totals: dict[tuple[int, int], Any] = {}
        for i in range(ROWS):
            begin = writer.nothing if what == "backward" else writer.number(other, rows[i])
            totals |= {(i, j): writer.total(begin) for j in range(VECTORS)}
        lines = [builder.add(builder.mul(r, w[1]), first) for r in rows]
        with cgutils.for_range(builder, count, intp=I64) as loop:
            wide = [writer.load(x, builder.add(start, loop.index), at) for at in columns]
            for i in range(ROWS):
                same = writer.number(w, builder.add(lines[i], loop.index))
                for j in range(VECTORS):
                    writer.add(totals[i, j], same, wide[j])
        reads = [writer.total(writer.load(f, _integer(0), at)) for at in columns] if what == "last" else []
        for (i, j), total in totals.items():
            value, at = builder.load(total), builder.add(to, _integer(i))
            test = writer.load(other, at, columns[j]) if what == "backward" else value
            kept = writer.where_positive(test, value)
            writer.store(kept, out, at, columns[j])
            if what == "last":
                writer.add(reads[j], writer.number(v, at), kept)
        for at, read in zip(columns, reads, strict=False):
            writer.store(builder.load(read), f, _integer(0), at)
        return context.get_dummy_value()

    return intrinsic(code)


hidden_tile = _product_tile("hidden")
"""Called with w, its row and first column, how many columns; x, its first row and column; the bias; out and its row,
which is that of v; v and f, which it leaves alone."""

last_tile = _product_tile("last")
"""The same; it adds to f."""

backward_tile = _product_tile("backward")
"""The same, with A in place of the bias; its rows are those of out."""


def _pull_code(typingctx, g, v, A, row, count, out, sums, unit, slopes):
    number = types.intp
    return types.void(g, v, A, number, number, out, sums, number, slopes), _pull_generate


def _pull_generate(context, builder, sig, args):
    writer = _Writer(context, builder, sig.args[0])
    g, v, A, out, sums, slopes = (writer.array(sig.args[i], args[i]) for i in (0, 1, 2, 5, 6, 8))
    _, _, _, row, count, _, _, unit, _ = args
    rows = [builder.add(row, _integer(i)) for i in range(ROWS)]
    weights = [writer.number(v, r) for r in rows]
    totals, reads = ([writer.total() for _ in rows] for _ in range(2))
    with cgutils.for_range(builder, builder.udiv(count, _integer(writer.lanes)), intp=I64) as loop:
        at = builder.mul(loop.index, _integer(writer.lanes))
        pull = writer.load(g, _integer(0), at)
        for r, weight, total, read in zip(rows, weights, totals, reads, strict=True):
            a = writer.load(A, r, at)
            writer.add(read, pull, a)
            kept = writer.where_positive(a, builder.fmul(pull, weight))
            writer.store(kept, out, r, at)
            builder.store(builder.fadd(builder.load(total), kept), total)
    for i, r in enumerate(rows):
        writer.add_lanes(totals[i], sums, builder.add(unit, _integer(i)))
        writer.add_lanes(reads[i], slopes, r)
    return context.get_dummy_value()


pull_tile = intrinsic(_pull_code)
"""Called with g, v, A and the first of four rows, how many samples; out; sums and its first row; slopes."""


def _sum_tile(columns: int) -> Any:
    def code(typingctx, D, row, D_step, x, start, x_step, positions, count, G, i, j):
        number = types.intp
        return types.void(D, number, number, x, number, number, number, number, G, number, number), generate

    def generate(context, builder, sig, args):
        writer = _Writer(context, builder, sig.args[0])
        D, x, G = (writer.array(sig.args[i], args[i]) for i in (0, 3, 8))
        _, row, D_step, _, start, x_step, positions, count, _, to, column = args
        tile = list(product(range(PAIR), range(columns)))
        totals = {one: writer.total() for one in tile}
        vectors = builder.udiv(count, _integer(writer.lanes))
        with cgutils.for_range(builder, positions, intp=I64) as position:
            left, right = (
                [builder.add(builder.add(at, builder.mul(position.index, step)), _integer(i)) for i in range(many)]
                for at, step, many in ((row, D_step, PAIR), (start, x_step, columns))
            )
            with cgutils.for_range(builder, vectors, intp=I64) as loop:
                at = builder.mul(loop.index, _integer(writer.lanes))
                held = [writer.load(D, r, at) for r in left]
                for j in range(columns):
                    one = writer.load(x, right[j], at)
                    for i in range(PAIR):
                        writer.add(totals[i, j], held[i], one)
        for (i, j), total in totals.items():
            line = builder.mul(builder.add(to, _integer(i)), G[1])
            writer.add_lanes(total, G, builder.add(line, builder.add(column, _integer(j))))
        return context.get_dummy_value()

    return intrinsic(code)


sum_tiles = {columns: _sum_tile(columns) for columns in range(1, COLUMNS + 1)}
"""By rows of x; called with D, its first row and rows a position; x, the same; how many positions and samples; G, its
row and column."""
