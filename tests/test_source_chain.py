"""Asking several sources in order, leaving alone those that fail, and not asking too quickly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from nba.bronze import Document
from nba.sources.circuit import CircuitBreaker
from nba.sources.errors import (
    FileUnreadable,
    NothingAnswered,
    NotPublished,
    SourceError,
    SourcePaused,
    SourceRefused,
    SourceUnreachable,
)
from nba.sources.source import SourceChain
from nba.sources.throttle import Throttle
from nba.sources.wanted import Endpoint, Wanted
from tests.stores import ManualClock

BOX_SCORE = Wanted.box_score("0022400123")


class Scripted:
    """A source that does what it is told, and counts how often it is asked."""

    def __init__(self, name: str, clock: ManualClock, *endpoints: Endpoint) -> None:
        self.name = name
        self.fails: Callable[[Wanted], SourceError] | None = None
        self.asked = 0
        self._clock = clock
        self._endpoints = endpoints or tuple(Endpoint)

    def offers(self, wanted: Wanted) -> bool:
        return wanted.endpoint in self._endpoints

    def fetch(self, wanted: Wanted) -> Document:
        self.asked += 1
        if self.fails is not None:
            raise self.fails(wanted)
        return Document(self.name, wanted, self._clock(), b"{}")

    def fail(self, kind: type[SourceError], problem: str = "it is ill", wait: int = 0) -> None:
        self.fails = lambda wanted: kind(self.name, wanted, problem, timedelta(seconds=wait))


class Three:
    """The usual chain: live, stats, folder."""

    def __init__(self, clock: ManualClock) -> None:
        self.live = Scripted("nba-live", clock)
        self.stats = Scripted("nba-stats", clock)
        self.folder = Scripted("folder", clock)
        self.chain = SourceChain([self.live, self.stats, self.folder], clock)


@pytest.fixture
def three(clock: ManualClock) -> Three:
    return Three(clock)


def test_the_first_source_that_answers_is_the_last_that_is_asked(three: Three) -> None:
    assert three.chain.fetch(BOX_SCORE).source == "nba-live"
    assert (three.stats.asked, three.folder.asked) == (0, 0)


def test_a_chain_falls_through_to_the_end(three: Three) -> None:
    three.live.fail(SourceRefused)
    assert three.chain.fetch(BOX_SCORE).source == "nba-stats"
    three.stats.fail(SourceUnreachable)
    assert three.chain.fetch(BOX_SCORE).source == "folder"
    assert set(three.chain.failures) == {"nba-live", "nba-stats"}


def test_a_source_is_asked_only_for_what_it_offers(clock: ManualClock) -> None:
    live = Scripted("nba-live", clock, Endpoint.SCOREBOARD)
    stats = Scripted("nba-stats", clock, Endpoint.SCHEDULE)
    chain = SourceChain([live, stats], clock)
    assert chain.fetch(Wanted.schedule("2026-27")).source == "nba-stats"
    assert live.asked == 0
    with pytest.raises(NothingAnswered, match="no source that is asked has it") as caught:
        chain.fetch(Wanted.players("2026-27"))
    assert caught.value.failures == ()


def test_a_chain_of_no_sources_answers_nothing(clock: ManualClock) -> None:
    with pytest.raises(NothingAnswered):
        SourceChain([], clock).fetch(BOX_SCORE)


def test_when_all_fail_each_says_why(three: Three) -> None:
    three.live.fail(SourceRefused, "it answered 403")
    three.stats.fail(SourceUnreachable, "it did not answer within 20 s")
    three.folder.fail(NotPublished)
    with pytest.raises(NothingAnswered) as caught:
        three.chain.fetch(BOX_SCORE)
    # The folder works; that it has no such file is not why.
    assert [error.source for error in caught.value.failures] == ["nba-live", "nba-stats"]
    assert "nba-live: it answered 403; nba-stats: it did not answer" in str(caught.value)
    assert "0022400123" in str(caught.value)


def test_what_nobody_has_yet_is_no_failure(three: Three) -> None:
    for source in (three.live, three.stats, three.folder):
        source.fail(NotPublished)
    for _ in range(5):
        with pytest.raises(NotPublished):
            three.chain.fetch(BOX_SCORE)
    assert three.chain.failures == {}
    assert three.live.asked == 5


def test_failures_are_forgotten_with_the_next_success(three: Three) -> None:
    three.live.fail(SourceRefused, "first")
    three.chain.fetch(BOX_SCORE)
    seen = three.chain.failures
    assert seen["nba-live"].problem == "first"
    three.live.fails = None
    three.chain.fetch(BOX_SCORE)
    assert three.chain.failures == {}
    assert set(seen) == {"nba-live"}


def test_the_third_request_of_a_failing_source_is_not_sent(
    three: Three, clock: ManualClock
) -> None:
    three.live.fail(SourceUnreachable, "it did not answer within 20 s")
    for _ in range(3):
        assert three.chain.fetch(BOX_SCORE).source == "nba-stats"
    assert three.live.asked == 2
    # What is known of it is still why it failed, not that it rests.
    assert isinstance(three.chain.failures["nba-live"], SourceUnreachable)

    three.stats.fail(NotPublished)
    three.folder.fail(NotPublished)
    with pytest.raises(NothingAnswered) as caught:
        three.chain.fetch(BOX_SCORE)
    [paused] = caught.value.failures
    assert isinstance(paused, SourcePaused)
    assert paused.until == clock() + timedelta(minutes=10)
    assert "did not answer within 20 s" in str(paused)


def test_after_the_pause_one_try_decides(three: Three, clock: ManualClock) -> None:
    three.live.fail(SourceRefused)
    for _ in range(3):
        three.chain.fetch(BOX_SCORE)
    clock.advance(minutes=9, seconds=59)
    three.chain.fetch(BOX_SCORE)
    assert three.live.asked == 2

    clock.advance(seconds=1)
    three.chain.fetch(BOX_SCORE)
    three.chain.fetch(BOX_SCORE)
    assert three.live.asked == 3
    clock.advance(minutes=20)
    three.live.fails = None
    assert three.chain.fetch(BOX_SCORE).source == "nba-live"
    three.live.fail(SourceRefused)
    three.chain.fetch(BOX_SCORE)
    three.chain.fetch(BOX_SCORE)
    # Both were sent: a success makes up for all failures before it.
    assert three.live.asked == 6


def test_not_published_between_two_failures_proves_a_source_alive(three: Three) -> None:
    three.live.fail(SourceUnreachable)
    three.chain.fetch(BOX_SCORE)
    three.live.fail(NotPublished)
    three.chain.fetch(BOX_SCORE)
    three.live.fail(SourceUnreachable)
    three.chain.fetch(BOX_SCORE)
    three.chain.fetch(BOX_SCORE)
    assert three.live.asked == 4


def test_a_broken_file_does_not_keep_the_others_from_being_read(three: Three) -> None:
    three.live.fail(NotPublished)
    three.stats.fail(NotPublished)
    three.folder.fail(FileUnreadable)
    for _ in range(3):
        with pytest.raises(NothingAnswered):
            three.chain.fetch(BOX_SCORE)
    assert three.folder.asked == 3
    assert set(three.chain.failures) == {"folder"}


def test_a_source_that_asks_to_be_left_alone_is(three: Three, clock: ManualClock) -> None:
    three.live.fail(SourceRefused, "it answered 429", wait=90)
    three.chain.fetch(BOX_SCORE)
    clock.advance(seconds=89)
    three.chain.fetch(BOX_SCORE)
    assert three.live.asked == 1
    clock.advance(seconds=1)
    three.chain.fetch(BOX_SCORE)
    assert three.live.asked == 2


def test_an_error_that_is_no_source_error_is_not_swallowed(three: Three) -> None:
    def broken(wanted: Wanted) -> SourceError:
        raise ZeroDivisionError

    three.live.fails = broken
    with pytest.raises(ZeroDivisionError):
        three.chain.fetch(BOX_SCORE)
    three.live.fails = None
    assert three.chain.fetch(BOX_SCORE).source == "nba-live"


def test_pauses_double_up_to_two_hours(clock: ManualClock) -> None:
    circuit = CircuitBreaker(clock)
    circuit.failed()
    after_one = circuit.open_until
    assert after_one is None
    minutes = []
    for _ in range(6):
        circuit.failed()
        until = circuit.open_until
        assert until is not None
        minutes.append((until - clock()).total_seconds() / 60)
        clock.now = until
        afterwards = circuit.open_until
        assert afterwards is None
    assert minutes == [10, 20, 40, 80, 120, 120]
    for _ in range(2000):
        circuit.failed()
    assert circuit.open_until == clock() + timedelta(hours=2)


def test_a_wait_of_days_is_not_waited_for(clock: ManualClock) -> None:
    circuit = CircuitBreaker(clock)
    circuit.failed(timedelta(days=3))
    assert circuit.open_until == clock() + timedelta(hours=2)
    circuit.succeeded()
    assert circuit.open_until is None


def test_requests_keep_their_distance() -> None:
    seconds, slept = [100.0], []

    def sleep(duration: float) -> None:
        slept.append(duration)
        seconds[0] += duration

    throttle = Throttle(0.6, lambda: seconds[0], sleep)
    throttle.wait()
    assert slept == []
    seconds[0] += 0.2
    throttle.wait()
    assert slept == [pytest.approx(0.4)]
    throttle.wait()
    assert slept[1:] == [pytest.approx(0.6)]
    seconds[0] += 3
    throttle.wait()
    assert len(slept) == 2
