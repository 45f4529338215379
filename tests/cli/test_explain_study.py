"""What is known of a study before it runs: said, refused unless it is confirmed, and nothing is computed for it."""

import pytest

from lemmascope.sims import registry
from tests.cli.test_claims import keep
from tests.cli.test_study_command import TOY

MARK = '    with open("computed", "a") as file:\n        file.write("x")\n'
COUNTING = TOY.replace("def toss(task):\n", f"def toss(task):\n{MARK}")


@pytest.fixture
def toy(call_cli, tmp_path):
    """The command of the toy, whose tasks leave a mark, with other text in places."""

    def run(*arguments, command="run", **changes):
        text = COUNTING
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "toy.py").write_text(text)
        return call_cli(command, "toy.py", *arguments, COLUMNS="300")

    run.computed = lambda: (tmp_path / "computed").read_text() if (tmp_path / "computed").exists() else ""
    run.folder = tmp_path
    return run


SECONDS = ('    subject="coins",', '    subject="coins", seconds=1000.0,')
RARE = ('source="user", measure=near', 'source="user", probability=0.9, measure=near')


@pytest.mark.parametrize("command", [["run", "toy.py", "--explain"], ["explain", "toy.py"]], ids=["flag", "command"])
def test_a_study_of_ones_own_is_explained(toy, call_cli, command):
    toy("--help", seconds=SECONDS, rare=RARE)
    found = call_cli(*command, "--seeds", "6", COLUMNS="300")
    assert found.exit_code == 0, found.output
    for text in (
        "toy: cells, 12 parts (6 seed × 2 bias)",
        "tosses = 100, seeds = 6, biases = [0.0, 0.25]",
        "Memory and disc: the study does not say",
        "Time: about 25 min on two cores.",
        "Claims: 0 of 1 can be decided.",
        "Not decided at this size: toy.near: 6 seeds are too few, --seeds 29 decides.",
        "toy.py was run to read its definitions, and its axes and costs were asked; no task was run.",
    ):
        assert text in found.stdout
    assert toy.computed() == ""
    assert {path.name for path in toy.folder.iterdir()} == {"toy.py"}


@pytest.mark.parametrize("name", registry.names())
def test_each_study_of_the_house_is_explained(call_cli, tmp_path, name):
    found = call_cli("explain", name, "--quick")
    assert found.exit_code == 0
    assert call_cli(name, "--explain", "--quick").stdout == found.stdout
    for word in ("Memory: about", "Disc: about", "Time: about", "can be decided"):
        assert word in found.stdout
    assert not list(tmp_path.iterdir())
    assert call_cli("explain", name, "--nonsense").exit_code == 2


def test_what_takes_more_than_a_day_is_confirmed(toy):
    longer = ("compute=toss)}", "compute=toss, cost=lambda s, at: s.tosses)}")
    found = toy("--tosses", "1e5", seconds=SECONDS, longer=longer)
    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1] == (
        "lemmascope: toy would take about 12 days on two cores; --explain says what would run, --yes runs it all the "
        "same."
    )
    assert toy.computed() == ""
    assert not (toy.folder / "results").exists()
    assert toy("--tosses", "1e5", "--yes", seconds=SECONDS, longer=longer).exit_code == 0
    assert toy("--tosses", "1e3", "--out", "short", seconds=SECONDS, longer=longer).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["headline", "--iterations", "1e15"], "years on two cores"),
        (["phase", "--cells", "1000"], "days on two cores"),
        (["phase", "--cells", "31623"], "it must be at most 1000"),
        (["scaling", "--exact"], "years on two cores"),
        (["scaling", "--seeds", "1e9"], "at most 1000000"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_absurd_sizes_of_the_house_are_refused_before_anything_is_done(call_cli, tmp_path, arguments, says):
    found = call_cli(*arguments)
    assert found.exit_code == 2
    assert says in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_decided_is_said_before_and_is_as_expected(toy):
    """The seeds of a size, against a probability that they cannot show: it ends well, and says what decides."""
    found = toy(rare=RARE)
    assert found.exit_code == 0, found.output
    first, *rest = found.stdout.splitlines()
    assert first == "Not decided at this size: toy.near: 4 seeds are too few, --seeds 29 decides."
    assert any("INCONCLUSIVE" in line and "not decided at this size: 4 seeds are too few" in line for line in rest)
    assert rest[-1].startswith("1 of 1 verdicts as expected: 1 INCONCLUSIVE; ")
    assert "Not decided" not in toy("--seeds", "29", "--out", "many", rare=RARE).stdout


def test_there_is_nothing_to_resume(toy):
    found = toy("--tiny", "--resume", "--out", "fresh")
    assert found.exit_code == 0
    assert "there is nothing in fresh to resume; it begins anew" in found.stdout
    assert "nothing in" not in toy("--tiny", "--resume", "--out", "fresh").stdout


def test_each_size_has_results_of_its_own(toy, call_cli):
    for size in ("--tiny", "--quick", "--full"):
        assert toy(size, "--tosses", "7").exit_code == 0
    assert toy("--tosses", "7").exit_code == 0
    folders = {path.name for path in (toy.folder / "results").iterdir()}
    assert folders == {"toy", "toy-tiny", "toy-quick", "toy-full"}
    assert toy("--quick", "--tosses", "8").exit_code == 2  # that folder holds other settings


MISTAKES = {
    "measure": ('evidence["off"].max("bias"), upper', 'evidence["of"].max("bias"), upper'),
    "evidence": ('data["cells"], "the coin"', 'data["cell"], "the coin"'),
    "summary": ("summary=lambda result: [repr(result.settings)]", "summary=lambda result: [result.seting]"),
    "tables": ('[["coin", "many"]]', '[["coin", 3]]'),
    "pictures": (
        "    summary=",
        '    pictures=lambda: [ls.Picture("p", lambda result: 1 / 0, lambda result: "")],\n    summary=',
    ),
}


@pytest.mark.parametrize("place", MISTAKES)
def test_mistakes_after_the_tasks_are_found_before_them(toy, place):
    """At the size tiny: two tasks are computed, and none of the eight that were asked for."""
    found = toy(mistake=MISTAKES[place])
    assert found.exit_code == 2
    assert "at its size tiny, tried before anything else" in found.stderr
    assert toy.computed() == "xx"
    assert not list(toy.folder.rglob("*.npz"))


def test_where_nothing_is_wrong_the_rehearsal_is_silent(toy):
    found = toy("--seeds", "3")
    assert found.exit_code == 0
    assert toy.computed() == "x" * (2 + 6)
    assert "tiny" not in found.output.replace(str(toy.folder), "")
    assert toy("--seeds", "3", "--resume").exit_code == 0
    assert toy.computed() == "x" * (2 + 6)


def test_studies_show_what_is_saved_of_the_default_size_and_say_so(call_cli, tmp_path):
    keep(tmp_path / "results" / "scaling", [{"as_expected": True}, {"as_expected": False}])
    for other in ("scaling-quick", "a-copy", "zz"):
        keep(tmp_path / "results" / other, [{"as_expected": True}] * 3)
    found = call_cli("studies", COLUMNS="300")
    assert found.exit_code == 0
    assert " 1/2 " in found.stdout
    assert "3/3" not in found.stdout
    assert (
        "saved in results/STUDY: of the default size, and one on each evidence that a claim is about." in found.stdout
    )
