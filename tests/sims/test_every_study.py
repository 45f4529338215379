"""The contract that every study keeps, at its size tiny: a new file in sims/studies/ is held to it as it is found."""

import ast
import dataclasses
import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from figure_checks import faults

from lemmascope.sims import pictures, registry
from lemmascope.sims.figures import common
from lemmascope.sims.run.carry import Compute, judge_again, run_study
from lemmascope.sims.run.cluster import Dask
from lemmascope.sims.run.parts import decode, encode
from lemmascope.sims.run.store import Store
from lemmascope.sims.run.tasks import Threads
from lemmascope.sims.study import SIZES, Study, experiment_tasks, settings_of
from lemmascope.theory.verdict import Status

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "toy_study.py"
NAMES = [*registry.names(), str(TOY)]
"""The house's studies, and one that is in no shared file."""


def named(which):
    return Path(which).stem


every = pytest.mark.parametrize("which", NAMES, ids=named)
RUNS: dict[str, tuple] = {}


FIGURES: dict[str, list] = {}


@pytest.fixture
def ran(which, tmp_path_factory):
    """The study, its settings and its one result at size tiny, kept in a folder; not to be changed."""
    if which not in RUNS:
        study = registry.find(which)
        settings, out = settings_of(study.settings, "tiny"), tmp_path_factory.mktemp(study.name) / "results"
        with pytest.MonkeyPatch.context() as patch:
            FIGURES[which] = drawn(patch)
            RUNS[which] = study, settings, out, run_study(study, settings, out=out, executor=Threads(2))
    return RUNS[which]


def drawn(patch):
    """A list to which each figure is added that is saved from now on."""
    found, save = [], common.save
    patch.setattr(common, "save", lambda figure, *rest: found.append(figure) or save(figure, *rest))
    return found


@pytest.fixture(scope="module")
def cluster():
    """A worker in a process of its own."""
    with Dask("local:1") as found:
        yield found


@every
def test_it_declares_itself(which):
    study = registry.find(which)
    assert isinstance(study, Study)
    assert study.claims
    assert len(study.message) > 40
    assert study.examples
    for example in study.examples:
        assert example.startswith("lemmascope ")
    if not study.file:
        assert study.name == which
        assert len(registry.title(which)) > 20
        assert study.seconds
        assert (ROOT / "theory" / study.subject).is_dir()


@every
@pytest.mark.parametrize("size", SIZES)
def test_each_size_has_tasks_with_names_of_their_own(which, size):
    study = registry.find(which)
    tasks = [t for some in experiment_tasks(study, settings_of(study.settings, size), 0).values() for t in some]
    assert len({task.key for task in tasks}) == len(tasks) > 0
    assert all(task.cost >= 0 for task in tasks)


@every
def test_its_size_tiny_goes_as_far_as_the_default(which):
    """A size has fewer of everything and nothing milder: what only the largest dimension meets is met by the tests.

    Counts may be smaller, and so may the law, which is a dataclass of its own; of several words there may be fewer.
    """
    kind = registry.find(which).settings
    tiny, default = (settings_of(kind, size) for size in ("tiny", "default"))
    for f in dataclasses.fields(kind):
        small, whole = getattr(tiny, f.name), getattr(default, f.name)
        if isinstance(whole, tuple) and all(isinstance(x, int | float) for x in whole):
            assert {min(whole), max(whole)} <= set(small), f.name
        elif isinstance(whole, tuple):
            assert set(small) <= set(whole), f.name
        elif not (type(whole) is int or dataclasses.is_dataclass(whole)):
            assert small == whole, f.name


@every
def test_every_option_says_what_it_is(which):
    for f in dataclasses.fields(registry.find(which).settings):
        assert f.metadata["help"].endswith("."), f.name


@every
def test_tasks_and_computes_pickle(which):
    study = registry.find(which)
    for tasks in experiment_tasks(study, settings_of(study.settings, "tiny"), 0).values():
        task = tasks[-1]
        compute = pickle.loads(pickle.dumps(Compute(study)))
        assert compute.study.name == study.name
        again = pickle.loads(pickle.dumps(task))
        assert again.key == task.key
        assert dataclasses.asdict(again.settings) == dataclasses.asdict(task.settings)


@every
def test_every_claim_has_a_control_that_is_refuted(which, ran):
    study, _, _, result = ran
    judged = {verdict.claim for verdict in result.verdicts}
    assert judged == {claim.id for claim in study.claims}
    for claim in study.claims:
        assert claim.control is not None, claim.id
        assert claim.plain
        assert claim.statement
    for verdict in result.verdicts:
        if verdict.status is not Status.NOT_APPLICABLE:
            assert verdict.control["status"] == Status.REFUTED, verdict
    # What never applies at this size is tested by no control: there may be such claims, but not only such.
    assert any(verdict.status is not Status.NOT_APPLICABLE for verdict in result.verdicts)


@every
def test_parts_are_the_same_again_here_and_on_a_cluster(which, ran, cluster, tmp_path, monkeypatch):
    """Lost and damaged parts are computed again, to the same bits, in threads and in other processes."""
    study, settings, kept, result = ran
    out = shutil.copytree(kept, tmp_path / "results")
    monkeypatch.setattr(pictures, "save", lambda *_: [])  # which have been drawn once
    tasks = [task for some in experiment_tasks(study, settings, 0).values() for task in some]
    by_experiment = {}
    for task in sorted(tasks, key=lambda task: task.cost):
        by_experiment.setdefault(task.experiment, task.key)  # the shortest of each
    files = parts_in(out)
    assert set(files) == {task.key for task in tasks}
    before = {key: files[key].read_bytes() for key in by_experiment.values()}
    for executor in (Threads(1), cluster):
        spoilt, *lost = [files[key] for key in before]
        content = bytearray(spoilt.read_bytes())
        content[content.index(b'"key"')] ^= 16  # among the data: a bit of the archive's padding changes nothing
        spoilt.write_bytes(content)
        for file in lost:
            file.unlink()
        said, computed = [], []
        again = run_study(
            study,
            settings,
            out=out,
            resume=True,
            executor=executor,
            notice=said.append,
            progress=lambda task, computed=computed: computed.append(task.key),
        )
        assert any(json_key_of(before, spoilt, files) in sentence and "damaged" in sentence for sentence in said)
        assert sorted(computed) == sorted(before)
        for key, content in before.items():
            xr.testing.assert_identical(part(files[key], key), decode(content, key, labels(files[key])["of"]))
        assert again.verdicts == result.verdicts or same(again.verdicts, result.verdicts)
        for name, data in result.data.items():
            xr.testing.assert_identical(again.data[name], data)


def parts_in(out):
    """The file of each task."""
    return {json_key(file): file for file in (out / "parts").glob("*.npz")}


def part(file, key):
    """What is kept of a task."""
    return decode(file.read_bytes(), key, labels(file)["of"])


def labels(file):
    """What a part's file says of itself."""
    with np.load(file) as arrays:
        return json.loads(arrays["labels"].tobytes())


def json_key(file):
    """Its task."""
    return labels(file)["key"]


def json_key_of(before, spoilt, files):
    return next(key for key in before if files[key] == spoilt)


def same(a, b):
    """Verdicts alike, NaN being equal to NaN."""
    return repr(a) == repr(b)


@every
def test_its_data_keep_their_bits_as_parts_and_as_files(ran):
    _, _, out, result = ran
    for name, data in result.data.items():
        xr.testing.assert_identical(decode(encode(data, name), name), data)
        with xr.open_dataset(out / f"{name}.nc", engine="h5netcdf") as found:
            xr.testing.assert_equal(found.load(), data)


@every
def test_saved_results_are_judged_alike(which, ran, schema):
    study, _, out, result = ran
    again = judge_again(out, study)
    assert same(again.verdicts, result.verdicts)
    assert again.settings == result.settings
    document = json.loads((out / "verdicts.json").read_text())
    schema(document)
    assert document["study"] == study.name
    assert [v["claim"] for v in document["verdicts"]] == [v.claim for v in result.verdicts]


@every
def test_every_picture_is_drawn_with_a_caption(ran):
    study, _, out, result = ran
    found = pictures.of(study)
    assert found
    for picture in found:
        if not (out / "figures" / f"{picture.name}.pdf").exists():  # as of what is certified, if nothing is
            assert picture.draw(result) is None, picture.name
            continue
        for end, least in ((".pdf", 2000), (".png", 2000), (".caption.txt", 40)):
            assert (out / "figures" / f"{picture.name}{end}").stat().st_size > least, picture.name
        assert "nan" not in picture.caption(result).lower().split()


@every
def test_tables_and_summary_can_be_shown(ran):
    study, _, _, result = ran
    for table in study.tables(result):
        assert table.rows
        json.dumps(table.values, allow_nan=False)
    assert all(isinstance(sentence, str) and sentence for sentence in study.summary(result))


@every
def test_another_root_is_another_draw(which, ran):
    study, settings, out, result = ran
    tasks, files = experiment_tasks(study, settings, 1), parts_in(out)
    drawn = 0
    for name, some in tasks.items():
        task = min(some, key=lambda task: task.cost)
        zero = part(files[task.key], task.key)
        drawn += not study.experiments[name].compute(task).drop_attrs().identical(zero.drop_attrs())
    assert drawn or all("seed" not in one.dims for one in result.data.values())


HEADINGS = ("Message", "Setting", "Claims", "Pictures", "What is proved", "Where it ends", "Run it")


@pytest.mark.parametrize("name", registry.names())
def test_the_page_exists(name):
    page = (ROOT / "docs" / "studies" / f"{name}.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", page, re.MULTILINE)) == HEADINGS


@pytest.mark.parametrize("name", registry.names())
def test_saved_verdicts_are_of_todays_claims(name):
    saved = json.loads((ROOT / "docs" / "studies" / name / "verdicts.json").read_text(encoding="utf-8"))
    claims = {claim.id: claim for claim in registry.study(name).claims}
    assert {v["claim"] for v in saved["verdicts"]} == set(claims)
    for v in saved["verdicts"]:
        claim = claims[v["claim"]]
        assert (v["statement"], v["plain"], v["source"]) == (claim.statement, claim.plain, claim.source)
        assert [h["name"] for h in v["hypotheses"]] == [h.name for h in claim.assumes]
        assert v["as_expected"], v["claim"]


@pytest.mark.parametrize("name", registry.names())
def test_it_is_five_files(name):
    study = registry.study(name)
    for path in (f"docs/studies/{name}.md", f"tests/sims/studies/test_{name}.py", f"sims/studies/{name}.py"):
        assert (ROOT / path).is_file(), path
    assert (ROOT / "sims" / "figures" / f"{name}.py").is_file() or (ROOT / "sims" / "figures" / name).is_dir()
    modules = (ROOT / "theory" / study.subject).rglob("*.py")
    stated = {text for path in modules for text in strings(path)}
    assert any(claim.plain in stated or claim.id in stated for claim in study.claims)


def strings(path):
    return [node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)]


SHARED = ["theory/*.py", "sims/*.py", "sims/run/*.py", "sims/report/*.py", "lemmascope/*.py", "lemmascope/cli/**/*.py"]
SHARED += ["proofs_check/*.py", "mkdocs.yml", "pyproject.toml", "setup.py", "docs/*.py"]


def naming(text, name):
    """Whether a file speaks of a study: as a string of its own, a module or a path."""
    return re.search(rf"""(["'`]){name}\1|studies[./]{name}\b|figures[./]{name}\b""", text) is not None


@pytest.mark.parametrize("name", registry.names())
def test_no_shared_file_names_it(name):
    paths = {path for pattern in SHARED for path in ROOT.glob(pattern) if not path.is_symlink()}
    assert len(paths) > 30
    found = [str(path.relative_to(ROOT)) for path in paths if naming(path.read_text("utf-8"), name)]
    assert not found


def test_a_shared_file_that_names_a_study_is_seen():
    assert naming('x = "phase"', "phase")
    assert naming("from lemmascope.sims.studies.phase import STUDY", "phase")
    assert not naming("the phase of the moon", "phase")


def test_a_store_is_what_it_was_made_for(tmp_path):
    """The contract's own instrument: a part that is damaged would be seen."""
    part = xr.Dataset({"x": ("seed", np.arange(3.0))})
    with Store.create_or_open(tmp_path / "s", {"study": "x"}, "code", ["a"], resume=False, force=False) as store:
        store.write(0, part)
        (file,) = (tmp_path / "s" / "parts").glob("*.npz")
        assert json_key(file) == "a"
        xr.testing.assert_identical(store.read(0), part)


@every
@pytest.mark.parametrize("width", pictures.WIDTHS)
def test_each_picture_is_readable_at_both_widths(which, ran, width, tmp_path, monkeypatch):
    """No text smaller than 6 points, on other text or outside; in a column 3.25 inches wide, as it is saved."""
    *_, result = ran
    saved = FIGURES[which]
    if width != "text":  # as the run drew them
        saved = []
        monkeypatch.setattr(common, "save", lambda figure, *rest: saved.append(figure) or [])
        pictures.save(result, tmp_path, width)
    assert saved
    for figure in saved:
        assert width == "text" or figure.get_figwidth() == 3.25
        assert faults(figure) == []
