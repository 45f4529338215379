"""Images from every source: the same images from every form of CIFAR's files, labels, refusals."""

import gzip
import os
import sys
import zipfile

import cifar_files
import numpy as np
import pytest

from lemmascope.sims.images import data, npz
from lemmascope.sims.images.data import load
from lemmascope.theory.errors import InputError

RNG = np.random.default_rng(0)
X, Y = RNG.integers(0, 256, (12, 5, 4, 2), dtype=np.uint8), np.arange(12) % 3


def saved(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


# --- sources ---------------------------------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    found, theirs = load("digits"), load_digits()
    assert found.x.shape == (1797, 8, 8, 1)
    assert found.x.dtype == np.uint8
    assert np.array_equal(found.x[..., 0], theirs.images)
    assert np.array_equal(found.y, theirs.target)
    assert found.classes == tuple(range(10))
    assert found.test is None
    assert load("digits") is found


def test_digits_from_another_place_of_scikit_learn_are_the_same(monkeypatch, tmp_path):
    here = load("digits")
    data._loaded.cache_clear()
    monkeypatch.setattr(data.importlib.util, "find_spec", lambda _: type("", (), {"origin": str(tmp_path / "x.py")}))
    there = load("digits")
    data._loaded.cache_clear()
    assert there.sha256 == here.sha256


def test_digits_without_scikit_learn_name_the_line_that_installs_it(monkeypatch):
    data._loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"pip install 'lemmascope\[scikit-learn\]'"):
        load("digits")


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("form", cifar_files.FORMS)
def test_every_form_of_cifar_is_the_same_images(tmp_path, form, inner):
    made = cifar_files.write(tmp_path, form, inner=inner)
    found = load(str(tmp_path))
    assert found.name == made.name
    assert found.x.dtype == np.uint8
    assert np.array_equal(found.x, made.x)
    assert np.array_equal(found.y, made.y)
    assert np.array_equal(found.test[0], made.x_test)
    assert np.array_equal(found.test[1], made.y_test)
    assert found.classes == tuple(range(made.classes))
    other = tmp_path / "other"
    cifar_files.write(other, "CIFAR-10 binary" if found.name == "CIFAR-10" else "CIFAR-100 binary")
    assert load(str(other)).sha256 == found.sha256
    if inner:
        assert not (tmp_path / "data_batch_1").exists()


def test_a_pixel_is_where_the_layout_has_it(tmp_path):
    """Channel by channel, each row by row."""
    cifar_files.write(tmp_path, "CIFAR-10 binary")
    file = tmp_path / "data_batch_2.bin"
    content = bytearray(file.read_bytes())
    content[3073 + 1 + 1024 * 2 + 32 * 5 + 7] ^= 255  # second record, blue, row 5, column 7
    before = load(str(tmp_path)).x
    file.write_bytes(content)
    cifar_files.touch(file)
    changed = np.argwhere(load(str(tmp_path)).x != before)
    assert changed.tolist() == [[cifar_files.RECORDS + 1, 5, 7, 2]]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", [False, True], ids=["list", "array"])
@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_pickles_that_python_3_wrote_are_read_too(tmp_path, protocol, array, core):
    made = cifar_files.write(tmp_path, "CIFAR-10 python")
    cifar_files.pickle_again(tmp_path, protocol, array, core)
    assert load(str(tmp_path)).sha256 == cifar_files.write(tmp_path / "b", "CIFAR-10 binary").load().sha256
    assert made.x.shape[1:] == (32, 32, 3)


def test_grey_images_get_a_channel_and_labels_are_numbered(tmp_path):
    path = saved(tmp_path / "a.npz", x=X[..., 0], y=np.array([7, -3, 10] * 4, np.int8))
    found = load(path)
    assert found.x.shape == (12, 5, 4, 1)
    assert np.array_equal(found.x[..., 0], X[..., 0])
    assert found.classes == (-3, 7, 10)
    assert found.y.tolist() == [1, 0, 2] * 4
    assert found.name == "a.npz"
    assert not found.x.flags.writeable


KINDS = {"u1": "u1", "i8": "f8", "u2": "f8", "f2": "f4", "f4": "f4", ">f8": "f8", "?": "u1"}


@pytest.mark.parametrize(("kind", "kept"), KINDS.items())
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_kind_of_number_is_read(tmp_path, kind, kept, order, save):
    x = np.asarray(X % 2 if kind == "?" else X, dtype=kind, order=order)
    save(tmp_path / "a.npz", x=x, y=Y.astype(">i4"), x_test=x[:3], y_test=Y[:3])
    found = load(str(tmp_path / "a.npz"))
    assert found.x.dtype == np.dtype(kept)
    assert np.array_equal(found.x, x)
    assert np.array_equal(found.y, Y)
    assert np.array_equal(found.test[0], x[:3])
    assert np.array_equal(found.test[1], Y[:3])


def test_the_hash_is_of_the_numbers(tmp_path):
    one = load(saved(tmp_path / "a.npz", x=X, y=Y))
    np.savez_compressed(tmp_path / "b.npz", y=Y, x=X)
    assert load(str(tmp_path / "b.npz")).sha256 == one.sha256
    assert load(saved(tmp_path / "c.npz", x=X, y=Y[::-1])).sha256 != one.sha256
    assert load(saved(tmp_path / "d.npz", x=X ^ (np.arange(12) == 11)[:, None, None, None], y=Y)).sha256 != one.sha256
    assert load(saved(tmp_path / "e.npz", x=X, y=Y + 1)).sha256 != one.sha256
    assert load(saved(tmp_path / "f.npz", x=X, y=Y, x_test=X, y_test=Y)).sha256 != one.sha256


def test_a_file_that_changed_is_read_again(tmp_path):
    path = saved(tmp_path / "a.npz", x=X, y=Y)
    first = load(path)
    assert load(path) is first
    saved(path, x=X[:9], y=Y[:9])
    assert len(load(path).x) == 9


# --- refusals --------------------------------------------------------------------------------------------------------

FLOATS = X.astype(float)
REFUSED = {
    "no y": ({"x": X}, "must hold the array y"),
    "nothing": ({}, "must hold the arrays x and y"),
    "another name": ({"x": X, "y": Y, "z": Y}, "may be x, y, x_test, y_test, each once; it has 'z'"),
    "half a test set": ({"x": X, "y": Y, "x_test": X}, "x_test and y_test come together"),
    "flat images": ({"x": X.reshape(12, -1), "y": Y}, r"\(n, H, W\) or \(n, H, W, C\)"),
    "no images": ({"x": X[:0], "y": Y[:0]}, "none of them 0"),
    "a number": ({"x": np.uint8(3), "y": Y}, r"\(n, H, W\)"),
    "channels first": ({"x": np.zeros((12, 3, 8, 8), np.uint8), "y": Y}, "channels come last"),
    "fewer labels": ({"x": X, "y": Y[:5]}, r"y must be \(12,\)"),
    "labels in a column": ({"x": X, "y": Y[:, None]}, r"y must be \(12,\)"),
    "labels that are not whole": ({"x": X, "y": Y + 0.5}, "y must be integers"),
    "labels in words": ({"x": X, "y": Y.astype("U3")}, "plain real numbers"),
    "one class": ({"x": X, "y": 0 * Y}, "all its labels are of one class"),
    "too many classes": ({"x": np.zeros((1001, 2, 2), np.uint8), "y": np.arange(1001)}, "1001 distinct labels"),
    "NaN": ({"x": np.where(X[3, 2, 1, 0] == X, np.nan, FLOATS), "y": Y}, "NaN, infinite"),
    "infinity": ({"x": np.where(X[3, 2, 1, 0] == X, np.inf, FLOATS), "y": Y}, "NaN, infinite"),
    "huge": ({"x": FLOATS * 1e300, "y": Y}, "beyond 1e\\+30"),
    "complex": ({"x": FLOATS + 1j, "y": Y}, "plain real numbers"),
    "records": ({"x": np.zeros(12, [("a", "f8")]), "y": Y}, "plain real numbers"),
    "NaN to test on": ({"x": X, "y": Y, "x_test": FLOATS * np.nan, "y_test": Y}, "a pixel of x_test is NaN"),
    "other images to test on": ({"x": X, "y": Y, "x_test": X[:, :3], "y_test": Y}, "x_test must have images of"),
    "a label to test on": ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1}, "y_test has a label that y has not"),
}


@pytest.mark.parametrize(("arrays", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_data_set_is_refused(tmp_path, arrays, words):
    with pytest.raises(InputError, match=words):
        load(saved(tmp_path / "a.npz", **arrays))


class Marked:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_python_objects_are_refused_and_do_not_run(tmp_path):
    mark = str(tmp_path / "mark")
    objects = np.array([Marked(mark)] * 12, object)
    path = saved(tmp_path / "a.npz", x=X, y=objects)
    with pytest.raises(InputError, match="not of Python objects"):
        load(path)
    assert not (tmp_path / "mark").exists()
    np.load(path, allow_pickle=True)["y"]
    assert (tmp_path / "mark").exists()  # it would have


def member(path, name, content, **more):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content, **more)


def header(shape, kind="|u1"):
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def test_what_is_declared_is_known_before_it_is_read(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(npz.np, "empty", lambda *given: made.append(given))
    path = tmp_path / "a.npz"
    member(path, "x.npy", header((10**7, 32, 32, 3)) + bytes(100))
    member(path, "y.npy", header((10**7,)))
    with pytest.raises(InputError, match="x declares 30720000000 bytes; 1073741824 in all are read"):
        load(str(path))
    assert not made


def test_the_limit_is_on_all_arrays_together(tmp_path, monkeypatch):
    path = saved(tmp_path / "a.npz", x=X, y=Y)
    monkeypatch.setattr(npz, "LIMIT", X.nbytes + Y.nbytes - 1)
    with pytest.raises(InputError, match="y declares"):
        load(path)
    monkeypatch.setattr(npz, "LIMIT", X.nbytes + Y.nbytes)
    assert len(load(path).x) == 12


BROKEN = {
    "less than declared": (header((12, 2, 2)) + bytes(47), {}, "cannot be read to its end"),
    "more than declared": (header((12, 2, 2)) + bytes(49), {}, "cannot be read to its end"),
    "code in the header": (header("__import__('os')"), {}, "plain real numbers"),
    "a number of 9000 digits": (header("(" + "9" * 9000 + ",)"), {}, "cannot be read"),
    "a long header": (header((1,) * 9000), {}, "plain real numbers"),
    "no array": (b"no array", {}, "no array as numpy.savez"),
    "nothing": (b"", {}, "no array as numpy.savez"),
    "packed otherwise": (header((12, 2, 2)) + bytes(48), {"compress_type": zipfile.ZIP_BZIP2}, "packed as numpy"),
}


@pytest.mark.parametrize(("content", "more", "words"), BROKEN.values(), ids=BROKEN)
def test_an_archive_that_is_not_numpys_is_refused(tmp_path, content, more, words):
    member(tmp_path / "a.npz", "x.npy", content, **more)
    member(tmp_path / "a.npz", "y.npy", header((12,)) + bytes(12))
    with pytest.raises(InputError, match=words):
        load(str(tmp_path / "a.npz"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(tmp_path):
    path = saved(tmp_path / "a.npz", x=X, y=Y)
    member(path, "x.npy", header((12, 2, 2)) + bytes(48))
    with pytest.raises(InputError, match="each once; it has 'x'"):
        load(path)


@pytest.mark.parametrize("source", ["nowhere", "nowhere.npz", "", "a\0b", 3, None])
def test_what_is_not_there_is_refused(source):
    with pytest.raises(InputError, match="digits"):
        load(source)


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.npz").write_text("x,y\n1,2\n")
    np.save(tmp_path / "b.npy", X)
    with gzip.open(tmp_path / "c.gz", "wb") as file:
        file.write(b"numbers")
    for name in ("a.npz", "b.npy", "c.gz"):
        with pytest.raises(InputError, match=r"no \.npz file"):
            load(str(tmp_path / name))
