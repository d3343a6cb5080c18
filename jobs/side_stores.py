"""Buckets beside the state's: exports and images may have one of their own."""

from __future__ import annotations

from dataclasses import replace

from jobs.configuration import Settings
from replica import ObjectStore
from replica.stores.s3 import S3Options, S3Store

__all__ = ["side_options", "side_store"]


def side_options(options: S3Options, bucket_name: str | None) -> S3Options:
    """How to talk to another bucket: as to the state's, below the same prefix."""
    return options if bucket_name is None else replace(options, bucket=bucket_name)


def side_store(
    settings: Settings, state_store: ObjectStore, bucket_name: str | None
) -> ObjectStore:
    """The bucket of that name, else the state's own store. Sends nothing.

    The other bucket is in the same region and takes the same key and encryption. With a folder for
    a store there are no buckets, and its name is passed over.
    """
    options = settings.store
    if not bucket_name or not isinstance(options, S3Options) or options.bucket == bucket_name:
        return state_store
    return S3Store(side_options(options, bucket_name))
