"""One run: what happens is drawn from the seed, then everything is mended, then it is checked."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

from replica import EntryRefused, ForeignLog, Replica, RolledBack, snapshots
from tests.simulation.actor import Actor, Process, Surroundings
from tests.simulation.bucket import Bucket, Late, SimulatedClock
from tests.simulation.checker import check
from tests.simulation.claims import Claims
from tests.simulation.disks import local_seams
from tests.simulation.model import MIGRATIONS, Model
from tests.simulation.operations import HALTS, TIDY_UP, Operations
from tests.simulation.owner import Owner
from tests.simulation.safekeeping import Safekeeping
from tests.simulation.violations import Violation
from tests.simulation.wire import CALM, WEATHERS

__all__ = ["Failed", "run"]

_FAST = Path("/dev/shm")
_MOST_ROUNDS = 30
_PATIENCE = 30
_CAREFUL, _CARELESS = (60, 10, 100, 250, 500, 60, 80), (10, 6, 5, 2, 3, 3, 5)
_DENIALS = (("get",), ("get",), ("put",), ("list",), ("get", "put", "list"))


class Failed(AssertionError):
    """A run that broke an invariant, with all that is needed to look at it."""

    def __init__(self, seed: int, violation: BaseException, trace: list[str]) -> None:
        self.seed = seed
        self.violation = violation
        self.trace = trace
        super().__init__(f"seed {seed}: {violation}")


def run(seed: int, tell: Callable[[str], None] = lambda line: None) -> Counter[str]:
    """Run one seed; what happened how often. Raises Failed. ``tell`` gets the trace as it grows."""
    # In memory where that is possible: a commit waits for the disk.
    beside = _FAST if _FAST.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=beside))
    trace: list[str] = []

    def note(line: str) -> None:
        # The same words in every process that replays it.
        trace.append(line.replace(str(folder), "."))
        tell(trace[-1])

    world = _World(seed, folder, note)
    try:
        # One is kept where the engine keeps some more: a run is short, and pruning is part of it.
        kept = patch.object(snapshots, "KEPT_SNAPSHOTS", 1)
        with local_seams(folder, world.reached), kept:
            try:
                world.play()
                world.heal()
                world.check()
            finally:
                world.end()
    except Exception as error:
        raise Failed(seed, error, trace) from error
    finally:
        shutil.rmtree(folder)
    return world.around.counts


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a seed has in store besides the ordinary; steps are None for never.

    ``crowded``: all write and publish at the same time, again and again, and nobody dies.
    ``careful``: much is kept, looked at and gone back to; ``spoils``: what is kept rots, or is
    forged.
    """

    steps: int
    crowded: bool
    deploy_at: int | None
    lose_at: int | None
    put_back_at: int | None
    damage_at: int | None
    careful: bool
    spoils: bool


class _World:
    def __init__(self, seed: int, folder: Path, tell: Callable[[str], None]) -> None:
        self._random = random = Random(seed)
        counts: Counter[str] = Counter()
        claims = Claims(counts)
        bucket = Bucket(SimulatedClock(random), landed=claims.landed)
        self.around = Surroundings(
            seed=seed,
            random=random,
            folder=folder,
            bucket=bucket,
            claims=claims,
            model=Model(),
            counts=counts,
            tell=tell,
            weather=random.choices(WEATHERS, (2, 2, 3, 3))[0],
        )
        newest = len(MIGRATIONS)
        self._plan = self._draw_plan()
        if not self._plan.crowded:
            self.around.crash_rate = random.choice((0.0, 0.001, 0.003, 0.009))
        deploys = self._plan.deploy_at is not None
        versions = [
            random.choice((1, 1, newest)) if deploys else newest
            for _ in range(4 if self._plan.crowded else random.choice((2, 3, 3, 4)))
        ]
        names = "ABCD"
        self._actors = [
            Actor(self.around, name, version)
            for name, version in zip(names, versions, strict=False)
        ]
        self._owner = Owner(self.around, self._actors)
        self._safekeeping = Safekeeping(self.around, self._plan.spoils)
        self._operations = Operations(
            self.around, self._owner, set(versions), stormy=self.around.weather != CALM
        )
        tell(f"seed {seed}: {self._plan}, versions {versions}, {self.around.weather}")

    def play(self) -> None:
        """Everything at once, for as many steps as the plan has."""
        for actor in self._actors:
            if self._random.random() < 0.8:
                self._start(actor)
        for step in range(self._plan.steps):
            self._follow_plan(step)
            self._step()

    def heal(self) -> None:
        """Good weather, newest programs, every disk in a machine; until nothing moves any more."""
        around, random = self.around, self._random
        around.tell("everything is mended")
        around.weather, around.crash_rate = CALM, 0.0
        for actor in self._actors:
            if actor.process is not None:
                actor.process.wire.weather = CALM
                actor.process.wire.denied = frozenset()
        while any(actor.busy for actor in self._actors):
            self._go_on(random.choice([actor for actor in self._actors if actor.busy]))
        for late in list(around.bucket.late):
            if random.random() < 0.5:
                around.bucket.land(late)
        around.bucket.late.clear()
        self._use_newest_programs()
        self._owner.mend_damage()
        if self._owner.before_loss is not None and random.random() < 0.5:
            self._owner.put_back()
        self._owner.show()
        self._sync_until_quiet()

    def check(self) -> None:
        """The invariants, against the model."""
        replicas: dict[str, Replica] = {}
        for actor in self._actors:
            assert actor.process is not None
            replicas[actor.name] = actor.process.replica
        held = {name for actor in self._actors for name in actor.acknowledged}
        kept = self._safekeeping
        check(self.around, replicas, held, self._operations.observations, kept.plans, kept.spoiled)
        counts, bucket = self.around.counts, self.around.bucket
        counts["transactions"] += len(self.around.model.written)
        counts["reported durable"] += len(self.around.model.durable)
        counts["entries"] += bucket.head()
        counts["snapshots made"] += sum(key.startswith("snapshots/") for key in bucket.bodies)
        counts["snapshots pruned"] += len(bucket.deleted)

    def end(self) -> None:
        """Let go of all files, whatever has happened."""
        for actor in self._actors:
            if actor.process is not None:
                actor.process.dead = True
                actor.process.close()

    def reached(self, path: str, what: str) -> None:
        for actor in self._actors:
            actor.reached(path, what)

    def _draw_plan(self) -> _Plan:
        random = self._random
        steps = random.randrange(130, 260)

        def some_time(probability: float, first: float, last: float) -> int | None:
            if random.random() >= probability:
                return None
            return int(steps * random.uniform(first, last))

        deploy_at = some_time(0.5, 0.3, 0.8)
        lose_at = some_time(0.3, 0.3, 0.9)
        put_back_at = None
        if lose_at is not None and random.random() < 0.4:
            put_back_at = random.randrange(lose_at, steps)
        damage_at = some_time(0.08, 0.4, 0.9) if lose_at is None else None
        crowded = random.random() < 0.2
        careful, spoils = random.random() < 0.3, random.random() < 0.4
        steps += 240 * careful
        return _Plan(steps, crowded, deploy_at, lose_at, put_back_at, damage_at, careful, spoils)

    def _follow_plan(self, step: int) -> None:
        plan, owner = self._plan, self._owner
        if step == plan.deploy_at:
            for actor in self._actors:
                if actor.version < len(MIGRATIONS) and self._random.random() < 0.7:
                    self._deploy(actor)
        if plan.lose_at is not None and step >= plan.lose_at and not self._operations.unsound:
            # The worst moment is while a claim is under way; it is waited for, but not for ever.
            claiming = any(a.process and a.process.wire.claiming for a in self._actors)
            if claiming or step >= plan.lose_at + _PATIENCE:
                self._operations.unsound |= owner.lose()
        if plan.put_back_at is not None and step >= plan.put_back_at and owner.before_loss:
            owner.put_back()
        if step == plan.damage_at:
            self._operations.unsound |= owner.damage()
        if step % 8 == 0:
            owner.copy()

    def _step(self) -> None:
        """One thing that can happen now, drawn by weight."""
        random = self._random
        weighted: list[tuple[float, Callable[[], None]]] = []
        for actor in self._actors:
            if actor.process is None:
                weighted.append((2.0, partial(self._start, actor)))
                continue
            if actor.busy:
                weighted.append((9.0, partial(self._go_on, actor)))
            else:
                weighted.append((5.0, partial(self._begin, actor)))
            if actor.process.wire.denied:
                weighted.append((1.0, partial(self._allow, actor.process)))
            if actor.process.restored:
                weighted.append((3.0, partial(self._operations.write, actor)))
        for late in self.around.bucket.late:
            weighted.append((self._owner.likelihood(late), partial(self._land, late)))
        weighted.append((0.5, self._disturb))
        weighted.append((6.0 if self._plan.crowded else 0.4, self._crowd))
        _, happen = random.choices(weighted, [weight for weight, _ in weighted])[0]
        happen()

    def _start(self, actor: Actor) -> None:
        actor.start()
        if actor.process is not None:
            self._operations.begin(actor, "restore", actor.process.replica.restore)

    def _go_on(self, actor: Actor) -> None:
        self._operations.go_on(actor)

    def _begin(self, actor: Actor) -> None:
        process, random = actor.process, self._random
        assert process is not None
        replica = process.replica
        gone = isinstance(process.last_error, RolledBack | ForeignLog)
        if gone and self._plan.put_back_at is None and random.random() < 0.5:
            self._operations.begin(actor, *self._owner.decision(actor))
            return
        if not process.restored:
            self._operations.begin(actor, "restore", replica.restore)
            return
        waiting = self._operations.has_waiting(actor)
        name = random.choices(
            ("sync", "tick", "snapshot", "back up", TIDY_UP, "drill", "plan", "restore", "stop"),
            (120 if waiting else 20, *(_CAREFUL if self._plan.careful else _CARELESS), 4),
        )[0]
        match name:
            case "sync":
                self._operations.begin(actor, name, replica.sync_now)
            case "tick":
                self._operations.begin(actor, name, replica.tick)
            case "snapshot":
                self._operations.begin(actor, name, replica.snapshot)
            case "back up":
                label = random.choices(("manual", "daily", "before-restore"), (1, 6, 2))[0]
                self._operations.begin(actor, name, lambda: self._safekeeping.back_up(actor, label))
            case name if name == TIDY_UP:
                self._operations.begin(actor, name, lambda: self._safekeeping.tidy_up(actor))
            case "drill":
                self._safekeeping.drill(actor)
            case "plan":
                source = self._safekeeping.some_source(replica.status().sequence)
                plan = partial(self._safekeeping.plan, process, source)
                self._operations.begin(actor, f"plan to {source}", plan)
            case "restore":
                self._restore(actor, process)
            case _:
                actor.stop()

    def _restore(self, actor: Actor, process: Process) -> None:
        """Go back to somewhere."""
        source = self._safekeeping.some_source(process.replica.status().sequence)
        waiting = any(
            other is not actor and other.process is not None and self._operations.has_waiting(other)
            for other in self._actors
        )
        self.around.counts["restores"] += 1
        self.around.counts["restores under writes"] += waiting
        restore = partial(self._safekeeping.restore, process, source)
        self._operations.begin(actor, f"restore to {source}", restore)

    def _crowd(self) -> None:
        """Everybody who is free writes and publishes at the same time; somebody may restore."""
        random = self._random
        for actor in self._actors:
            if actor.idle and actor.process is not None and actor.process.restored:
                self._operations.write(actor)
        ready = [a for a in self._actors if a.idle and a.process and a.process.restored]
        restores = random.choice(ready) if ready and random.random() < 0.25 else None
        for actor in ready:
            assert actor.process is not None
            if actor is restores:
                self._restore(actor, actor.process)
            else:
                self._operations.begin(actor, "sync", actor.process.replica.sync_now)

    def _land(self, late: Late) -> None:
        self.around.tell(f"a late create of {late.key} by {late.owner} arrives")
        self.around.bucket.land(late)

    def _disturb(self) -> None:
        """A power cut, a change of permissions, or some days go by."""
        random = self._random
        actor = random.choice(self._actors)
        process = actor.process
        if process is None:
            self.around.bucket.clock.jump()
        elif self.around.weather != CALM and random.random() < 0.75:
            denied = random.choice(_DENIALS)
            process.tell(f"may not {denied}")
            process.wire.denied = frozenset(denied)
        elif self.around.crash_rate:
            process.die("by a power cut")
            actor.bury()

    def _allow(self, process: Process) -> None:
        process.tell("may do everything again")
        process.wire.denied = frozenset()

    def _deploy(self, actor: Actor) -> None:
        """Put the newest program in the place of the running one."""
        if actor.process is not None:
            actor.stop()
        actor.version = len(MIGRATIONS)
        self._operations.versions.add(actor.version)
        self._start(actor)

    def _use_newest_programs(self) -> None:
        newest = max(self._operations.versions)
        for actor in self._actors:
            restarts = actor.version < newest or self._random.random() < 0.4
            if actor.process is not None and restarts:
                actor.stop(keep_disk=True)
            actor.version = newest
            if actor.process is None:
                actor.start()

    def _sync_until_quiet(self) -> None:
        """Everybody synchronises at once, round by round; a last one starts on an empty disk."""
        newcomer = Actor(self.around, "N", max(self._operations.versions))
        self._actors.append(newcomer)
        newcomer.start()
        for _ in range(_MOST_ROUNDS):
            processes = [actor.process for actor in self._actors if actor.process is not None]
            for actor, process in zip(self._actors, processes, strict=True):
                self._operations.begin(actor, "sync", process.replica.sync_now)
            while busy := [actor for actor in self._actors if actor.busy]:
                self._go_on(self._random.choice(busy))
            if all(p.last_error is None and not p.moved for p in processes):
                if not self._owner.unnoticed:
                    return
                self._owner.show()
            for actor, process in zip(self._actors, processes, strict=True):
                if isinstance(process.last_error, HALTS):
                    self._resolve(actor, process)
        errors = [(process.name, process.last_error) for process in processes]
        raise Violation("quiet", f"after {_MOST_ROUNDS} rounds things still move: {errors}")

    def _resolve(self, actor: Actor, process: Process) -> None:
        """Have the owner decide; a machine that holds nothing yet just tries again."""
        strays = isinstance(process.last_error, EntryRefused) and self._owner.remove_strays()
        if strays or not process.replica.status().sequence:
            return
        self._operations.begin(actor, *self._owner.decision(actor))
        while actor.busy:
            self._go_on(actor)
