"""axe-core in a page of the browser tests: what would keep people from using it.

The program is vendored (`tests/vendor/axe-core`), so that no test asks the network for it. It sees
roles, names, colours of text and order; it does not see what is drawn on a canvas.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["AXE", "AXE_SHA256", "GRAVE", "Finding", "findings", "told"]

AXE = Path(__file__).resolve().parent / "vendor" / "axe-core" / "axe.min.js"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"

GRAVE = frozenset({"serious", "critical"})
"""The impacts that no screen may have."""

_RUN = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"]});
    const places = element => {
        const names = [];
        for (let one = element; one; one = one.parentElement)
            if (one.dataset?.testid) names.unshift(one.dataset.testid);
        return names.slice(-3).join(" > ");
    };
    return violations.flatMap(({id, impact, help, nodes}) => nodes.map(node => {
        const selector = node.target.flat().join(" ");
        const element = node.target.length === 1 && typeof node.target[0] === "string"
            ? document.querySelector(node.target[0]) : null;
        return {
            rule: id,
            impact: node.impact ?? impact,
            help,
            selector,
            place: places(element),
            html: node.html,
            summary: node.failureSummary ?? "",
        };
    }));
}"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One element that breaks one rule.

    Attributes:
        rule: axe's name of the rule, such as color-contrast.
        impact: minor, moderate, serious or critical.
        help: the rule in words.
        selector: leads to the element.
        place: the innermost parts of Streamlit around it, outermost first.
        html: how the element begins.
        summary: what would mend it.
    """

    rule: str
    impact: str
    help: str
    selector: str
    place: str
    html: str
    summary: str


def findings(page: Page, impacts: frozenset[str] = GRAVE) -> list[Finding]:
    """What axe's own choice of rules finds in the whole page as it is drawn now."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source())
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [finding for finding in (Finding(**one) for one in found) if finding.impact in impacts]


def told(found: list[Finding]) -> str:
    """The findings for the message of a test."""
    return "\n\n".join(
        f"{one.rule} ({one.impact}): {one.help}\n  in {one.place or 'the page'}: {one.html[:300]}\n"
        f"  {one.summary}"
        for one in found
    )


@cache
def _source() -> str:
    content = AXE.read_bytes()
    if hashlib.sha256(content).hexdigest() != AXE_SHA256:
        raise AssertionError(
            f"{AXE.name} is not the published file: see README.md beside it for where to get it"
        )
    return content.decode("utf-8")
