"""JUnit's XML: what a server of continuous integration reads in it."""

from xml.etree import ElementTree as ET

import pytest

from lemmascope.sims.report.junit import Outcome, as_xml

OUTCOMES = ("skipped", "error", "failure")
CHILDREN = {"testsuites": {"testsuite"}, "testsuite": {"testcase"}, "testcase": {*OUTCOMES}}
REQUIRED = {"testsuite": {"name", "tests"}, "testcase": {"name", "classname"}}
COUNTS = {"time", "tests", "failures", "errors", "disabled"}
OPTIONAL = {
    "testsuites": COUNTS | {"name"},
    "testsuite": COUNTS | {"skipped", "timestamp", "hostname", "id", "package"},
    "testcase": {"time", "status", "assertions"},
}


def checked(data):
    """The document, held to Jenkins's schema of it, and its counts to what is in it."""
    root = ET.fromstring(data)
    assert root.tag == "testsuites"
    for one in root.iter():
        assert {child.tag for child in one} <= CHILDREN.get(one.tag, set())
        required = REQUIRED.get(one.tag, set())
        assert required <= set(one.attrib) <= required | OPTIONAL.get(one.tag, {"message", "type"})
        assert one.tag != "testcase" or len(one) <= 1
        if one.tag in ("testsuites", "testsuite"):
            cases = list(one.iter("testcase"))
            counts = {"tests": len(cases)}
            for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                counts[name] = sum(case.find(tag) is not None for case in cases)
            assert all(int(one.attrib[name]) == n for name, n in counts.items() if name in one.attrib)
            assert float(one.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in cases))
    return root


def test_each_outcome_is_where_a_reader_looks_for_it():
    tests = [
        Outcome("passes", 0.25),
        Outcome("fails", 0.5, "failure", "2 for 1", "in full:\n2 for 1"),
        Outcome("breaks", 0.0, "error", "it raises"),
        Outcome("left", 0.0, "skipped", "takes no γ"),
    ]
    root = checked(as_xml("mine", {"SGD": tests, "GD": tests[:1]}))
    assert root.attrib == {"name": "mine", "tests": "5", "failures": "1", "errors": "1", "time": "1.000"}
    first, second = root
    assert (first.attrib["name"], first.attrib["skipped"], second.attrib["tests"]) == ("SGD", "1", "1")
    assert [[child.tag for child in case] for case in first] == [[], ["failure"], ["error"], ["skipped"]]
    failure = first[1][0]
    assert (failure.attrib["message"], failure.text) == ("2 for 1", "in full:\n2 for 1")
    assert first[1].attrib["classname"] == "SGD"
    assert first[3][0].attrib["message"] == "takes no γ"


@pytest.mark.parametrize("text", ["\x1b[31m", "\x00", "\ud800", "\ufffe", 'a"<b>&', "é γ ∇", "\u202e"])
def test_any_text_is_xml(text):
    root = checked(as_xml("mine", {text: [Outcome(text, 0.0, "failure", text, text)]}))
    said = root[0][0][0].attrib["message"]
    assert said == text or said.startswith("\\")


def test_nothing_is_a_document_too():
    assert len(checked(as_xml("mine", {}))) == 0
