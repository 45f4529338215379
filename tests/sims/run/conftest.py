"""What the tests of carrying out a study share."""

from pathlib import Path

import pytest
from recorded_tasks import compute, tasks_in, values

from lemmascope.sims import registry
from lemmascope.sims.run.parts import Kept
from lemmascope.sims.run.tasks import Threads, run_tasks
from lemmascope.sims.study import settings_of

TOY = Path(__file__).parents[2] / "toy_study.py"


@pytest.fixture(scope="session")
def computed(tmp_path_factory):
    """The parts of the recorded tasks, computed one after the other."""
    tasks = tasks_in(tmp_path_factory.mktemp("expected"))
    kept = Kept([task.key for task in tasks])
    run_tasks(compute, tasks, kept, Threads(1))
    return kept


@pytest.fixture(scope="session")
def expected(computed):
    """What they are, as bytes."""
    return values(computed)


@pytest.fixture
def toy():
    """A user's own study, in a file that nothing of the house knows."""
    return registry.load(TOY)


@pytest.fixture
def tiny_toy(toy):
    """Its settings of the size tiny."""
    return settings_of(toy.settings, "tiny")
