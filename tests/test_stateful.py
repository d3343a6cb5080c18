"""Any order of what a caller can do, compared with dictionaries after every step."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from replica import (
    Migration,
    MomentUnknown,
    NotRestored,
    Replica,
    State,
    StoreUnreachable,
    Transaction,
)
from tests.dictionary_model import CONFLICTS, Content, Log, ModelReplica
from tests.stores import ManualClock, MemoryStore, open_replica, unreachable

MIGRATIONS = (
    Migration(
        1,
        "tables",
        "CREATE TABLE notes (name TEXT PRIMARY KEY NOT NULL, text TEXT, stars INTEGER);"
        "CREATE TABLE scores (game TEXT NOT NULL, player INTEGER NOT NULL, points INTEGER,"
        " PRIMARY KEY (game, player)) WITHOUT ROWID",
    ),
)
TABLES = ("notes", "scores")
CONFLICT_COLUMNS = (
    "transaction_id, sequence, table_name, row_key, column_name, resolution, kept, lost"
)

# Few rows and few values, so that writers meet.
NAMES = st.sampled_from(["ann", "bob"])
TEXTS = st.sampled_from([None, "", "red", "blue"])
NUMBERS = st.sampled_from([None, 0, 1, 7])
PLAYERS = st.sampled_from([1, 2])

Step = Callable[[Transaction, Content], None]
"""A statement for the database, and the same for a dictionary."""


def _insert_note(name: str, text: str | None, stars: int | None) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        sql = "INSERT INTO notes VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
        transaction.execute(sql, (name, text, stars))
        content.setdefault(("notes", (name,)), (text, stars))

    return step


def _write_note(name: str, text: str | None) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        transaction.execute("UPDATE notes SET text = ? WHERE name = ?", (text, name))
        if ("notes", (name,)) in content:
            content["notes", (name,)] = (text, content["notes", (name,)][1])

    return step


def _rate_note(name: str, stars: int | None) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        transaction.execute("UPDATE notes SET stars = ? WHERE name = ?", (stars, name))
        if ("notes", (name,)) in content:
            content["notes", (name,)] = (content["notes", (name,)][0], stars)

    return step


def _rename_note(old: str, new: str) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        transaction.execute("UPDATE OR REPLACE notes SET name = ? WHERE name = ?", (new, old))
        if ("notes", (old,)) in content:
            content["notes", (new,)] = content.pop(("notes", (old,)))

    return step


def _delete_note(name: str) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        transaction.execute("DELETE FROM notes WHERE name = ?", (name,))
        content.pop(("notes", (name,)), None)

    return step


def _clear_notes() -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        transaction.execute("DELETE FROM notes")
        for row in [row for row in content if row[0] == "notes"]:
            del content[row]

    return step


def _score(game: str, player: int, points: int | None) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        sql = (
            "INSERT INTO scores VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET points = excluded.points"
        )
        transaction.execute(sql, (game, player, points))
        content["scores", (game, player)] = (points,)

    return step


def _delete_score(game: str, player: int) -> Step:
    def step(transaction: Transaction, content: Content) -> None:
        sql = "DELETE FROM scores WHERE (game, player) = (?, ?)"
        transaction.execute(sql, (game, player))
        content.pop(("scores", (game, player)), None)

    return step


def _steps_about(names: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    return st.one_of(
        st.builds(_insert_note, names, TEXTS, NUMBERS),
        st.builds(_write_note, names, TEXTS),
        st.builds(_rate_note, names, NUMBERS),
        st.builds(_rename_note, names, NAMES),
        st.builds(_delete_note, names),
        st.builds(_clear_notes),
        st.builds(_score, names, PLAYERS, NUMBERS),
        st.builds(_delete_score, names, PLAYERS),
    )


TRANSACTIONS = st.lists(_steps_about(NAMES), min_size=1, max_size=3)


def _meeting(name: str) -> st.SearchStrategy[list[Step]]:
    """A row to begin with, and three changes."""
    row = st.builds(_insert_note, st.just(name), TEXTS, NUMBERS)
    changes = st.lists(_steps_about(st.just(name)), min_size=3, max_size=3)
    return st.builds(lambda first, others: [first, *others], row, changes)


def _first_meeting(name: str) -> st.SearchStrategy[list[Step]]:
    inserts = st.builds(_insert_note, st.just(name), TEXTS, NUMBERS)
    return st.lists(inserts, min_size=4, max_size=4)


# Mostly of rows that are not there yet.
FIRST_MEETINGS = st.sampled_from("abcdefgh").flatmap(_first_meeting)
MEETINGS = NAMES.flatmap(_meeting) | FIRST_MEETINGS
PLACES = st.integers(0, 2)
FAULTS = st.tuples(st.booleans(), st.booleans())
"""Whether the claim has its effect, and whether looking for it fails too."""

WAYS = st.sampled_from(["sync_now", "tick", "snapshot"])


class Place:
    """One machine: its disk, what is open there, and what the model says of it.

    ``trusts_place``: since it was opened and since its last error it has seen its newest entry
    in the log, so that its next claim goes out at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open: Replica | None = None
        self.known: ModelReplica | None = None
        self.trusts_place = False

    @property
    def replica(self) -> Replica:
        assert self.open is not None
        return self.open

    @property
    def model(self) -> ModelReplica:
        assert self.known is not None
        return self.known


class Replicas(RuleBasedStateMachine):
    """Three replicas of one log."""

    def __init__(self) -> None:
        super().__init__()
        # Memory, if there is any to be had as a folder: each commit is synced.
        in_memory = Path("/dev/shm")
        parent = in_memory if os.access(in_memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="stateful-", dir=parent))
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)
        self.log = Log()
        self.seeds = itertools.count()
        self.places = [Place(self.folder / str(number) / "x.db") for number in range(3)]

    @initialize()
    def begin(self) -> None:
        self.open(self.places[0])
        self.commit(self.places[0], [_insert_note("ann", "red", None), _score("ann", 1, 7)])
        self.commit(self.places[0], [_insert_note("bob", None, 1)])
        self.everybody_synchronises()
        for place in self.places[1:]:
            self.open(place)

    @rule(writes=st.lists(st.tuples(PLACES, TRANSACTIONS), min_size=1, max_size=4))
    def write(self, writes: list[tuple[int, list[Step]]]) -> None:
        for at, steps in writes:
            self.commit(self.places[at], steps)

    @rule(
        writers=st.permutations([0, 1, 2]),
        steps=MEETINGS,
        known=st.booleans(),
        looking=st.booleans(),
    )
    def write_at_once(
        self, writers: list[int], steps: list[Step], known: bool, looking: bool
    ) -> None:
        """All change one row on what they know, and publish one after the other.

        ``looking``: those who come later take each entry before they publish themselves.
        """
        if known:
            self.commit(self.places[writers[0]], [steps[0]])
            self.everybody_synchronises()
        for at, step in zip(writers, steps[1:], strict=True):
            self.commit(self.places[at], [step])
        for at in writers:
            self.synchronise(at, "sync_now", away=False)
            for place in self.places if looking else []:
                self.look(place)

    @rule(at=PLACES, steps=TRANSACTIONS)
    def write_in_vain(self, at: int, steps: list[Step]) -> None:
        place = self.places[at]
        with pytest.raises(apsw.ConstraintError):
            _write_in_vain(place.replica, steps)

    @rule(at=PLACES, how=WAYS, away=st.booleans())
    def synchronise(self, at: int, how: str, away: bool) -> None:
        place = self.places[at]
        if away:
            with self.without_store(), pytest.raises(StoreUnreachable):
                getattr(place.replica, how)()
            self.failed_away(place)
        else:
            getattr(place.replica, how)()
            self.synchronised(place)

    @rule(
        at=PLACES,
        more=TRANSACTIONS | st.just([]),
        fault=FAULTS,
        meanwhile=st.booleans(),
        on=st.booleans(),
    )
    def claim_badly(
        self, at: int, more: list[Step], fault: tuple[bool, bool], meanwhile: bool, on: bool
    ) -> None:
        """The next claim fails, or its answer is lost, and so perhaps is the look at the log.

        Then things go on: here, and ``meanwhile`` elsewhere.
        """
        place, other = self.places[at], self.places[at - 1]
        if not place.trusts_place:
            self.synchronise(at, "sync_now", away=False)
        self.commit(place, [_score("bob", 2, self.log.head)])
        self._claim_badly(place, *fault)
        if on:
            self.commit(place, more)
            if meanwhile:
                self.commit(other, [_score("ann", 2, self.log.head)])
                self.synchronise(at - 1, "sync_now", away=False)
            self.synchronise(at, "sync_now", away=False)

    def _claim_badly(self, place: Place, after_effect: bool, read_too: bool) -> None:
        lost_race = place.model.sequence < self.log.head
        error = unreachable("put", "log/")
        self.store.fail("put", "log/", error=error, after_effect=after_effect)
        if read_too:
            self.store.fail("get", "log/", error=unreachable("get", "log/"))
        if read_too or not (after_effect or lost_race):
            with pytest.raises(StoreUnreachable):
                place.replica.sync_now()
            place.model.claim()
            if after_effect:
                place.model.publish_claim()
            place.trusts_place = False
        else:
            place.replica.sync_now()
            self.synchronised(place)
        assert not self.store.faults

    @rule(at=PLACES, data=st.data())
    def restore_to(self, at: int, data: st.DataObject) -> None:
        place = self.places[at]
        place.model.synchronise()
        sequence = data.draw(st.integers(1, self.log.head + 1))
        place.trusts_place = sequence <= self.log.head
        if sequence > self.log.head:
            with pytest.raises(MomentUnknown):
                place.replica.restore_to(sequence)
            return
        then = self.log.content(sequence)
        before = self.log.head
        place.model.restore_to(sequence)
        done = self.log.head if self.log.head > before else None
        assert place.replica.restore_to(sequence) == done
        assert _rows(place.replica) == _without_conflicts(then)

    @rule(at=PLACES, flush=st.booleans(), away=st.booleans())
    def close_and_open(self, at: int, flush: bool, away: bool) -> None:
        place = self.places[at]
        if away:
            # What is pending stays so, and more can be written before the store is back.
            with self.without_store():
                place.replica.close(60)
                self.failed_away(place)
                place.open = self.new_replica(place.path)
                with pytest.raises(StoreUnreachable):
                    place.replica.restore()
            return
        if flush:
            place.model.publish_pending()
        place.replica.close(60 if flush else 0)
        self.open(place)

    @rule(at=PLACES, away_first=st.booleans())
    def wipe(self, at: int, away_first: bool) -> None:
        place = self.places[at]
        place.replica.close(0)
        place.known = None
        shutil.rmtree(place.path.parent)
        if away_first:
            place.open = self.new_replica(place.path)
            with self.without_store(), pytest.raises(StoreUnreachable):
                place.replica.restore()
            with pytest.raises(NotRestored), place.replica.read():
                pass
            place.replica.sync_now()
            self.synchronised(place)
        else:
            self.open(place)

    @rule()
    def everybody_synchronises(self) -> None:
        everybody = [place for place in self.places if place.known is not None]
        for place in (*everybody, *everybody):
            place.replica.sync_now()
            self.synchronised(place)
        for place in everybody:
            assert _content(place.replica) == self.log.content(self.log.head)
            assert place.replica.status().state is State.OK

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        for place in self.places:
            if place.known is None:
                continue
            status, pending = place.replica.status(), len(place.model.pending)
            assert (status.sequence, status.pending_transactions) == (place.model.sequence, pending)
            assert _content(place.replica) == place.model.content
            conflicts = len(place.model.content) - len(_without_conflicts(place.model.content))
            assert status.conflicts == conflicts
            if place.trusts_place:
                assert status.state is (State.PENDING if pending else State.OK)

    def teardown(self) -> None:
        try:
            if self.places[0].known is not None:
                self.everybody_synchronises()
                self.new_machines_get_the_same()
        finally:
            for place in self.places:
                if place.open is not None:
                    place.open.close(0)
            shutil.rmtree(self.folder)

    def new_machines_get_the_same(self) -> None:
        """From a snapshot, if there is one, and from the very beginning."""
        for _ in range(2):
            path = self.folder / "fresh" / "x.db"
            fresh = self.new_replica(path)
            fresh.restore()
            assert _content(fresh) == self.log.content(self.log.head)
            fresh.close(0)
            shutil.rmtree(path.parent)
            for key in [key for key in self.store.objects if not key.startswith(("log/", "bas"))]:
                self.store.delete(key)

    @contextmanager
    def without_store(self) -> Iterator[None]:
        self.store.away = True
        try:
            yield
        finally:
            self.store.away = False

    def new_replica(self, path: Path) -> Replica:
        return open_replica(
            path,
            self.store,
            migrations=MIGRATIONS,
            tables=TABLES,
            fetch_workers=1,
            clock=self.clock,
            random=Random(next(self.seeds)),
        )

    def open(self, place: Place) -> None:
        place.open = self.new_replica(place.path)
        self.look(place)

    def look(self, place: Place) -> None:
        """Take what is newer; publish nothing."""
        place.replica.restore()
        place.trusts_place = True
        if place.known is None:
            place.known = ModelReplica(self.log)
        else:
            place.model.catch_up()

    def commit(self, place: Place, steps: list[Step]) -> None:
        content = dict(place.model.content)
        with place.replica.transaction() as transaction:
            for step in steps:
                step(transaction, content)
        place.model.commit(transaction.id, content)

    def synchronised(self, place: Place) -> None:
        place.trusts_place = True
        if place.known is None:
            place.known = ModelReplica(self.log)
        else:
            place.model.synchronise()

    def failed_away(self, place: Place) -> None:
        # A claim is kept before it is sent; without trust nothing is claimed at all.
        if place.trusts_place:
            place.model.claim()
        place.trusts_place = False


def _write_in_vain(replica: Replica, steps: list[Step]) -> None:
    with replica.transaction() as transaction:
        for step in steps:
            step(transaction, {})
        transaction.execute("INSERT INTO notes (name) VALUES (NULL)")


def _without_conflicts(content: Content) -> Content:
    return {row: values for row, values in content.items() if row[0] != CONFLICTS}


def _rows(replica: Replica) -> Content:
    with replica.read() as connection:
        execute = connection.execute
        notes = {("notes", (row[0],)): row[1:] for row in execute("SELECT * FROM notes")}
        return notes | {("scores", row[:2]): row[2:] for row in execute("SELECT * FROM scores")}


def _content(replica: Replica) -> Content:
    content = _rows(replica)
    with replica.read() as connection:
        for row in connection.execute(f"SELECT {CONFLICT_COLUMNS} FROM {CONFLICTS}"):
            content[CONFLICTS, row] = ()
    return content


ORDINARY = settings(
    max_examples=25,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


# A failure is made small before it is shown, and that takes its time.
@pytest.mark.timeout(400)
def test_replicas_hold_what_dictionaries_hold() -> None:
    run_state_machine_as_test(Replicas, settings=ORDINARY)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_replicas_hold_what_dictionaries_hold_at_length() -> None:
    long = settings(ORDINARY, derandomize=False, max_examples=500, stateful_step_count=60)
    run_state_machine_as_test(Replicas, settings=long)
