"""Reports: one page that needs nothing, runs nothing, and says what it was told and no more."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest

from exports import drawing_process
from exports.drawing import draw
from exports.errors import DrawingFailed
from exports.report import (
    MOST_ROWS,
    Column,
    Drawing,
    Fact,
    Report,
    Section,
    Table,
    html_of,
)
from jobs.errors import EXPLAINED
from tests.axe import findings, told
from tests.browser import launched_browser
from tests.needs import require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = """<script>document.title = 'x'</script>'"&><img src=//example.com onerror=alert(1)>"""
MADE_AT = datetime(2026, 11, 20, 1, 30, tzinfo=timezone(timedelta(hours=2)))
COLUMNS = (Column("Player"), Column("PTS", numeric=True))
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="700" height="90"><rect width="9"/></svg>'


def report_of(words: str, rows: int = 2, *, in_all: int | None = None) -> Report:
    """Everything that a report can have, with `words` in each place."""
    table = Table(words, (Column(words), COLUMNS[1]), [(words, "1.5")] * rows, in_all)
    section = Section(words, f"{words}\n\n{words}", (Drawing(SVG, words),), (table,))
    fact = Fact(words, words)
    return Report(words, MADE_AT, (fact,), (fact,), (section,))


class Elements(HTMLParser):
    """What a browser would see: elements with their attributes, and the texts outside of styles."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip() and self.elements[-1][0] != "style":
            self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_every_text_is_shown_and_none_is_taken_for_markup() -> None:
    page = Elements(html_of(report_of(EVIL)))
    plain = Elements(html_of(report_of("plain")))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    # In a title nothing is markup, and there it is followed by the app's name.
    assert [text.replace("plain", EVIL) for text in plain.texts] == page.texts
    assert [image["alt"] for image in page.named("img")] == [EVIL]


def test_it_loads_nothing_and_runs_nothing() -> None:
    text = html_of(report_of("plain"))
    page = Elements(text)
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed", "a", "form", "base"})
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert [image["src"] for image in page.named("img")] == [
        "data:image/svg+xml;base64," + base64.b64encode(SVG.encode()).decode()
    ]
    for word in (b"http:", b"https:", b"url(", b"@import", b"javascript:"):
        assert word not in text
    [policy] = [
        meta["content"]
        for meta in page.named("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_it_says_when_it_was_made_in_utc_and_that_it_is_no_advice() -> None:
    page = Elements(html_of(report_of("plain")))
    assert "2026-11-19 23:30 UTC" in page.texts
    assert page.texts[-1] == "Made with NBA Daily. Projections are no betting advice."


@pytest.mark.parametrize(
    ("rows", "in_all", "told"),
    [
        (2, None, None),
        (MOST_ROWS, MOST_ROWS, None),
        (MOST_ROWS + 1, None, "1 more row is left out"),
        (MOST_ROWS, 1_000_225, "999,225 more rows are left out"),
        (3, 20, "The first 3 rows are shown; 17 more rows are left out"),
    ],
)
def test_a_long_table_says_how_many_rows_are_left_out(
    rows: int, in_all: int | None, told: str | None
) -> None:
    page = Elements(html_of(report_of("plain", rows, in_all=in_all)))
    assert len(page.named("tr")) == 1 + min(rows, MOST_ROWS)
    said = [text for text in page.texts if "left out" in text]
    assert len(said) == (told is not None)
    assert told is None or told in said[0]


def test_tables_say_what_they_are_and_what_heads_a_column() -> None:
    page = Elements(html_of(report_of("plain")))
    assert len(page.named("caption")) == len(page.named("table")) == 1
    assert [heading["scope"] for heading in page.named("th")] == ["col", "col"]


def test_half_a_character_does_not_lose_the_page() -> None:
    assert b"Luka ?" in html_of(report_of("Luka \ud83c"))


def test_what_cannot_be_right_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        html_of(replace(report_of("plain"), made_at=datetime(2026, 11, 20)))  # noqa: DTZ001
    table = Table("Players", COLUMNS, [("Luka", "1", "2")])
    with pytest.raises(ValueError, match="3 texts, not 2"):
        html_of(replace(report_of("plain"), sections=(Section("Players", tables=(table,)),)))


# Charts -------------------------------------------------------------------------------------------


def chart(name: str = "Luka") -> dict[str, Any]:
    """A line over two midnights; width and address-like column as pages have them."""
    data = pd.DataFrame(
        {"day": ["2026-11-20", "2026-11-21"], "points": [20.5, 31.0], "player": name, "url": name}
    )
    drawn: alt.Chart = alt.Chart(data, width="container", height=150).mark_line()
    return drawn.encode(x="day:T", y="points", color="player").to_dict()


def test_charts_are_drawn_in_order_with_the_readers_ink() -> None:
    code = (
        "import json, sys; from exports.drawing import draw\n"
        "pictures = draw(json.load(sys.stdin))\n"
        "print(json.dumps([pictures, 'vl_convert' in sys.modules]))"
    )
    evil = "<script>alert(1)</script>"
    day = {"field": "day", "type": "temporal", "format": "%d %b %H:%M"}
    dated = {"mark": "text", "data": {"values": [{"day": "2026-11-20"}]}, "encoding": {"text": day}}
    told = json.dumps([chart("Luka"), chart(evil), dated])
    root = Path(__file__).resolve().parent.parent
    # West of Greenwich, where midnight in UTC is the evening before.
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=told,
        capture_output=True,
        text=True,
        cwd=root,
        env={"TZ": "America/New_York", "PATH": "/usr/bin:/bin"},
        check=True,
    )
    pictures, is_library_here = json.loads(done.stdout)
    assert not is_library_here, "the app's own process keeps its memory"
    first, second, third = (ElementTree.fromstring(picture) for picture in pictures)
    assert float(first.attrib["width"]) > 640
    texts = ["".join(one.itertext()) for one in first.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Luka", "points"} <= set(texts)
    inks = {one.attrib["fill"] for one in first.iter("{http://www.w3.org/2000/svg}text")}
    assert inks == {"currentColor"}
    assert "prefers-color-scheme:dark" in pictures[0]
    assert evil in "".join(second.itertext())
    assert "20 Nov 00:00" in "".join(third.itertext())
    assert not list(second.iter("{http://www.w3.org/2000/svg}script"))


def test_no_charts_need_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_process, "__file__", "nothing")
    assert draw([]) == []


@pytest.mark.parametrize(
    ("specification", "told"),
    [
        ({"mark": "nonsense", "encoding": {}}, "TypeError"),
        ({"title": "no chart"}, "Invalid specification"),
        ({"mark": "bar", "data": {"url": "https://example.com/x.csv"}}, "stand elsewhere"),
        ({"mark": "bar", "data": {"url": "file:///etc/passwd"}}, "stand elsewhere"),
        ({"layer": [{"mark": {"type": "image", "url": "http://127.0.0.1/"}}]}, "stand elsewhere"),
    ],
)
def test_a_chart_that_cannot_be_drawn_is_explained(
    specification: dict[str, object], told: str
) -> None:
    with pytest.raises(DrawingFailed, match=told) as failed:
        draw([specification])
    assert isinstance(failed.value, EXPLAINED)
    assert "CSV" in failed.value.remedy


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import time\ntime.sleep(60)", "longer than 0.5 seconds"),
        ("import os\nos.kill(os.getpid(), 9)", "ended by signal 9"),
    ],
)
def test_a_process_that_hangs_or_is_ended_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, told: str
) -> None:
    # What a machine without memory does to it.
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    monkeypatch.setattr(drawing_process, "__file__", str(path))
    with pytest.raises(DrawingFailed, match=told):
        draw([chart()], timeout_seconds=0.5 if "sleep" in program else 30.0)


# In a browser -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched_browser(require_chromium()) as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_on_a_phone_without_asking_for_anything(
    chromium: Browser, tmp_path: Path, scheme: Any
) -> None:
    [picture] = draw([chart()])
    wide = Table("Wide", tuple(Column(f"Column {i}") for i in range(30)), [["Luka"] * 30] * 3)
    whole = report_of(EVIL)
    section = Section("Charts", drawings=(Drawing(picture, "Points by day"),), tables=(wide,))
    path = tmp_path / "report.html"
    path.write_bytes(html_of(replace(whole, sections=(*whole.sections, section))))

    context = chromium.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert page.title() == f"{EVIL} · NBA Daily"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(15, 18, 22)")
    found = findings(page)
    assert not found, told(found)
    context.close()
