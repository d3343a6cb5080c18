"""A visitor without a browser: Streamlit's own protocol, with headers and presses at will."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

__all__ = ["Press", "Screen", "SocketVisitor", "filled", "pressed", "visiting"]

_PATIENCE_SECONDS = 30.0
_NO_PINGS = None
_DONE = (
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
)


@dataclass(frozen=True, slots=True)
class Press:
    """A button as the server knows it; `fragment_id` is "" outside a fragment."""

    widget_id: str
    fragment_id: str


@dataclass(slots=True)
class Screen:
    """What one run of a page sent.

    Attributes:
        headings: every heading.
        texts: boxes and texts.
        buttons: by label.
        fields: ids of text fields, by label.
        failures: tracebacks and the like.
    """

    headings: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    buttons: dict[str, Press] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, element: Element, fragment_id: str) -> None:
        """Note what matters of an element."""
        match element.WhichOneof("type"):
            case "heading":
                self.headings.append(element.heading.body)
            case "alert":
                self.texts.append(element.alert.body)
            case "markdown":
                self.texts.append(element.markdown.body)
            case "button":
                button = element.button
                self.buttons[button.label] = Press(button.id, fragment_id)
            case "text_input":
                self.fields[element.text_input.label] = element.text_input.id
            case "exception":
                self.failures.append(element.exception.message)


class SocketVisitor:
    """One session of the app."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._page_hash = ""

    def look(
        self,
        page: str,
        *states: WidgetState,
        fragment_id: str = "",
    ) -> Screen:
        """Run a page (its address without the slash, "" for the first one) with these widgets.

        `fragment_id` runs that part of the page alone.
        """
        message = BackMsg()
        message.rerun_script.page_name = page
        message.rerun_script.fragment_id = fragment_id
        if fragment_id:
            # As browsers do: a part that draws the page anew has to know which page.
            message.rerun_script.page_script_hash = self._page_hash
        message.rerun_script.widget_states.widgets.extend(states)
        self._connection.send(message.SerializeToString())
        return self._screen()

    def _screen(self) -> Screen:
        screen = Screen()
        while True:
            body = self._connection.recv(timeout=_PATIENCE_SECONDS)
            assert isinstance(body, bytes)
            message = ForwardMsg.FromString(body)
            match message.WhichOneof("type"):
                case "new_session":
                    self._page_hash = message.new_session.page_script_hash
                case "delta" if message.delta.WhichOneof("type") == "new_element":
                    screen.add(message.delta.new_element, message.delta.fragment_id)
                case "script_finished" if message.script_finished in _DONE:
                    return screen
                case "script_finished":
                    # Drawn anew from the top.
                    screen = Screen()


def pressed(press: Press) -> WidgetState:
    """The state of a button that was just pressed."""
    return WidgetState(id=press.widget_id, trigger_value=True)


def filled(widget_id: str, text: str) -> WidgetState:
    """The state of a text field."""
    return WidgetState(id=widget_id, string_value=text)


@contextmanager
def visiting(
    url: str,
    *,
    host: str | None = None,
    headers: Mapping[str, str] | None = None,
    protocols: Sequence[str] = ("streamlit",),
) -> Iterator[SocketVisitor]:
    """A session on the app at `url`, until the block ends.

    `host` is what the request says that it asks, whatever it asks in truth. Raises websockets'
    InvalidHandshake if the server refuses.
    """
    there = urlsplit(url)
    with (
        socket.create_connection((there.hostname, there.port)) as line,
        connect(
            f"ws://{host or there.netloc}/_stcore/stream",
            sock=line,
            additional_headers=dict(headers or {}),
            subprotocols=[Subprotocol(name) for name in protocols],
            max_size=None,
            ping_interval=_NO_PINGS,
            proxy=None,
        ) as connection,
    ):
        yield SocketVisitor(connection)
