"""Results as JUnit's XML, which the servers of continuous integration read."""

from __future__ import annotations

__all__ = ["Outcome", "as_xml"]

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from lemmascope.sims.tables import harmless


@dataclass(frozen=True)
class Outcome:
    """One test.

    Attributes:
        name: unique in its suite.
        seconds: that it took.
        outcome: ``""`` if it passed.
        message: in a line, why it did not.
        text: the same in full.
    """

    name: str
    seconds: float = 0.0
    outcome: Literal["", "failure", "error", "skipped"] = ""
    message: str = ""
    text: str = ""


def as_xml(name: str, suites: Mapping[str, Sequence[Outcome]]) -> bytes:
    """A document with a suite for each entry; what XML has no letter for is shown by its escape.

    Elements and attributes are those of Jenkins's schema of JUnit's format, which pytest's files have too.
    """
    root = ET.Element("testsuites", {"name": name, **_counts([t for tests in suites.values() for t in tests])})
    root.attrib.pop("skipped")  # no attribute of the whole
    for suite, tests in suites.items():
        inner = ET.SubElement(root, "testsuite", {"name": harmless(suite), **_counts(tests)})
        for test in tests:
            case = {"name": harmless(test.name), "classname": harmless(suite), "time": f"{test.seconds:.3f}"}
            one = ET.SubElement(inner, "testcase", case)
            if test.outcome:
                said = ET.SubElement(one, test.outcome, {"message": harmless(test.message)})
                said.text = harmless(test.text, lines=True) or None
    ET.indent(root)
    found: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return found + b"\n"


def _counts(tests: Sequence[Outcome]) -> dict[str, str]:
    counts = Counter(test.outcome for test in tests)
    return {
        "tests": str(len(tests)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{sum(test.seconds for test in tests):.3f}",
    }
