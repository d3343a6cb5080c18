"""What a season of use costs: `python -m benchmarks.season_cost`, which says how long it took.

The app plays 170 slates with two writers, daily backups and drills on a versioned bucket of a test
server; see `tests/season_of_use.py`. Requests are those in the server's own log; with --skip-looks
the looks for news are not sent but added, one GET each. Stored bytes are those of every version
that was put, for as long as the rules of infra/ let it be; now and then the server's own listing
has to agree with them. Beside them stand the calls that the app counted itself and what
`usage/cost_estimate.py` expected. Prints a table and writes season_cost.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.season_counts import Day, Season, StoredVersions, paid_versions
from tests.season_of_use import play_season
from usage.cost import MONTH, S3, Operation, Usage, bill_of, stored_byte_months
from usage.cost_estimate import Habits, Sizes, expected_usage

__all__ = ["NotTheSame", "figures_of", "main", "table"]

NIGHTS = 170
_MONTH_DAYS = MONTH.days
_AS_GET = {"HEAD": "GET"}


class NotTheSame(RuntimeError):
    """What the server lists is not what was put there: the count cannot be trusted."""


def figures_of(season: Season) -> dict[str, Any]:
    """The season in months of some thirty days, each brought to thirty; plain values for JSON.

    Raises NotTheSame where the server's own listing contradicts what the app has put there.
    """
    require_same(season)
    months = [_month(season, first, last) for first, last in _months(len(season.days))]
    end = season.days[-1]
    # A look that was not sent would have been one GET.
    looks = Counter({Operation.GET: end.looks_left_out})
    return {
        "nights": season.nights,
        "days": len(season.days),
        "prices": f"{S3.name}, {S3.as_of.isoformat()}",
        "looks_left_out": end.looks_left_out,
        "season": {
            "server": _counts(_operations(end.requests) + looks),
            "app": _counts(_operations(_by_verb(end)) + looks),
            "estimate": _counts(expected_usage(Habits(), Sizes(), 1, len(season.days)).requests),
            "bytes_read": end.bytes_read,
        },
        "months": months,
        "stored_at_the_end": {
            group: {"bytes": found.current_bytes, "older_bytes": found.older_bytes}
            for group, found in sorted(end.stored.items())
        },
        "dearest_month_usd": max(month["usd"] for month in months),
        "dearest_month_usd_without_rules": max(month["usd_without_rules"] for month in months),
        "dearest_month_usd_estimate": max(month["usd_estimate"] for month in months),
    }


def require_same(season: Season) -> None:
    """Hold each of the server's listings against every put and delete until then."""
    for day in season.days:
        if not day.stored:
            continue
        earlier = [change for change in season.changes if change.moment <= day.ended_at]
        expected = sum(
            version.size_bytes
            for version in paid_versions(earlier)
            if version.until is None or version.until > day.ended_at
        )
        if expected != _bytes(day.stored):
            raise NotTheSame(f"{day.day}: put {expected:,}, listed {_bytes(day.stored):,} bytes")


def _months(days: int) -> list[tuple[int, int]]:
    """First and last day of parts of about thirty days, counted from 0."""
    parts = max(1, round(days / _MONTH_DAYS))
    edges = [round(days * part / parts) for part in range(parts + 1)]
    return [(first, last - 1) for first, last in pairwise(edges)]


def _month(season: Season, first: int, last: int) -> dict[str, Any]:
    share = _MONTH_DAYS / (last - first + 1)
    begin_day = season.days[first - 1] if first else None
    end_day = season.days[last]
    begin = season.days[first].ended_at - timedelta(days=1)
    sent = end_day.bytes_read - (begin_day.bytes_read if begin_day else 0)

    def usage(requests: Mapping[Operation, int], *, rules: bool) -> Usage:
        stored = stored_byte_months(
            paid_versions(season.changes, rules=rules), begin, end_day.ended_at
        )
        return _scaled(Usage(requests, stored, sent), share)

    before = _operations(begin_day.requests) if begin_day else Counter()
    left_out = end_day.looks_left_out - (begin_day.looks_left_out if begin_day else 0)
    server = _operations(end_day.requests) - before + Counter({Operation.GET: left_out})
    app = _operations(_by_verb(end_day)) + Counter({Operation.GET: left_out})
    app -= _operations(_by_verb(begin_day)) if begin_day else Counter()
    measured = usage(server, rules=True)
    expected = _scaled(expected_usage(Habits(), Sizes(), first + 1, last + 1), share)
    return {
        "first": season.days[first].day.isoformat(),
        "last": end_day.day.isoformat(),
        "server": _counts(measured.requests),
        "app": _counts(usage(app, rules=True).requests),
        "estimate": _counts(expected.requests),
        "stored_mb": round(measured.stored_byte_months / 1e6, 1),
        "stored_mb_without_rules": round(usage(server, rules=False).stored_byte_months / 1e6, 1),
        "stored_mb_estimate": round(expected.stored_byte_months / 1e6, 1),
        "sent_mb": round(measured.sent_bytes / 1e6, 1),
        "usd": _usd(measured),
        "usd_without_rules": _usd(usage(server, rules=False)),
        "usd_estimate": _usd(expected),
        "usd_by": {line.what: round(line.usd, 5) for line in bill_of(measured).lines},
    }


def _usd(usage: Usage) -> float:
    return round(bill_of(usage).total_usd, 5)


def _scaled(usage: Usage, share: float) -> Usage:
    return Usage(
        {operation: round(count * share) for operation, count in usage.requests.items()},
        usage.stored_byte_months * share,
        round(usage.sent_bytes * share),
    )


def _operations(requests: Mapping[str, int]) -> Counter[Operation]:
    found: Counter[Operation] = Counter()
    for verb, count in requests.items():
        found[Operation(_AS_GET.get(verb, verb))] += count
    return found


def _by_verb(day: Day) -> Counter[str]:
    verbs: Counter[str] = Counter()
    for (verb, _), count in day.calls.items():
        verbs[verb] += count
    return verbs


def _counts(requests: Mapping[Any, int]) -> dict[str, int]:
    return {one.value: requests.get(one, 0) for one in Operation}


def _bytes(stored: Mapping[str, StoredVersions]) -> int:
    return sum(one.current_bytes + one.older_bytes for one in stored.values())


def table(figures: Mapping[str, Any]) -> str:
    """The months in Markdown: the server's count, and the estimate behind a stroke."""
    heads = ["month", "PUT", "LIST", "GET", "stored, MB", "dollars", "without the rules"]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for number, month in enumerate(figures["months"], start=1):
        requests = [
            f"{month['server'][name]:,} / {month['estimate'][name]:,}"
            for name in ("PUT", "LIST", "GET")
        ]
        cells = [
            str(number),
            *requests,
            f"{month['stored_mb']:,.0f} / {month['stored_mb_estimate']:,.0f}",
            f"{month['usd']:.4f} / {month['usd_estimate']:.4f}",
            f"{month['usd_without_rules']:.4f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print and write; 1 if a month costs five cents or more."""
    parser = argparse.ArgumentParser(description="What a season of use costs.")
    parser.add_argument("--nights", type=int, default=NIGHTS, help="slates, from the first one on")
    parser.add_argument(
        "--skip-looks", action="store_true", help="leave out looks for news: one GET each, counted"
    )
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        began_at = datetime.now().astimezone()
        season = play_season(
            Path(name),
            chosen.nights,
            every_look=not chosen.skip_looks,
            told=lambda words: print(words, file=sys.stderr, flush=True),
        )
        seconds = (datetime.now().astimezone() - began_at).total_seconds()
    figures = figures_of(season)
    print(table(figures))
    print(f"\nThe server's count / the estimate. {figures['prices']}. Played in {seconds:,.0f} s.")
    chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return int(figures["dearest_month_usd"] >= 0.05)


if __name__ == "__main__":
    sys.exit(main())
