"""Basketball: bundled seasons, calendar, projections, ratings and their evaluation.

Pure functions over frames and small dataclasses at the core; one read-only SQLite file, the
reference, at the edge. Nothing here knows a screen, a bucket or a prediction log.
"""
