"""Components that the screens share."""
