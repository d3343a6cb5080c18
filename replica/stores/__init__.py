"""Object stores the engine can live in."""
