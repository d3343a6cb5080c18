"""``python -m tests.simulation --seeds 5000 --first 0``; ``--seed 123 --trace`` for one story."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter

# The order of a set of texts must not depend on the process.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])

from tests.simulation.broken import VARIANTS, find_defect
from tests.simulation.claims import FLOORS
from tests.simulation.variants import Variant
from tests.simulation.world import Failed, run

_LAST_LINES = 60


def main() -> int:
    """Run seeds until one fails; 1 then."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="tell all that happens")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--variant", choices=[*VARIANTS, "all"], help="with a deliberate defect")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON only")
    options = parser.parse_args()
    first, count = (options.first, options.seeds) if options.seed is None else (options.seed, 1)
    if options.variant:
        names = [*VARIANTS] if options.variant == "all" else [options.variant]
        return max(_find(VARIANTS[name], first, count, trace=options.trace) for name in names)
    began, counts, failed = time.perf_counter(), Counter[str](), 0
    for seed in range(first, first + count):
        try:
            counts += run(seed, print if options.trace else lambda line: None)
        except Failed as failure:
            failed += 1
            _tell(failure, traced=options.trace, briefly=options.keep_going)
            if not options.keep_going:
                return 1
    if options.json:
        print(json.dumps(counts))
    else:
        _print_counts(counts, count, time.perf_counter() - began)
    return 1 if failed else 0


def _find(variant: Variant, first: int, count: int, *, trace: bool) -> int:
    """Run seeds until the defect is found; 1 if it is not."""
    began = time.perf_counter()
    for seed in range(first, first + count):
        failure = find_defect(variant, seed)
        if failure is not None:
            if trace:
                print(*failure.trace, sep="\n")
            seconds = time.perf_counter() - began
            print(
                f"{variant.name}: found by seed {seed} after {seconds:.1f} s: {failure.violation}"
            )
            return 0
    print(f"{variant.name}: not found with {count} seeds")
    return 1


def _tell(failure: Failed, *, traced: bool, briefly: bool) -> None:
    if not traced and not briefly:
        print(*failure.trace[-_LAST_LINES:], sep="\n")
    print(f"seed {failure.seed} failed: {failure.violation}")
    print(f"its story: python -m tests.simulation --seed {failure.seed} --trace", flush=True)


def _print_counts(counts: Counter[str], seeds: int, seconds: float) -> None:
    for name in sorted(counts):
        mark = "*" if name in FLOORS else " "
        print(f"{mark} {name:40} {counts[name]:8}")
    print(f"{seeds} seeds in {seconds:.1f} s, {1000 * seconds / max(seeds, 1):.0f} ms each")


if __name__ == "__main__":
    sys.exit(main())
