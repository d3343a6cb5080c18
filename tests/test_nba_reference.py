"""Building the reference file, and what it answers."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nba.errors import (
    BundleDamaged,
    BundleMissing,
    NbaError,
    ReferenceDamaged,
    ReferenceMissing,
    ReferenceNotWritten,
)
from nba.reference import Reference, build_reference, reference_hash, verify_reference
from nba.reference_tables import OPTIONAL_TABLES
from nba.seasons import EASTERN, ScheduledGame
from prediction_tracking import MIGRATIONS
from tests.nba_bundle import (
    AWAY,
    DATA,
    HOME,
    TEAMS,
    Rows,
    final_score,
    played,
    small_bundle,
    write_bundle,
)

DAY = date(2024, 1, 15)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    rows = [played(7, DAY, "0022300001", pts=20, minutes=30)]
    return small_bundle(tmp_path / "data", rows, [final_score("0022300001", DAY, 110, 100)])


def test_the_real_bundle_is_built_completely(reference: Reference) -> None:
    expected = {
        "player_games": 269_211,
        "games": 32_128,
        "players": 1_615,
        "teams": 30,
        "schedule": 1_227,
        "absences": 81_914,
    }
    connection = apsw.Connection(str(reference.path), flags=apsw.SQLITE_OPEN_READONLY)
    counts = {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in expected
    }
    connection.close()
    assert counts == expected
    assert reference.data_as_of() == date(2025, 6, 22)
    assert reference.info.content_hash == reference_hash(DATA)
    assert reference.path.stat().st_size < 80_000_000


def test_progress_runs_from_zero_to_one(bundle: Path, tmp_path: Path) -> None:
    steps: list[tuple[float, str]] = []
    build_reference(bundle, tmp_path / "r.db", lambda done, text: steps.append((done, text)))
    shares = [done for done, _ in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert "Reading player_games.parquet" in [text for _, text in steps]


def test_a_whole_reference_is_kept(bundle: Path, tmp_path: Path) -> None:
    path = build_reference(bundle, tmp_path / "r.db")
    before = path.stat().st_ino
    build_reference(bundle, path)
    assert path.stat().st_ino == before


def test_changed_data_are_built_anew(bundle: Path, tmp_path: Path) -> None:
    path = build_reference(bundle, tmp_path / "r.db")
    first = Reference(path)
    later = date(2024, 1, 17)
    small_bundle(bundle, [played(7, later, "0022300002", pts=31)])
    build_reference(bundle, path)
    second = Reference(path)
    assert first.info.content_hash != second.info.content_hash
    assert second.data_as_of() == later
    assert second.player_games()["points"].tolist() == [31.0]


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "empty", "other version"])
def test_a_damaged_reference_is_built_anew(bundle: Path, tmp_path: Path, damage: str) -> None:
    path = build_reference(bundle, tmp_path / "r.db")
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "overwritten":
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        connection = apsw.Connection(str(path))
        connection.execute("UPDATE reference_info SET schema_version = schema_version + 1")
        connection.close()
    with pytest.raises(ReferenceDamaged):
        verify_reference(path)
    build_reference(bundle, path)
    assert Reference(path).player_games()["points"].tolist() == [20.0]


def test_what_a_killed_build_left_behind_is_no_obstacle(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.with_name("r.db.unfinished").write_bytes(b"half a database")
    build_reference(bundle, path)
    verify_reference(path, reference_hash(bundle))
    assert not path.with_name("r.db.unfinished").exists()


def test_two_processes_at_once_both_end_with_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    code = (
        "import sys; from pathlib import Path; from nba.reference import build_reference;"
        "build_reference(Path(sys.argv[1]), Path(sys.argv[2]),"
        " lambda done, text: print(text, flush=True))"
    )
    with path.with_name("r.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        builders = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(DATA), str(path)],
                cwd=DATA.parent,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for builder in builders:
            assert builder.stdout is not None
            assert builder.stdout.readline() == "Checking the bundled seasons\n"
    texts = [builder.communicate(timeout=60)[0] for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert sorted("Making indexes" in text for text in texts) == [False, True]
    verify_reference(path, reference_hash(DATA))


def test_a_full_disk_is_named_and_leaves_the_old_file(bundle: Path, tmp_path: Path) -> None:
    path = build_reference(bundle, tmp_path / "r.db")
    code = (
        "import resource, sys; from pathlib import Path;"
        "from nba.errors import ReferenceNotWritten; from nba.reference import build_reference;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))\n"
        "try: build_reference(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except ReferenceNotWritten as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(DATA), str(path)],
        cwd=DATA.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Free about 100 MB" in done.stdout
    verify_reference(path, reference_hash(bundle))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "r.db", "r.db.lock"]


def test_a_folder_that_cannot_be_written_is_named(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ReferenceNotWritten) as caught:
        build_reference(bundle, tmp_path / "file" / "r.db")
    assert caught.value.key == "r.db"


def test_a_missing_parquet_file_is_named(bundle: Path, tmp_path: Path) -> None:
    (bundle / "games.parquet").unlink()
    with pytest.raises(BundleMissing, match=r"games\.parquet") as caught:
        build_reference(bundle, tmp_path / "r.db")
    error: NbaError = caught.value
    assert (error.operation, error.key) == ("Reading the bundled seasons", "games.parquet")
    assert error.remedy in str(error)
    assert not (tmp_path / "r.db").exists()


def test_a_damaged_parquet_file_is_named(bundle: Path, tmp_path: Path) -> None:
    path = bundle / "player_games.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleDamaged, match=r"player_games\.parquet.*no whole Parquet file"):
        build_reference(bundle, tmp_path / "r.db")
    assert not (tmp_path / "r.db.unfinished").exists()


def test_a_parquet_file_with_other_columns_is_named(bundle: Path, tmp_path: Path) -> None:
    (bundle / "teams.parquet").write_bytes((bundle / "games.parquet").read_bytes())
    with pytest.raises(BundleDamaged, match=r"teams\.parquet.*columns are missing: team, team_id"):
        build_reference(bundle, tmp_path / "r.db")


def test_a_row_that_is_there_twice_is_named(bundle: Path, tmp_path: Path) -> None:
    row = played(7, DAY, "0022300001")
    small_bundle(bundle, [row, row])
    with pytest.raises(BundleDamaged, match="a row is there twice"):
        build_reference(bundle, tmp_path / "r.db")


def test_a_missing_reference_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReferenceMissing, match="has not been built"):
        Reference(tmp_path / "r.db")


def test_a_reference_damaged_while_in_use_is_named(bundle: Path, tmp_path: Path) -> None:
    reference = Reference(build_reference(bundle, tmp_path / "r.db"))
    reference.path.write_bytes(b"something else" * 1000)
    with pytest.raises(ReferenceDamaged, match="no whole reference"):
        reference.teams()


def test_the_file_cannot_be_written_through_a_reference(reference: Reference) -> None:
    with reference._connection() as connection, pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM teams")


def test_threads_share_one_reference(reference: Reference) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(reference.slate(date(2026, 11, 20)))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [9] * 8


def test_slates_of_schedule_and_bundle(reference: Reference) -> None:
    scheduled = reference.slate(date(2026, 11, 20))
    assert len(scheduled) == 9
    assert [game.tipoff_utc for game in scheduled] == sorted(
        game.tipoff_utc for game in scheduled if game.tipoff_utc
    )
    past = reference.slate(date(2024, 1, 15))
    assert len(past) == 11
    assert all(game.tipoff_utc is None and game.season == "2023-24" for game in past)
    assert reference.slate(date(2026, 11, 26)) == []
    old = {game.home_team for game in reference.slate(date(2005, 1, 16))}
    assert "SEA" in old  # the abbreviation of that season


def test_undecided_games_have_neither_teams_nor_time(reference: Reference) -> None:
    undecided = reference.undecided(date(2026, 12, 8))
    assert [game.label for game in undecided] == ["Emirates NBA Cup"] * 2
    assert reference.slate(date(2026, 12, 8)) == []
    decided = [game for game in reference.schedule() if isinstance(game, ScheduledGame)]
    assert len(reference.schedule()) - len(decided) == 7


def test_dates(reference: Reference) -> None:
    dates = reference.schedule_dates("2026-27")
    assert (dates[0], dates[-1]) == (date(2026, 10, 3), date(2027, 4, 11))
    assert reference.schedule_dates("2024-25") == ()
    bundled = reference.bundled_dates()
    assert (bundled[0], bundled[-1]) == (date(2015, 10, 27), date(2025, 6, 22))
    assert date(2024, 1, 15) in bundled
    assert reference.covers(date(2026, 11, 26))
    assert not reference.covers(date(2026, 9, 1))
    assert not reference.covers(date(2025, 12, 1))


def test_box_scores_within_bounds(reference: Reference) -> None:
    day = date(2024, 1, 15)
    frame = reference.player_games(on=day)
    assert len(frame) == 229
    assert str(frame["game_date"].dtype) == "datetime64[s]"
    one = int(frame["player_id"].iloc[0])
    earlier = reference.player_games(player_ids=[one], since=date(2024, 1, 1), before=day)
    assert set(earlier["player_id"]) == {one}
    assert earlier["game_date"].max().date() < day
    assert earlier["game_date"].is_monotonic_increasing
    assert len(reference.player_games(player_ids=[-1])) == 0


def test_a_doubleheader_does_not_see_itself(tmp_path: Path) -> None:
    rows = [
        played(1, DAY - timedelta(days=2), "0022300001", pts=10, minutes=30),
        played(1, DAY, "0022300002", pts=50, minutes=48),
        played(1, DAY, "0022300003", pts=60, minutes=48),
    ]
    reference = Reference(build_reference(small_bundle(tmp_path / "d", rows), tmp_path / "r.db"))
    for before, points in ((DAY, [10.0]), (DAY + timedelta(days=1), [10.0, 50.0, 60.0])):
        found = reference.history(DAY - timedelta(days=2), before)
        assert found.column("points").tolist() == points
    assert len(reference.history(DAY - timedelta(days=1), DAY)) == 0


def test_unknown_threes_are_nan(reference: Reference) -> None:
    playoffs = reference.player_games(since=date(2018, 4, 14), before=date(2018, 6, 9))
    assert len(playoffs) == 1729
    assert playoffs["threes"].isna().all()
    assert playoffs["points"].notna().all()


def test_rosters_and_people(reference: Reference) -> None:
    teams = reference.teams()
    assert len(teams) == 30
    sizes = [len(reference.roster(int(team))) for team in teams["team_id"]]
    assert sum(sizes) == 580
    assert min(sizes) >= 15
    assert reference.roster(0).empty
    players = reference.players()
    assert players["position"].notna().all()


def test_recent_players_leave_out_who_has_moved_on(tmp_path: Path) -> None:
    days = [date(2024, 1, 10 + number) for number in range(4)]
    rows = [played(1, day, f"002230000{number}") for number, day in enumerate(days)]
    rows += [played(2, days[0], "0022300000")]  # too long ago
    rows += [played(3, days[2], "0022300002")]
    rows += [played(4, days[2], "0022300002"), played(4, days[3], "0022300009", AWAY)]  # traded
    rows += [played(5, DAY, "0022300010")]  # plays only on the evening itself
    names = [f"002230000{number}" for number in range(4)]
    games = [final_score(*one, 100, 99) for one in zip(names, days, strict=True)]
    games += [final_score("0022300009", days[3], 99, 100), final_score("0022300010", DAY, 99, 100)]
    bundle = small_bundle(tmp_path / "d", rows, games)
    reference = Reference(build_reference(bundle, tmp_path / "r.db"))
    assert reference.recent_players(HOME, DAY, 3)["player_id"].tolist() == [1, 3]
    assert reference.recent_players(HOME, DAY, 4)["player_id"].tolist() == [1, 2, 3]
    assert reference.recent_players(AWAY, DAY, 3)["player_id"].tolist() == [4]
    assert reference.latest_team_game(HOME, DAY) == days[3]
    assert reference.latest_team_game(HOME, days[0]) is None


def scheduled(game_id: str, day: date, **values: object) -> dict[str, object]:
    """One scheduled game of Boston at home against New York."""
    row = {**final_score(game_id, day, 0, 0), "label": "", "arena": ""}
    return {**row, "tipoff_utc": datetime(day.year, day.month, day.day, 23, tzinfo=UTC), **values}


def with_schedule(folder: Path, games: Rows, rows: Rows) -> Reference:
    teams = [{"team_id": key, "team": name, "team_name": name} for key, name in TEAMS.items()]
    box = [played(7, DAY, "0022300001", pts=20, minutes=30)]
    people = [{"player_id": 7, "player_name": "Player 7"}]
    tables = {"teams": teams, "players": people, "games": games, "player_games": box}
    bundle = write_bundle(folder / "d", schedule_2026_27=rows, **tables)
    return Reference(build_reference(bundle, folder / "r.db"))


def test_a_schedule_hides_no_game_that_was_played(tmp_path: Path) -> None:
    later = DAY + timedelta(days=3)
    games = [final_score(f"002230000{number}", DAY, 100 + number, 99) for number in range(1, 5)]
    undecided = dict.fromkeys(("home_team_id", "home_team", "away_team_id", "away_team"))
    plan = [
        scheduled("0022300001", DAY, label="Rivals' week"),
        scheduled("0022300002", later),  # moved forward after the schedule was published
        scheduled("0022300003", DAY, label="Cup", **undecided),
        scheduled("0022300008", DAY),
        scheduled("0022300009", DAY, **undecided),
    ]
    reference = with_schedule(tmp_path, games, plan)
    slate = reference.slate(DAY)
    assert [game.game_id[-1] for game in slate] == ["1", "8", "2", "3", "4"]
    assert [game.label for game in slate] == ["Rivals' week", "", "", "Cup", ""]
    assert [game.tipoff_utc is not None for game in slate] == [True, True, False, False, False]
    assert all((game.home_team_id, game.away_team_id) == (HOME, AWAY) for game in slate)
    assert reference.slate(later) == []
    assert [game.game_id[-1] for game in reference.undecided(DAY)] == ["9"]


def rewritten(path: Path, **columns: pa.Array) -> None:
    """The same Parquet file with other columns, of whatever type."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, path)


def test_who_is_in_no_list_of_players_keeps_the_name_of_his_box_scores(tmp_path: Path) -> None:
    rows = [
        played(7, DAY, "0022300001", minutes=30),
        {**played(8, DAY, "0022300001", minutes=20), "player_name": "Rook Ie"},
        played(9, DAY, "0022300001", minutes=10),
    ]
    bundle = small_bundle(tmp_path / "d", rows, [final_score("0022300001", DAY, 110, 100)])
    people = pq.read_table(bundle / "players.parquet")
    pq.write_table(people.slice(0, 1), bundle / "players.parquet")
    said: list[str] = []
    built = build_reference(bundle, tmp_path / "r.db", lambda done, text: said.append(text))
    reference = Reference(built)
    assert "Adding 2 players known from box scores alone" in said
    expected = ["Player 7", "Rook Ie", "Player 9"]
    assert reference.players()["player_name"].tolist() == expected
    recent = reference.recent_players(HOME, DAY + timedelta(days=1), 3)
    assert recent["player_id"].tolist() == [7, 8, 9]
    assert recent["player_name"].tolist() == expected


@pytest.mark.parametrize("kind", ["timestamp", "zone", "text", "date64"])
def test_dates_may_be_of_any_type(bundle: Path, tmp_path: Path, kind: str) -> None:
    midnight = datetime.combine(DAY, time.min)
    dates = {
        "timestamp": pa.array([midnight], pa.timestamp("us")),
        "zone": pa.array([midnight.replace(tzinfo=EASTERN)], pa.timestamp("ns", "US/Eastern")),
        "text": pa.array([DAY.isoformat()]),
        "date64": pa.array([DAY], pa.date64()),
    }
    for name in ("games", "player_games"):
        rewritten(bundle / f"{name}.parquet", game_date=dates[kind])
    reference = Reference(build_reference(bundle, tmp_path / "r.db"))
    assert reference.data_as_of() == DAY
    assert [game.slate_date for game in reference.slate(DAY)] == [DAY]
    assert len(reference.history(DAY, DAY + timedelta(days=1))) == 1


@pytest.mark.parametrize(
    "wrong", [pa.array([datetime.combine(DAY, time(19, 30))]), pa.array(["last night"])]
)
def test_a_column_without_dates_is_named(bundle: Path, tmp_path: Path, wrong: pa.Array) -> None:
    rewritten(bundle / "games.parquet", game_date=wrong)
    with pytest.raises(BundleDamaged, match=r"games\.parquet.*the column game_date has"):
        build_reference(bundle, tmp_path / "r.db")


def test_missing_minutes_are_unknown_minutes(tmp_path: Path) -> None:
    rows = [
        {**played(7, DAY, "0022300001", pts=20), "minutes": None},
        played(8, DAY, "0022300001", pts=5, minutes=12),
    ]
    reference = Reference(build_reference(small_bundle(tmp_path / "d", rows), tmp_path / "r.db"))
    history = reference.history(DAY, DAY + timedelta(days=1))
    np.testing.assert_array_equal(history.column("minutes"), [np.nan, 12.0])
    assert history.column("points").tolist() == [20.0, 5.0]
    frame = reference.player_games()
    assert frame["minutes"].isna().tolist() == [True, False]


def test_a_folder_without_box_scores_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleDamaged, match=r"player_games\.parquet: there is no box score"):
        build_reference(small_bundle(tmp_path / "d"), tmp_path / "r.db")


def test_tables_that_may_be_lacking_are_left_empty(bundle: Path, tmp_path: Path) -> None:
    (bundle / "schedule_2026_27.parquet").unlink()
    (bundle / "player_absences.parquet").unlink()
    with pytest.raises(BundleMissing, match="schedule_"):
        build_reference(bundle, tmp_path / "r.db")
    path = build_reference(bundle, tmp_path / "r.db", may_lack=OPTIONAL_TABLES)
    assert Reference(path).schedule() == ()
    assert Reference(path).info.content_hash == reference_hash(bundle, OPTIONAL_TABLES)
    assert len(Reference(path).slate(DAY)) == 1


@pytest.fixture
def learned(bundle: Path, tmp_path: Path) -> Iterator[tuple[apsw.Connection, Reference]]:
    """An empty state that a test fills by hand, and a reference that reads it as well."""
    bundled = build_reference(bundle, tmp_path / "r.db")
    path = tmp_path / "state.db"
    state = apsw.Connection(str(path))
    for migration in MIGRATIONS:
        state.execute(migration.sql)

    @contextmanager
    def reading() -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.execute("ATTACH ? AS reference", (str(bundled),))
        yield connection
        connection.close()

    yield state, Reference(bundled).with_learned(reading)
    state.close()


def test_a_learned_game_without_minutes_is_kept(
    learned: tuple[apsw.Connection, Reference],
) -> None:
    state, reference = learned
    day = DAY + timedelta(days=1)
    game = ("0022300002", day.isoformat())
    state.execute("INSERT INTO games VALUES (?, ?, ?, ?, 101, 99, 'a', '')", (*game, HOME, AWAY))
    state.execute(
        "INSERT INTO player_games (game_id, game_date, player_id, team_id, points, rebounds,"
        " assists, threes, minutes, source, recorded_at)"
        " VALUES (?, ?, 44, ?, 20, 5, 5, 2, NULL, 'a', '')",
        (*game, HOME),
    )
    history = reference.history(day, day + timedelta(days=1))
    assert history.column("points").tolist() == [20.0]
    assert np.isnan(history.column("minutes")).all()
    # Nobody has said his name yet, and still he is there.
    recent = reference.recent_players(HOME, day + timedelta(days=1), 1)
    assert recent["player_name"].tolist() == ["Player 44"]


def test_rosters_of_several_teams_are_those_of_each(reference: Reference) -> None:
    teams = [1610612737, 1610612738, 1610612766]
    together = reference.rosters(teams, date(2026, 11, 20))
    assert list(together) == teams
    for team in teams:
        alone = reference.roster(team, date(2026, 11, 20))
        assert together[team].to_csv() == alone.to_csv()
        assert len(together[team]) > 10
