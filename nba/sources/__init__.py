"""Where tonight's games and last night's results come from."""
