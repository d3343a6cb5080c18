"""Today's Games: tonight's slate, a coming one, or any bundled date as a replay."""

from __future__ import annotations

from ui.dates import chosen_date
from ui.frame import open_page
from ui.slate_view import show_slate

frame = open_page("Today's Games")
tonight = frame.application.tonights_date()
show_slate(frame, chosen_date(frame.application, tonight), tonight)
