"""A part as bytes: every bit comes back or its loss is seen, and what no file could hold is refused."""

import io
import json
import zipfile

import numpy as np
import pytest
import xarray as xr

from lemmascope.sims import netcdf
from lemmascope.sims.run.parts import SCHEMA, Damaged, Kept, check_labelled, decode, encode, longest_first
from lemmascope.theory.errors import InputError

VALUES = {
    "bool": [True, False],
    "int8": [-128, 127],
    "uint64": [2**64 - 1, 0],
    "int64": [-(2**63), 2**63 - 1],
    "float16": [0.1, -0.0],
    "float32": [0.1, np.nan],
    "float64": [5e-324, -np.inf],
    "complex64": [1j, complex(-0.0, np.nan)],
    "complex128": [1j, 2],
    "<U7": ["γ = 0.9", ""],
}


def same(found, wanted):
    xr.testing.assert_identical(found, wanted)
    assert list(found.variables) == list(wanted.variables)
    assert list(found.coords) == list(wanted.coords)
    for name, variable in wanted.variables.items():
        assert found[name].dtype == variable.dtype
        assert found[name].values.tobytes() == variable.values.tobytes()


@pytest.mark.parametrize("dtype", VALUES)
def test_every_type_comes_back_bit_for_bit(dtype):
    values = np.array(VALUES[dtype], dtype=dtype)
    part = xr.Dataset({"x": ("k", values), "scalar": ((), values[0]), "none": ("empty", values[:0])})
    same(decode(encode(part, "a"), "a"), part)


def test_labels_come_back():
    part = xr.Dataset(
        {
            "x": (("a", "b"), np.ones((2, 3)), {"long_name": "ξ – noise", "range": [0, 1.5], "words": ["a", "b"]}),
            "y": ((), 1.0),
        },
        {"b": [0.1, 0.2, 0.3], "a": ["GD", "GD+M"], "small": ("a", [True, False]), "name": "GD", "t": ((), 3)},
        {"parameters": '{"d": 500}', "eta": 0.1, "T": 40_000, "empty": "", "none": [], "nan": float("inf")},
    )
    same(decode(encode(part, "cells seed=0"), "cells seed=0"), part)
    same(decode(encode(xr.Dataset(), "a"), "a"), xr.Dataset())


def test_text_and_attributes_of_numpy_come_back_as_plain_ones():
    part = xr.Dataset(
        {"x": ("k", np.array(["a", "bcd"], dtype=object))},
        attrs={"a": np.int64(3), "b": np.array([0.5, 1]), "c": (1, 2), "d": np.str_("x"), "e": np.float32(0.5)},
    )
    found = decode(encode(part, "a"), "a")
    assert found.x.dtype == np.dtype("<U3")
    assert found.x.values.tolist() == ["a", "bcd"]
    assert found.attrs == {"a": 3, "b": [0.5, 1.0], "c": [1, 2], "d": "x", "e": 0.5}


def test_the_same_part_has_the_same_bytes():
    part = xr.Dataset({"x": ("k", [1.0, 2.0])}, attrs={"a": 1})
    assert encode(part, "a") == encode(part.copy(deep=True), "a")


def test_a_view_is_kept_as_it_is():
    """Neither memory order nor strides matter, and the part has memory of its own."""
    whole = np.arange(24.0).reshape(4, 6)
    part = xr.Dataset({"x": (("a", "b"), whole.T[::2, ::-1])})
    same(decode(encode(part, "a"), "a"), part)


def test_in_memory_parts_take_the_same_way():
    kept = Kept(["a", "b"])
    part = xr.Dataset({"x": ("k", np.array(["a", "b"], dtype=object))}, attrs={"c": (1, 2)})
    kept.write(1, part)
    part.x[0] = "changed"
    assert kept.missing() == [0]
    assert kept.done == 1
    assert kept.read(1).attrs == {"c": [1, 2]}
    assert kept.read(1).x.values.tolist() == ["a", "b"]
    with pytest.raises(InputError, match="part b"):
        kept.write(1, 3)


def test_the_longest_come_first_and_else_in_order():
    class Costly:
        def __init__(self, cost):
            self.cost = cost

    tasks = [Costly(cost) for cost in (1.0, 5.0, 2.0, 5.0)]
    assert longest_first(tasks, [0, 1, 2, 3]) == [1, 3, 2, 0]
    assert longest_first(tasks, [3, 2]) == [3, 2]
    assert longest_first([object(), object(), object()], [2, 0]) == [2, 0]


SMALL = xr.Dataset({"x": ((), 0.1)}, attrs={"a": 1})


def test_every_bit_that_flips_is_seen_or_changes_nothing():
    """A zip archive's headers say some things twice, or to nobody; no flip of a bit changes what is read."""
    whole = encode(SMALL, "k")
    seen = 0
    for place in range(8 * len(whole)):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        try:
            found = decode(bytes(content), "k")
        except Damaged:
            seen += 1
            continue
        same(found, SMALL)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert seen >= 8 * sum(member.file_size for member in archive.infolist())


def test_a_part_cut_anywhere_is_seen():
    whole = encode(SMALL, "k")
    for length in range(len(whole)):
        with pytest.raises(Damaged):
            decode(whole[:length], "k")


def rewritten(change):
    """A part whose members were changed, with right checksums."""
    with np.load(io.BytesIO(encode(SMALL, "k"))) as arrays:
        members = {name: arrays[name] for name in arrays}
    labels = json.loads(members["labels"].tobytes())
    change(members, labels)
    if labels is not None:
        members["labels"] = np.frombuffer(json.dumps(labels).encode(), dtype=np.uint8)
    target = io.BytesIO()
    np.savez(target, **members)
    return target.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda members, labels: members.pop("v0"),
        lambda members, labels: labels.update(key="another"),
        lambda members, labels: labels.update(schema="another"),
        lambda members, labels: labels.pop("variables"),
        lambda members, labels: labels["variables"]["x"].update(dims=["k"]),
        lambda members, labels: members.update(v0=np.zeros(3)),
    ],
    ids=["no array", "another task", "another schema", "no variables", "other dimensions", "another shape"],
)
def test_an_archive_that_is_no_such_part_is_seen(change):
    assert SCHEMA in encode(SMALL, "k").decode("latin1")
    with pytest.raises(Damaged):
        decode(rewritten(change), "k")


def test_nothing_is_unpickled():
    target = io.BytesIO()
    np.savez(target, v0=np.array([{"a": 1}], dtype=object), labels=np.frombuffer(b"{}", dtype=np.uint8))
    with pytest.raises(Damaged):
        decode(target.getvalue(), "k")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("labels.npy", b"\x80\x04K\x03.")  # a pickle in the place of an array
    with pytest.raises(Damaged):
        decode(target.getvalue(), "k")


@pytest.mark.parametrize("part", [3, None, [1.0], np.zeros(3), xr.DataArray([1.0], dims="k"), {"x": 1}])
def test_a_part_is_a_dataset(part):
    with pytest.raises(InputError, match=r"part cells seed=0 = '\w+' .* must be an xarray Dataset"):
        encode(part, "cells seed=0")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([{"a": 1}, 2], "part a: x = 'object' .* numbers, booleans or text"),
        ([None, 1.0], "part a: x = 'object'"),
        (np.array(["2024-01-01"], dtype="datetime64[ns]"), r"part a: x = 'datetime64\[ns\]'"),
        ([b"bytes"], r"part a: x = '\|S5'"),
        (["a\0b"], "without NUL"),
        (["\ud800"], "Unicode"),
    ],
)
def test_what_is_neither_number_nor_text_is_refused(values, said):
    with pytest.raises(InputError, match=said):
        encode(xr.Dataset({"x": ("k", values)}), "a")


NOTHING = pytest.param(object(), id="object")
BAD_ATTRIBUTES = [None, True, {"a": 1}, [1, "a"], [True], [[1, 2]], 2**63, 1j, b"x", NOTHING, "a\0b", [None], "\ud800"]


@pytest.mark.parametrize("value", BAD_ATTRIBUTES, ids=repr)
def test_attributes_are_text_numbers_or_lists_of_them(value):
    for attrs in ({"attrs": {"note": value}}, {"data_vars": {"x": ("k", [1.0], {"note": value})}}):
        with pytest.raises(InputError, match=r"part a.*: attribute note = .* text, a number, or a list of one of them"):
            encode(xr.Dataset(**attrs), "a")


@pytest.mark.parametrize(
    "part",
    [
        xr.Dataset({"a/b": 1}),
        xr.Dataset({"x": ("a/b", [1])}),
        xr.Dataset({"": 1}),
        xr.Dataset({3: 1}),
        xr.Dataset({"x": ((3,), [1])}),
        xr.Dataset({"a\0": 1}),
        xr.Dataset(attrs={"": 1}),
        xr.Dataset(attrs={3: 1}),
        xr.Dataset(attrs={"DIMENSION_LIST": 1}),
        xr.Dataset({"x": ((), 1, {"CLASS": 1})}),
    ],
)
def test_names_are_those_that_netcdf_has(part):
    with pytest.raises(InputError, match=r"part a.*: name"):
        encode(part, "a")


@pytest.mark.parametrize(
    "attrs", [{"scale_factor": 2.0}, {"_FillValue": 1.0}, {"units": "days since 2000-01-01"}, {"coordinates": "k"}]
)
def test_attributes_by_which_netcdf_would_change_the_data_are_refused(attrs):
    with pytest.raises(InputError, match="netCDF changes what is read"):
        encode(xr.Dataset({"x": ("k", [1.0, 2.0], attrs)}), "a")


def test_what_a_part_may_hold_a_netcdf_file_holds(tmp_path):
    """Else a study would fail after its last part."""
    arrays = {f"v{k}": ("k", np.array(values, dtype=dtype)) for k, (dtype, values) in enumerate(VALUES.items())}
    attrs = {"a": "text", "b": 1, "c": 1.5, "d": [1, 2.5], "e": ["a", "γ"], "f": "", "units": "seconds", "scale": 2.0}
    part = xr.Dataset({**arrays, " odd name ": ((), 1.0, attrs)}, {"k": ["a", "bc"]}, {**attrs, "dtype": "float64"})
    check_labelled(part, "part a")
    found = netcdf.load(netcdf.save(decode(encode(part, "a"), "a"), tmp_path / "x.nc"))
    xr.testing.assert_equal(found, part)
    for name, variable in part.variables.items():
        assert found[name].dtype == variable.dtype
        assert found[name].values.tobytes() == variable.values.tobytes()
    for name, x in attrs.items():
        assert np.array_equal(found.attrs[name], x)
        assert np.array_equal(found[" odd name "].attrs[name], x)
