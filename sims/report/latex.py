r"""LaTeX as it would be read aloud, for a terminal: ``$\frac{a+1}{b} \le \hat\sigma$`` as (a+1)/b ≤ σ̂."""

from __future__ import annotations

__all__ = ["readable"]

import re
import unicodedata

SIGNS = {
    **{"le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "~", "equiv": "≡"},
    **{"ll": "≪", "gg": "≫", "pm": "±", "mp": "∓", "cdot": "·", "times": "×", "ast": "*", "circ": "∘", "prime": "′"},
    **{"in": "∈", "notin": "∉", "to": "→", "rightarrow": "→", "mapsto": "↦", "gets": "←", "iff": "⇔", "implies": "⇒"},
    **{"infty": "∞", "partial": "∂", "nabla": "∇", "sum": "Σ", "prod": "Π", "int": "∫", "ell": "ℓ", "forall": "∀"},
    **{"exists": "∃", "langle": "⟨", "rangle": "⟩", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|", "mid": "|"},
    **{"dots": "…", "ldots": "…", "cdots": "⋯", "cup": "∪", "cap": "∩", "subset": "⊂", "propto": "∝", "odot": "⊙"},
    **{"left": "", "right": "", "big": "", "bigl": "", "bigr": "", "Big": "", "displaystyle": "", "limits": ""},
    **{"quad": "  ", "qquad": "  ", ",": " ", ";": " ", ":": " ", "!": "", " ": " ", "|": "‖", "\\": "; "},
}
HAT, BAR, TILDE, DOT = "\u0302", "\u0304", "\u0303", "\u0307"
ACCENTS = {"hat": HAT, "widehat": HAT, "bar": BAR, "overline": BAR, "tilde": TILDE, "widetilde": TILDE, "dot": DOT}
TOKEN = re.compile(r"\\(?:[A-Za-z]+\s?|.)|.", re.DOTALL)


def readable(text: str) -> str:
    """A text with its LaTeX written in signs; one without any is left as it is.

    A fraction keeps its brackets, and an unknown command its name.
    """
    if "$" not in text and not re.search(r"\\[A-Za-z,;!|]", text):
        return text
    tokens = TOKEN.findall(text.replace("$", ""))[::-1]
    return re.sub(r" +", " ", _read(tokens)).strip()


def _read(tokens: list[str], closing: str = "") -> str:
    """What stands before the closing token, or the end."""
    found = ""
    while tokens and tokens[-1] != closing:
        found += _one(tokens)
    if tokens:
        tokens.pop()
    return found


def _one(tokens: list[str]) -> str:
    """The next token with what belongs to it; "" at the end."""
    if not tokens:
        return ""
    token = tokens.pop()
    if token == "{":
        return _read(tokens, "}")
    if token in "_^":
        return f"{token}{_bracketed(_one(tokens))}"
    if token in "}~&":
        return " "
    name = token[1:].rstrip()
    if not token.startswith("\\") or not name:
        return token
    space = token[len(name) + 1 :]
    if name in ("frac", "tfrac", "dfrac"):
        return f"{_bracketed(_one(tokens))}/{_bracketed(_one(tokens))}"
    if name == "sqrt":
        return f"√{_bracketed(_one(tokens))}"
    if name in ACCENTS:
        return f"{_one(tokens)}{ACCENTS[name]}"
    if name in SIGNS:
        return f"{SIGNS[name]}{space}"
    try:
        size = "CAPITAL" if name[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {name.removeprefix('var').upper()}") + space
    except KeyError:
        return "" if name.startswith(("math", "text", "operatorname")) else f"{name}{space}"


def _bracketed(text: str) -> str:
    """With brackets, where it is more than a name or a number."""
    text = text.strip()
    bare = "".join(c for c in text if not unicodedata.combining(c))
    return text if re.fullmatch(r"[^\W\d]\w*|[\d.]+", bare) or len(bare) < 2 else f"({text})"
