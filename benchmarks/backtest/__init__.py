"""Replays seasons slate by slate and scores them: `python -m benchmarks.backtest SEASON…`."""
