"""The site: `make docs` builds it with Sphinx, and fails on every warning.

Pages are Markdown, and read well where they lie. What is done here and not by a library:

- blocks ``<!-- build NAME … -->`` of a page are made when it is built, from the sources and the saved verdicts;
- formulas become MathML, which a browser draws without a script;
- a site that would load anything from the network is refused.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

project = "lemmascope"
author = "the lemmascope authors"
copyright = "the lemmascope authors, MIT licence"
version = release = installed("lemmascope")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = [
    "*.py",
    *(
        f"changes/{path.name}" for path in (HERE / "changes").glob("[a-z]*.md") if path.stem != "index"
    ),  # notes, one line each
]

myst_enable_extensions = ["dollarmath"]
myst_dmath_allow_space = False
myst_dmath_allow_digits = False
myst_heading_anchors = 4  # links to headings, as where the pages lie

default_role = "py:obj"  # `Claim` in a docstring is a link, where the name has a page
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = "lemmascope"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would be fetched, which a page from a file must not
pygments_style = "friendly"
pygments_dark_style = "monokai"

BLOCK = re.compile(r"<!-- build (\w+)((?: [^\s>]+)*) -->")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src", "video": "src"}
FOLLOWED = ("canonical", "next", "prev", "search", "index", "author", "license", "copyright")
"""What a link of a page's head may be without being loaded."""


def mathml(formula: str, display: str = "inline") -> str:
    """A formula of LaTeX as MathML.

    Raises:
        ValueError: it has a command that is not known, or cannot be read.
    """
    from latex2mathml.converter import convert

    try:
        found = convert(formula, display=display)
    except Exception as error:
        raise ValueError(f"{formula} cannot be read ({type(error).__name__}: {error})") from error
    # Where TeX sets a thin space: between an operator's name and what it is applied to.
    found = re.sub(r"(<mi>[a-z]{2,}</mi>)(?=<m(?:i|n|sub|frac|sqrt)\b)", r'\1<mspace width="0.167em"/>', found)
    unknown = re.search(r"<m(?:i|o|text)>(\\[A-Za-z]+)</m", found)
    if unknown:
        raise ValueError(f"{formula}: {unknown[1]} is not known")
    return found


class _Loaded(HTMLParser):
    """The addresses that a page loads when it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect them."""
        named = dict(attrs)
        loads = named.get(LOADS.get(tag, ""))
        if tag == "link" and named.get("rel") not in FOLLOWED:
            loads = named.get("href")
        if loads:
            self.found.append(loads)


def loaded_from_elsewhere(page: str) -> list[str]:
    """Addresses outside of the site that a page's HTML loads; a link that a reader may follow is not loaded."""
    reader = _Loaded()
    reader.feed(page)
    return [address for address in reader.found if re.match(r"(https?:)?//", address)]


PAGES = {
    "Start": ["start"],
    "Studies": ["studies/index", "studies/*"],
    "What is proved": ["proofs", "identities"],
    "How to": ["how-to/*"],
    "Reference": ["reference/api", "reference/command", "reference/*"],
    "Explanation": ["explanation/how-it-works", "explanation/decisions", "explanation/*"],
    "Changes": ["changes/index", "changes/*"],
}
"""What stands at the side of every page; a new page is found by its file."""


def contents(saved: Any, page: Path) -> str:
    """All pages, for the side."""
    return "\n\n".join(
        "\n".join(["```{toctree}", ":hidden:", ":glob:", f":caption: {title}", "", *pages, "```"])
        for title, pages in PAGES.items()
    )


def command(saved: Any, page: Path) -> str:
    """What ``--help`` says, of the command and of each of its commands."""
    import click

    from lemmascope.cli.main import app

    def said(one: click.Command, name: str, parent: click.Context | None = None) -> str:
        with click.Context(one, info_name=name, parent=parent, terminal_width=110, max_content_width=110) as ctx:
            return f"```text\n{one.get_help(ctx)}\n```"

    parts = [said(app, "lemmascope")]
    with click.Context(app, info_name="lemmascope") as above:
        for name in app.list_commands(above):
            one = app.get_command(above, name)
            assert one is not None
            parts += [f"## {name}", said(one, name, above)]
    return "\n\n".join(parts)


def _blocks(app: Any, docname: str, source: list[str]) -> None:
    from lemmascope.sims.report import documents

    saved, page = documents.Saved(HERE.parent), Path(app.env.doc2path(docname))
    makers = {**documents.BUILT, "contents": contents, "command": command}
    if BLOCK.search(source[0]):
        app.env.note_reread()  # what it is made of lies elsewhere
    source[0] = BLOCK.sub(lambda found: makers[found[1]](saved, page, *found[2].split()), source[0])


def _formula(self: Any, node: Any) -> None:
    from docutils import nodes

    block = isinstance(node, nodes.math_block)
    made = mathml(node.astext(), "block" if block else "inline")
    self.body.append(f'<div class="formula">{made}</div>' if block else made)
    raise nodes.SkipNode


def _bars(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings write |x| for a magnitude; reStructuredText would look a substitution up."""
    for k, line in enumerate(lines):
        parts = re.split(r"(``.*?``|`.*?`)", line)
        lines[k] = "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)


def _offline(app: Any, error: Exception | None) -> None:
    from sphinx.errors import ExtensionError

    for path in [] if error else sorted(Path(app.outdir).rglob("*.html")):
        elsewhere = loaded_from_elsewhere(path.read_text(encoding="utf-8"))
        if elsewhere:
            raise ExtensionError(f"{path.name} loads {', '.join(elsewhere)}; everything must lie in the site")


def setup(app: Any) -> dict[str, bool]:
    """Connect all this."""
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    app.connect("source-read", _blocks)
    app.connect("autodoc-process-docstring", _bars, priority=400)  # before the sections are read
    app.connect("build-finished", _offline)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
