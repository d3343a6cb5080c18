"""Fixtures for tests that need a real object store."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

__all__ = [
    "ministack_endpoint",
    "moto_endpoint",
    "new_bucket",
    "no_ambient_aws",
    "shared_service_descriptions",
]

# The servers' module loads boto3; it is imported only by the tests that ask for a server.


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """Address of a running moto server."""
    from tests.servers import moto_server

    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running MiniStack process."""
    from tests.servers import ministack_server

    with ministack_server(tmp_path_factory.mktemp("ministack") / "log") as url:
        yield url


@pytest.fixture
def new_bucket() -> Callable[[str], str]:
    """A function from a server's address to the name of a fresh bucket there."""
    from tests.servers import create_bucket

    def create(endpoint_url: str) -> str:
        name = f"bucket-{uuid.uuid4().hex[:16]}"
        create_bucket(endpoint_url, name)
        return name

    return create


@pytest.fixture
def no_ambient_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any AWS configuration of its own, on which none is looked for."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def shared_service_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 clients made quickly: botocore reads S3's large description once, not for each."""
    monkeypatch.setattr("botocore.session.create_loader", _shared_loader)


@functools.cache
def _shared_loader(_: object) -> Any:
    from botocore.loaders import create_loader

    return create_loader()
