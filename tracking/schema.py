"""The tables of the state.

Every table has a NOT NULL natural or UUID primary key and nothing else that could make two writers
collide: no other unique index, foreign key, trigger or counter. Dates are US Eastern `YYYY-MM-DD`,
moments are UTC as `tracking.frames.moment_text` writes them, flags are 0 or 1.

What a player did lives in `player_games` alone, never beside a prediction, so that a corrected box
score corrects every figure.
"""

from __future__ import annotations

from typing import Final

from replica import Migration

__all__ = ["CATALOGUE_TABLES", "MIGRATIONS", "REPLICATED_TABLES"]

_PREDICTIONS: Final = """
CREATE TABLE runs (
  run_id TEXT PRIMARY KEY NOT NULL,
  slate_date TEXT NOT NULL,
  model_version TEXT NOT NULL,
  origin TEXT NOT NULL,
  data_as_of TEXT,
  logged_at TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  time_verified INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  source TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_slate ON runs (slate_date, logged_at);

CREATE TABLE game_predictions (
  run_id TEXT NOT NULL,
  game_id TEXT NOT NULL,
  game_date TEXT NOT NULL,
  tipoff_utc TEXT,
  home_team_id INTEGER,
  away_team_id INTEGER,
  home_team TEXT,
  away_team TEXT,
  home_win_probability REAL,
  PRIMARY KEY (run_id, game_id)
) WITHOUT ROWID;
CREATE INDEX game_predictions_by_date ON game_predictions (game_date, game_id);

CREATE TABLE predictions (
  run_id TEXT NOT NULL,
  game_id TEXT NOT NULL,
  player_id INTEGER NOT NULL,
  stat TEXT NOT NULL,
  team_id INTEGER,
  mean REAL NOT NULL,
  floor REAL,
  ceiling REAL,
  from_prior INTEGER NOT NULL,
  PRIMARY KEY (run_id, game_id, player_id, stat)
) WITHOUT ROWID;

CREATE TABLE players (
  player_id INTEGER PRIMARY KEY NOT NULL,
  player_name TEXT NOT NULL
);

CREATE TABLE player_games (
  game_id TEXT NOT NULL,
  player_id INTEGER NOT NULL,
  game_date TEXT NOT NULL,
  team_id INTEGER,
  points INTEGER,
  rebounds INTEGER,
  assists INTEGER,
  threes INTEGER,
  minutes INTEGER,
  source TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  PRIMARY KEY (game_id, player_id)
) WITHOUT ROWID;

CREATE TABLE games (
  game_id TEXT PRIMARY KEY NOT NULL,
  game_date TEXT NOT NULL,
  home_team_id INTEGER NOT NULL,
  away_team_id INTEGER NOT NULL,
  home_points INTEGER NOT NULL,
  away_points INTEGER NOT NULL,
  source TEXT NOT NULL,
  recorded_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE result_corrections (
  correction_id TEXT PRIMARY KEY NOT NULL,
  game_id TEXT NOT NULL,
  player_id INTEGER NOT NULL,
  stat TEXT NOT NULL,
  old_value INTEGER,
  new_value INTEGER,
  corrected_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE imports (
  source_sha256 TEXT PRIMARY KEY NOT NULL,
  source_key TEXT NOT NULL,
  imported_at TEXT NOT NULL,
  rows INTEGER NOT NULL,
  report TEXT NOT NULL
) WITHOUT ROWID;
"""

# Two processes may log the same automatic run, each in a transaction of its own. What differs
# between them stands here, so that their rows in `runs` are the same and the earlier one's time
# stays. In runs logged since, `runs.transaction_id` is empty and `runs.logged_at` only orders the
# runs of a slate: a revision's time, or of an automatic run the date of its newest data.
_RUN_TRANSACTIONS: Final = """
CREATE TABLE run_transactions (
  run_id TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  logged_at TEXT NOT NULL,
  PRIMARY KEY (run_id, transaction_id)
) WITHOUT ROWID;
INSERT INTO run_transactions SELECT run_id, transaction_id, logged_at FROM runs;
"""

# What the season brings. Learned rows hold no clock and no random id: two processes that learn the
# same responses write the same rows. `known_on` is the US Eastern date of the response.
_THE_SEASON: Final = """
ALTER TABLE player_games ADD COLUMN started INTEGER;
ALTER TABLE player_games ADD COLUMN oreb INTEGER;
ALTER TABLE player_games ADD COLUMN dreb INTEGER;
ALTER TABLE player_games ADD COLUMN stl INTEGER;
ALTER TABLE player_games ADD COLUMN blk INTEGER;
ALTER TABLE player_games ADD COLUMN tov INTEGER;
ALTER TABLE player_games ADD COLUMN pf INTEGER;
ALTER TABLE player_games ADD COLUMN fgm INTEGER;
ALTER TABLE player_games ADD COLUMN fga INTEGER;
ALTER TABLE player_games ADD COLUMN fg3a INTEGER;
ALTER TABLE player_games ADD COLUMN ftm INTEGER;
ALTER TABLE player_games ADD COLUMN fta INTEGER;
ALTER TABLE player_games ADD COLUMN plus_minus INTEGER;
CREATE INDEX player_games_by_player ON player_games (player_id, game_date);
CREATE INDEX player_games_by_date ON player_games (game_date);
CREATE INDEX games_by_date ON games (game_date);

CREATE TABLE scheduled_games (
  game_id TEXT PRIMARY KEY NOT NULL,
  game_date TEXT NOT NULL,
  tipoff_utc TEXT,
  status TEXT NOT NULL,
  home_team_id INTEGER,
  away_team_id INTEGER,
  is_neutral INTEGER NOT NULL,
  label TEXT NOT NULL,
  arena TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX scheduled_games_by_date ON scheduled_games (game_date);

CREATE TABLE rosters (
  player_id INTEGER NOT NULL,
  known_on TEXT NOT NULL,
  team_id INTEGER,
  position TEXT NOT NULL,
  PRIMARY KEY (player_id, known_on)
) WITHOUT ROWID;

CREATE TABLE availability (
  player_id INTEGER NOT NULL,
  from_date TEXT NOT NULL,
  status TEXT NOT NULL,
  until_date TEXT,
  note TEXT NOT NULL,
  PRIMARY KEY (player_id, from_date)
) WITHOUT ROWID;

CREATE TABLE quarantine (
  sha256 TEXT NOT NULL,
  place TEXT NOT NULL,
  source TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  parameters TEXT NOT NULL,
  reason TEXT NOT NULL,
  game_id TEXT,
  game_date TEXT,
  known_on TEXT NOT NULL,
  PRIMARY KEY (sha256, place)
) WITHOUT ROWID;
"""

# NULL in runs that were logged before. `home_points` and `away_points` are expected points.
_MEDIANS: Final = """
ALTER TABLE predictions ADD COLUMN median REAL;
ALTER TABLE game_predictions ADD COLUMN elo_home_win_probability REAL;
ALTER TABLE game_predictions ADD COLUMN home_points REAL;
ALTER TABLE game_predictions ADD COLUMN away_points REAL;
"""

# What is in the bucket beside the log, and which restores there were. `made_at`, `restored_at` and
# `forgotten_at` are moments; `sequence` is the log entry a backup goes up to (0: it is of no log),
# or the one that a restore became (NULL: it was begun and not finished). `log_id` is the log that
# `sequence` counts in: whoever has lost a log and begun another keeps that one's backups and notes.
_BACKUPS: Final = """
CREATE TABLE s3_data_backups (
  backup_key TEXT PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL,
  made_at TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  log_id TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  compression TEXT NOT NULL,
  kept_by TEXT NOT NULL,
  forgotten_at TEXT
) WITHOUT ROWID;

CREATE TABLE restores (
  restore_id TEXT PRIMARY KEY NOT NULL,
  restored_at TEXT NOT NULL,
  log_id TEXT NOT NULL,
  sequence INTEGER,
  source TEXT NOT NULL,
  moment TEXT NOT NULL,
  rows_added INTEGER,
  rows_removed INTEGER,
  rows_changed INTEGER NOT NULL
) WITHOUT ROWID;
"""

# What is beside the log and what it costs. An export's objects lie below `exports/<export_id>/`;
# its links are nowhere: whoever has one can read. `place` is a hash that tells one bucket from
# another: names never come into the log. `image_id` is the SHA-256 of the image's address.
# Days are UTC dates; of a day each process has one row of its own, so that no sum is another's
# conflict. `figures` is JSON, as `usage.counting` and `jobs.picture_counts` write it.
_BESIDE_THE_LOG: Final = """
CREATE TABLE s3_exports (
  export_id TEXT PRIMARY KEY NOT NULL,
  view TEXT NOT NULL,
  title TEXT NOT NULL,
  format TEXT NOT NULL,
  file_name TEXT NOT NULL,
  place TEXT NOT NULL,
  made_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  file_count INTEGER NOT NULL,
  row_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  links_until TEXT,
  revoked_at TEXT,
  removed_at TEXT
) WITHOUT ROWID;

CREATE TABLE s3_image_cache (
  image_id TEXT PRIMARY KEY NOT NULL,
  sha256 TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  width_pixels INTEGER NOT NULL,
  height_pixels INTEGER NOT NULL,
  fetched_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE image_days (
  day TEXT NOT NULL,
  writer_id TEXT NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (day, writer_id)
) WITHOUT ROWID;

CREATE TABLE usage_days (
  day TEXT NOT NULL,
  writer_id TEXT NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (day, writer_id)
) WITHOUT ROWID;
"""

MIGRATIONS: Final[tuple[Migration, ...]] = (
    Migration(version=1, name="predictions and results", sql=_PREDICTIONS),
    Migration(version=2, name="transactions of runs", sql=_RUN_TRANSACTIONS),
    Migration(version=3, name="the season as it goes on", sql=_THE_SEASON),
    Migration(version=4, name="medians, Elo and expected score", sql=_MEDIANS),
    Migration(version=5, name="backups and restores", sql=_BACKUPS),
    Migration(version=6, name="exports, images and usage", sql=_BESIDE_THE_LOG),
)
"""Every version of the state's schema, oldest first; a published one never changes."""

CATALOGUE_TABLES: Final = (
    "s3_data_backups",
    "restores",
    "s3_exports",
    "s3_image_cache",
    "image_days",
    "usage_days",
)
"""What a restore never changes: the bucket, what was done to the history and what was used stay as
they are."""

REPLICATED_TABLES: Final = (
    "runs",
    "run_transactions",
    "game_predictions",
    "predictions",
    "players",
    "player_games",
    "games",
    "result_corrections",
    "imports",
    "scheduled_games",
    "rosters",
    "availability",
    "quarantine",
    *CATALOGUE_TABLES,
)
"""Every table of the state: all of it is shared through the log."""
