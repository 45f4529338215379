"""Files that are damaged, or made to do harm: they load, or a sentence says what is wrong; nothing in them runs."""

import os
import pickle
import tracemalloc

import cifar_files
import numpy as np
import pytest

from lemmascope.sims.images import cifar
from lemmascope.sims.images.data import load
from lemmascope.theory.errors import InputError

FLIPS = 150
CUTS = 40


@pytest.fixture
def folder(tmp_path):
    cifar_files.write(tmp_path, "CIFAR-10 python")
    return tmp_path


def put(folder, content, name="data_batch_3"):
    (folder / name).write_bytes(content)
    cifar_files.touch(folder / name)
    return str(folder)


def outcome(source):
    """Its images, or the one sentence that it says."""
    try:
        return load(source)
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert said.endswith(".")
    return said


# --- damage ----------------------------------------------------------------------------------------------------------


def damaged(content, rng):
    """Copies with a few bytes that are others, then shorter ones, then one with a piece twice."""
    size = len(content)
    # Most of a file is pixels: half of the damage is at its ends, where its structure is.
    places = [range(size), range(min(400, size)), range(size), range(size - min(400, size), size)]
    for k in range(FLIPS):
        copy = bytearray(content)
        for _ in range(1 + k % 3):
            copy[rng.choice(places[k % 4])] = rng.integers(256)
        yield bytes(copy)
    for k in range(CUTS):
        yield content[: rng.integers(size)] if k % 2 else content[: size - 1 - k]
    yield content + content[-100:]
    yield b""


def held(found, whole, y_most):
    """What loads is as images are."""
    assert found.x.shape[1:] == whole.x.shape[1:]
    assert found.y.shape == found.x.shape[:1]
    assert 0 <= found.y.min() <= found.y.max() < y_most
    assert np.isfinite(found.x).all()


@pytest.mark.parametrize("form", cifar_files.FORMS)
def test_damaged_files_of_cifar_load_or_are_refused(tmp_path, form):
    made = cifar_files.write(tmp_path, form)
    whole, name = made.load(), cifar_files.names(form)[0]
    content, refused = (tmp_path / name).read_bytes(), 0
    for copy in damaged(content, np.random.default_rng(cifar_files.FORMS.index(form))):
        found = outcome(put(tmp_path, copy, name))
        if isinstance(found, str):
            refused += 1
        else:
            held(found, whole, made.classes)
    assert refused >= CUTS  # at least what is cut short
    assert load(put(tmp_path, content, name)).sha256 == whole.sha256


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive_loads_or_is_refused(tmp_path, save):
    rng = np.random.default_rng(7)
    path = tmp_path / "a.npz"
    save(path, x=rng.standard_normal((9, 6, 5)).astype(np.float16), y=np.arange(9) % 2)
    whole, content, refused = load(str(path)), path.read_bytes(), 0
    for copy in damaged(content, rng):
        found = outcome(put(tmp_path, copy, "a.npz") + "/a.npz")
        if isinstance(found, str):
            refused += 1
        else:
            held(found, whole, 2)
            assert found.sha256 == whole.sha256  # its checksums see to that
    assert refused > FLIPS / 2


def test_a_file_of_other_records_is_refused(tmp_path):
    cifar_files.write(tmp_path, "CIFAR-10 binary")
    content = (tmp_path / "data_batch_3.bin").read_bytes()
    for other in (content[:-1], content + b"\0", b"", b"\x0a" + content[1:]):
        said = outcome(put(tmp_path, other, "data_batch_3.bin"))
        assert "whole records of 3073 bytes" in said or "must be 0 … 9" in said
    assert len(load(put(tmp_path, content + content, "data_batch_3.bin")).y) == 6 * cifar_files.RECORDS


@pytest.mark.parametrize("lacking", ["data_batch_4", "test_batch"])
def test_a_file_that_is_not_there_is_named(folder, lacking):
    (folder / lacking).unlink()
    assert f"it lacks {lacking} of CIFAR-10's files" in outcome(str(folder))


def test_a_folder_of_something_else_is_refused(tmp_path):
    assert "it must be CIFAR-10's folder" in outcome(str(tmp_path))
    (tmp_path / "data_batch_1").mkdir()
    assert "it must be CIFAR-10's folder" in outcome(str(tmp_path))


def test_files_larger_than_the_limit_are_not_opened(folder, monkeypatch):
    monkeypatch.setattr(cifar, "LIMIT", 10_000)
    monkeypatch.setattr(cifar.Path, "read_bytes", lambda _: pytest.fail("it was read"))
    assert "10000 in all are read" in outcome(str(folder))


def test_one_class_in_all_files_is_refused(tmp_path):
    cifar_files.write(tmp_path, "CIFAR-10 binary")
    for name in cifar_files.names("CIFAR-10 binary"):
        content = bytearray((tmp_path / name).read_bytes())
        content[::3073] = bytes(cifar_files.RECORDS)
        (tmp_path / name).write_bytes(content)
    assert "all its labels are of one class" in outcome(str(tmp_path))


# --- pickles of other things -----------------------------------------------------------------------------------------


def table(**other):
    """A python file's dictionary, some of it other."""
    rng = np.random.default_rng(0)
    return {"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": [1, 2, 3, 4]} | other


OTHER = {
    "a list": ([1, 2], "must be a dictionary"),
    "no pixels": ({"labels": [1]}, "'data'"),
    "no labels": ({"data": np.zeros((4, 3072), np.uint8)}, "'labels'"),
    "fewer pixels": (table(data=np.zeros((4, 3071), np.uint8)), r"must be (n, 3072) bytes"),
    "wider numbers": (table(data=np.zeros((4, 3072), np.int64)), r"must be (n, 3072) bytes"),
    "pixels of reals": (table(data=np.zeros((4, 3072))), "must be of integers"),
    "pixels in a list": (table(data=[[0] * 3072] * 4), "must be an array of NumPy"),
    "no images": (table(data=np.zeros((0, 3072), np.uint8), labels=[]), "must be (n, 3072) bytes"),
    "fewer labels": (table(labels=[1, 2, 3]), "must have as many labels"),
    "labels out of range": (table(labels=[1, 2, 3, 10]), "must be 0 … 9"),
    "negative labels": (table(labels=[1, 2, 3, -1]), "must be 0 … 9"),
    "long labels": (table(labels=[1, 2, 3, 2**300]), "must be integers"),
    "labels that are not whole": (table(labels=[1, 2, 3, True]), "must be integers"),
    "labels of reals": (table(labels=np.zeros(4)), "must be of integers"),
    "labels in a square": (table(labels=np.zeros((4, 4), int)), "must have as many labels"),
    "objects": (table(data=np.array([[None] * 3072] * 4)), "must be of integers"),
}


@pytest.mark.parametrize(("content", "words"), OTHER.values(), ids=OTHER)
@pytest.mark.parametrize("protocol", [3, 5])
def test_pickles_of_other_things_are_refused(folder, content, words, protocol):
    assert words in outcome(put(folder, pickle.dumps(content, protocol)))


class Runs:
    """Asks for a function where it is unpickled."""

    def __init__(self, function, *arguments):
        self.asks = function, arguments

    def __reduce__(self):
        return self.asks


def asking(mark):
    """Pickles that make the folder ``mark`` where they are loaded; each is shown to."""
    mkdir = Runs(os.mkdir, mark)
    code = f"__import__('os').mkdir({mark!r})"
    return {
        "os": pickle.dumps(mkdir, 2),
        "os, by text": b"cos\nmkdir\n(S" + repr(mark).encode() + b"\ntR.",
        "among images": pickle.dumps(table(filenames=[mkdir]), 4),
        "eval": pickle.dumps(Runs(eval, code), 4),
        "an instance": b"(S" + repr(mark).encode() + b"\nios\nmkdir\n.",
        "an object": b"(cos\nmkdir\nS" + repr(mark).encode() + b"\no.",
    }


@pytest.mark.parametrize("which", asking("x"))
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(folder, which):
    mark = folder / "mark"
    content = asking(str(mark))[which]
    said = outcome(put(folder, content))
    assert "such a one may run code" in said
    assert "asks for" in said
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # it would have


NAMES = {
    "a function of numpy": (b"cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
    "what an array has": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
    "a codec": (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "no pickle as CIFAR's"),
    "a name that is kept elsewhere": (b"\x80\x02\x82\x01.", "asks for EXT1"),
    "what an earlier protocol wrote": (b"(lp0\nI1\na.", "asks for"),
    "an object by a number": (b"\x80\x02K\x01Q.", "asks for BINPERSID"),
    "an object of a class": (b"\x80\x02cnumpy\nndarray\n)\x81.", "asks for NEWOBJ"),
    "the attributes of a class": (b"\x80\x02cnumpy\ndtype\nN}U\x08__init__K\x01s\x86b.", "the attributes of an object"),
    "a state of a number": (b"\x80\x02K\x01K\x02b.", "the attributes of an object"),
    "a call of a number": (b"\x80\x02K\x01)R.", "asks for a call"),
    "a call of a list": (b"\x80\x02])R.", "asks for a call"),
    "a dictionary by numbers": (b"\x80\x02}K\x01K\x02s.", "no pickle as CIFAR's"),
    "an array of itself": (b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)Rq\x00h\x00b.", "must be a dictionary"),
    "tuples, deep": (b"\x80\x02}N" + b"\x85" * 100_000 + b"Ns.", "no pickle as CIFAR's"),
    "a shape of text": (
        b"\x80\x02}(U\x06labels]K\x01aU\x04datacnumpy.core.multiarray\n_reconstruct\n)R(K\x01U\x01aK\x09"
        b"\x86cnumpy\ndtype\nU\x02u1\x85R\x89U\x01atbu.",
        "shape must be whole numbers",
    ),
}


@pytest.mark.parametrize(("content", "words"), NAMES.values(), ids=NAMES)
def test_what_is_no_array_of_numbers_is_refused(folder, content, words):
    assert words in outcome(put(folder, content))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x03.",  # a place of the memo far away
        b"\x80\x05\x96\xff\xff\xff\x3f\x00\x00\x00\x00.",  # bytes that are not there
        b"\x80\x04\x8e\xff\xff\xff\x3f\x00\x00\x00\x00.",
        b"\x80\x02T\xff\xff\xff\x3f.",
        b"\x80\x04\x95\xff\xff\xff\x3f\x00\x00\x00\x00N.",
    ],
)
def test_a_small_pickle_takes_no_memory(folder, content):
    source = put(folder, content)
    tracemalloc.start()
    try:
        assert isinstance(outcome(source), str)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
