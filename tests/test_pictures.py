"""The pictures of an app: memory, disk, bucket, origin; counts; what fails leaves a badge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from images.decoding import Picture, redraw
from images.errors import CacheUnusable
from images.memory import TIME_TO_LIVE
from jobs.application import Application
from jobs.clock import Clock
from jobs.image_settings import ImageSettings
from jobs.picture_counts import Seen
from jobs.picture_shelf import IMAGES
from jobs.pictures import Pictures, Place
from replica import PutMode, StoreUnreachable
from replica.stores.s3 import S3Store
from tests.app_process import wait_for
from tests.applications import AFTERNOON, SwitchedStore, running, settings_for, use_store
from tests.image_server import HOST, ImageServer, Reply, drawn, image_server
from tests.servers import s3_options
from tests.stores import ManualClock
from tracking.image_catalogue import image_days, stored_image, write_image_day

JAMES, CURRY = 2544, 201939
IMAGES_ON = ImageSettings(
    (HOST,), f"https://{HOST}/{{player_id}}.png", f"https://{HOST}/teams/{{team}}.png"
)
TODAY = AFTERNOON.date()


def id_of(path: str) -> str:
    return hashlib.sha256(f"https://{HOST}{path}".encode()).hexdigest()


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageServer]:
    with image_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running_server: ImageServer) -> ImageServer:
    for emptied in (running_server.replies, running_server.addresses):
        emptied.clear()
    running_server.asked.clear()
    running_server.replies[f"/{JAMES}.png"] = Reply(drawn())
    running_server.replies["/teams/bos.png"] = Reply(drawn((500, 500)))
    return running_server


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> SwitchedStore:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    return store


@pytest.fixture
def application(
    store: SwitchedStore, tmp_path: Path, reference_path: Path, clock: ManualClock
) -> Iterator[Application]:
    with running(settings_for(tmp_path / "a", reference_path), clock, ticks=False) as application:
        yield application


@pytest.fixture
def opened(
    application: Application, server: ImageServer, clock: ManualClock, tmp_path: Path
) -> Iterator[Callable[..., Pictures]]:
    """A process's pictures: `disk` names its state folder."""
    made: list[Pictures] = []

    def open_one(disk: str = "disk", clock: Clock = clock) -> Pictures:
        settings = replace(application.settings, images=IMAGES_ON, state_folder=tmp_path / disk)
        network = server.network(connect_seconds=2.0, whole_seconds=2.0)
        made.append(Pictures(settings, clock, application._ready_state, network=network))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


def shown(pictures: Pictures, player_id: int = JAMES) -> Picture:
    """The picture as soon as it is there."""
    found: list[Picture] = []

    def look() -> bool:
        picture = pictures.player(player_id)
        found.extend([] if picture is None else [picture])
        return bool(found)

    wait_for(look, what="the picture", timeout_seconds=10)
    return found[0]


def settled(pictures: Pictures) -> None:
    wait_for(lambda: not pictures._waiting, what="nothing to wait", timeout_seconds=10)


def test_off_it_asks_nobody_and_starts_nothing(application: Application) -> None:
    pictures = application.pictures
    assert pictures.player(JAMES) is None
    assert pictures.team(1, "BOS") is None
    assert (pictures.shows_players, pictures.shows_teams) == (False, False)
    assert pictures._thread is None
    pictures.keep()
    assert pictures.problems == {}


def test_the_first_look_draws_a_badge_and_the_next_shows_the_picture(
    opened: Callable[..., Pictures], server: ImageServer, store: SwitchedStore
) -> None:
    pictures = opened()
    assert pictures.player(JAMES) is None
    picture = shown(pictures)
    assert (picture.width_pixels, picture.height_pixels) == (256, 187)
    assert picture.body[8:12] == b"WEBP"
    settled(pictures)
    assert store.objects[f"{IMAGES}{id_of(f'/{JAMES}.png')}"].body == picture.body
    assert server.asked == [(HOST, f"/{JAMES}.png")]
    assert pictures.team(1, "BOS") is None
    wait_for(lambda: pictures.team(1, "BOS") is not None, what="the mark", timeout_seconds=10)
    assert pictures.team(2, "NYK") is None
    assert (pictures.held, pictures.problems) == (2, {})


def test_memory_then_disk_then_bucket_then_origin(
    opened: Callable[..., Pictures], server: ImageServer, store: SwitchedStore
) -> None:
    first = opened()
    shown(first)
    settled(first)
    store.requests.clear()
    server.asked.clear()
    shown(first)
    shown(opened())
    assert store.requests == [], "memory and disk ask nobody"
    shown(opened("another"))
    assert store.requests == [("list", IMAGES), ("get", f"{IMAGES}{id_of(f'/{JAMES}.png')}")]
    shown(opened("another"))
    assert len(store.requests) == 2, "what came from the bucket is on the disk now"
    assert server.asked == []


def test_days_have_sums_and_new_pictures_a_row_in_one_transaction(
    opened: Callable[..., Pictures],
    application: Application,
    store: SwitchedStore,
    clock: ManualClock,
) -> None:
    clock.advance(hours=5)
    day_before, today, fetched_at = TODAY, clock().date(), clock()
    pictures = opened()
    picture = shown(pictures)
    assert pictures.player(CURRY) is None
    settled(pictures)
    replica = application._ready_state("look").replica

    def figures() -> dict[date, dict[str, int]]:
        with replica.read() as connection:
            return image_days(connection, day_before)

    pictures.keep()
    assert figures() == {}, "six hours are not over"
    clock.advance(hours=6)
    for _ in range(50):
        shown(pictures)
    sequence = replica.status().sequence
    pictures.keep()
    replica.sync_now()
    assert replica.status().sequence == sequence + 1
    assert list(figures()) == [today]
    day = figures()[today]
    assert day["shown"] == 51
    assert day["drawn"] >= 2
    assert (day["fetched"], day["failed"]) == (1, 1)
    assert day["fetched_bytes"] == len(drawn())
    with replica.read() as connection:
        row = stored_image(connection, id_of(f"/{JAMES}.png"))
    assert row is not None
    assert row.sha256 == picture.sha256 == hashlib.sha256(picture.body).hexdigest()
    assert (row.size_bytes, row.width_pixels, row.media_type) == (
        len(picture.body),
        256,
        "image/webp",
    )
    assert row.fetched_at == fetched_at
    pictures.keep()
    clock.advance(hours=7)
    pictures.keep()
    assert replica.status().pending_transactions == 0, "nothing was asked for since"
    shown(pictures)
    pictures.close()
    other = opened()
    shown(other)
    other.close()
    assert figures()[today]["shown"] == 53, "what two processes have counted"
    assert figures()[today]["from_disk"] == 1


def test_a_day_that_has_ended_is_kept_soon(
    opened: Callable[..., Pictures], application: Application, clock: ManualClock
) -> None:
    clock.advance(hours=3, minutes=59)
    pictures = opened()
    shown(pictures)
    clock.advance(minutes=2)
    pictures.keep()
    with application._ready_state("look").replica.read() as connection:
        assert list(image_days(connection, TODAY)) == [TODAY]


def test_a_months_pictures_of_all_processes_and_of_this_one_so_far(
    opened: Callable[..., Pictures], application: Application, clock: ManualClock
) -> None:
    replica = application._ready_state("look").replica
    with replica.transaction() as transaction:
        write_image_day(transaction, TODAY, "f" * 32, {"shown": 5})
        write_image_day(transaction, TODAY - timedelta(days=401), "f" * 32, {"shown": 5})
    pictures = opened()
    shown(pictures)
    assert pictures.player(JAMES, again=True) is not None, "a second look is not counted"
    assert pictures.seen(TODAY)[Seen.SHOWN] == 6
    clock.advance(hours=7)
    pictures.keep()
    shown(pictures)
    assert pictures.seen(TODAY)[Seen.SHOWN] == 7
    assert pictures.seen(clock().date() + timedelta(days=1))[Seen.SHOWN] == 0
    with replica.read() as connection:
        assert min(image_days(connection, date.min)) == TODAY, "long ago is let go"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_is_told_and_not_met_at_each_look(
    opened: Callable[..., Pictures], server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = opened()

    def broken(*_: object, **__: object) -> Picture:
        raise ZeroDivisionError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr("jobs.pictures.redraw", broken)
        for _ in range(3):
            assert pictures.player(JAMES) is None
            settled(pictures)
    assert len(server.asked) == 1
    assert isinstance(pictures.problems[Place.ORIGIN], ZeroDivisionError)
    wait_for(lambda: pictures.team(1, "BOS") is not None, what="the mark", timeout_seconds=10)


def test_what_the_disk_once_failed_to_read_is_no_problem_for_ever(
    opened: Callable[..., Pictures],
) -> None:
    first = opened()
    shown(first)
    settled(first)
    pictures = opened()
    pictures._note(Place.DISK, CacheUnusable("read", "the folder", "It failed.", "Look."))
    shown(pictures)
    settled(pictures)
    assert pictures.problems == {}


def test_what_is_no_picture_is_not_asked_for_again_that_day(
    opened: Callable[..., Pictures], server: ImageServer, clock: ManualClock
) -> None:
    pictures = opened()
    server.replies[f"/{CURRY}.png"] = Reply(b"<html>", "text/html")
    for _ in range(3):
        assert pictures.player(CURRY) is None
        settled(pictures)
    assert len(server.asked) == 1
    assert "says that it is text/html" in str(pictures.problems[Place.ORIGIN])
    clock.advance(hours=25)
    server.replies[f"/{CURRY}.png"] = Reply(drawn())
    shown(pictures, CURRY)
    assert pictures.problems == {}


def test_a_name_that_leads_inside_leaves_a_badge(
    opened: Callable[..., Pictures], server: ImageServer
) -> None:
    server.addresses[HOST] = ["169.254.169.254"]
    pictures = opened()
    assert pictures.player(JAMES) is None
    settled(pictures)
    assert pictures.player(JAMES) is None
    assert server.asked == []
    assert "not a public address" in str(pictures.problems[Place.ORIGIN])


def test_while_the_origin_is_away_it_has_its_peace_and_the_old_picture_stays(
    opened: Callable[..., Pictures], server: ImageServer, clock: ManualClock, store: SwitchedStore
) -> None:
    pictures = opened()
    before = shown(pictures)
    settled(pictures)
    clock.advance(seconds=TIME_TO_LIVE.total_seconds())
    server.replies[f"/{JAMES}.png"] = Reply(drawn()[:100], length=5000)
    server.asked.clear()
    store.requests.clear()
    for _ in range(3):
        assert shown(pictures) == before
        assert pictures.player(CURRY) is None
        settled(pictures)
    assert len(server.asked) == 1
    assert len(store.requests) == 1, "what is not in the listing is not asked for"
    clock.advance(minutes=11)
    server.replies[f"/{JAMES}.png"] = Reply(drawn((100, 100)))
    shown(pictures)
    wait_for(
        lambda: shown(pictures).width_pixels == 100, what="the new picture", timeout_seconds=10
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"",
        drawn()[:200],
        drawn((3000, 3000)),
        drawn((9, 9), "GIF", "P"),
        drawn() + b"0" * 2_000_000,
    ],
    ids=["web page", "nothing", "cut short", "many pixels", "another type", "many bytes"],
)
def test_what_lies_about_is_decoded_like_anything_else(
    opened: Callable[..., Pictures],
    server: ImageServer,
    store: SwitchedStore,
    tmp_path: Path,
    body: bytes,
) -> None:
    image_id = id_of(f"/{JAMES}.png")
    store.put(f"{IMAGES}{image_id}", body, PutMode.OVERWRITE)
    (tmp_path / "disk" / "images").mkdir(parents=True)
    (tmp_path / "disk" / "images" / f"{image_id}.webp").write_bytes(body)
    picture = shown(opened())
    assert picture.body == redraw(drawn(), "", most_side_pixels=256).body
    assert server.asked == [(HOST, f"/{JAMES}.png")]
    assert (tmp_path / "disk" / "images" / f"{image_id}.webp").read_bytes() == picture.body


def test_what_another_has_put_in_the_bucket_is_fetched_anew(
    opened: Callable[..., Pictures], store: SwitchedStore, clock: ManualClock, server: ImageServer
) -> None:
    first = opened()
    picture = shown(first)
    first.close()
    key = f"{IMAGES}{id_of(f'/{JAMES}.png')}"
    store.put(key, redraw(drawn((9, 9)), "").body, PutMode.OVERWRITE)
    assert shown(opened("another")) == picture
    assert len(server.asked) == 2


def test_what_is_too_large_is_not_even_read(
    opened: Callable[..., Pictures], store: SwitchedStore
) -> None:
    key = f"{IMAGES}{id_of(f'/{JAMES}.png')}"
    store.put(key, b"0" * 2_000_001, PutMode.OVERWRITE)
    store.requests.clear()
    pictures = opened()
    shown(pictures)
    settled(pictures)
    assert ("get", key) not in store.requests
    assert len(store.objects[key].body) < 10_000


def test_an_object_without_a_row_gets_one(
    opened: Callable[..., Pictures], application: Application, store: SwitchedStore
) -> None:
    """A process that is killed has put it there, and written no row."""
    body = redraw(drawn(), "").body
    store.put(f"{IMAGES}{id_of(f'/{JAMES}.png')}", body, PutMode.OVERWRITE)
    pictures = opened()
    shown(pictures)
    pictures.close()
    with application._ready_state("look").replica.read() as connection:
        row = stored_image(connection, id_of(f"/{JAMES}.png"))
    assert row is not None
    assert row.sha256 == hashlib.sha256(body).hexdigest()


def test_without_disk_and_bucket_pictures_are_shown_all_the_same(
    opened: Callable[..., Pictures], store: SwitchedStore, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_text("a file where the folder belongs")
    store.broken = StoreUnreachable
    pictures = opened()
    shown(pictures)
    settled(pictures)
    assert "Until then pictures are kept in memory" in str(pictures.problems[Place.DISK])
    assert "cannot be reached" in str(pictures.problems[Place.BUCKET])
    assert Place.ORIGIN not in pictures.problems
    shown(pictures)


def test_only_so_many_wait_at_once(
    opened: Callable[..., Pictures], server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = opened()
    pictures._stop.set()
    monkeypatch.setattr(pictures._stop, "is_set", lambda: False)
    monkeypatch.setattr(pictures, "_work", lambda: None)
    for player_id in range(1000):
        assert pictures.player(player_id) is None
    assert len(pictures._waiting) == 200


def test_the_image_bucket_of_its_own(
    tmp_path: Path,
    reference_path: Path,
    server: ImageServer,
    ministack_endpoint: str,
    new_bucket: Callable[[str], str],
) -> None:
    options = s3_options(ministack_endpoint, new_bucket(ministack_endpoint))
    images = new_bucket(ministack_endpoint)
    settings = replace(
        settings_for(tmp_path / "a", reference_path, options),
        image_bucket=images,
        images=IMAGES_ON,
    )
    with running(settings, ticks=False) as application:
        pictures = Pictures(
            settings, application.clock, application._ready_state, network=server.network()
        )
        picture = shown(pictures)
        settled(pictures)
        pictures.close()
        beside = Pictures(
            replace(settings, state_folder=tmp_path / "b"),
            application.clock,
            application._ready_state,
        )
        assert shown(beside).width_pixels == picture.width_pixels
        beside.close()
        state = application._ready_state("look")
        assert [one.key for one in state.storage.store.list(IMAGES)] == []
        assert len(S3Store(replace(options, bucket=images)).list(IMAGES)) == 1
