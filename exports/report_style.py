"""How a report looks: light and dark, on a phone, and on paper."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #57606a; --paper: #ffffff;
  --raised: #f3f5f8; --line: #d3d8df; --focus: #1f6fc0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --quiet: #a7b0bb;
  --paper: #0f1216; --raised: #1a1f26; --line: #343b45; --focus: #6cb2f5; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.25rem 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
main, footer { max-width: 60rem; margin: 0 auto; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2rem 0 .5rem; }
p { max-width: 42rem; margin: .5rem 0; }
dl { display: flex; flex-wrap: wrap; margin: 0 0 1rem; }
dt { color: var(--quiet); font-size: .875rem; }
dd { margin: 0; }
.shows { gap: .25rem 1.5rem; }
.facts { gap: .75rem; }
.facts > div { flex: 1 1 9rem; padding: .75rem 1rem; border-radius: .5rem;
  background: var(--raised); }
.facts dd { font-size: 1.375rem; font-variant-numeric: tabular-nums; }
.frame { overflow-x: auto; margin: .75rem 0; overflow-wrap: normal; }
.frame img { display: block; max-width: max(100%, 36rem); height: auto; }
.frame:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .25rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
footer { margin-top: 2.5rem; color: var(--quiet); font-size: .875rem; }
@media print { .frame { overflow: visible; } .frame img { max-width: 100%; }
  tr, img { break-inside: avoid; } }
"""
"""The style sheet; colours of text have a contrast of 4.5 and more on both papers."""
