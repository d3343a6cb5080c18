"""What a bucket's settings mean for what is kept in it. Values in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jobs.findings import Finding, FindingLevel, Subject, warning_of
from jobs.saved import CLOCK_TOLERANCE_SECONDS
from jobs.state import LATEST_KEY
from replica import StoreError, StoreRejected
from replica.stores.bucket import DefaultEncryption, LifecycleRule, PublicAccess, Versioning
from replica.stores.s3 import S3Options

__all__ = [
    "clock_finding",
    "encryption_finding",
    "lifecycle_findings",
    "public_access_finding",
    "unknown_setting",
    "versioning_finding",
]

# S3 answers nothing beyond it.
CLOCK_LIMIT_SECONDS = 900.0

# The history itself: every entry, and the contents that entries refer to.
_HISTORY = ("log/", "bases/")
# What is written once for people, or for results to be rebuilt from.
_WRITTEN_ONCE = ("bronze/", "csv/")
# What is copied, kept for people, or from which results can be rebuilt.
_COPIES = ("backups/", *_WRITTEN_ONCE, "snapshots/")
# What is overwritten, or deleted in time: only here do older versions pile up.
_REPLACED = ("snapshots/", "backups/", LATEST_KEY, "head.json")
_LEAST_DAYS = 7
_ADVICE = (
    "permanently delete noncurrent versions after 30 days, one rule each for what is below "
    "{prefix}snapshots/, {prefix}backups/, {prefix}probe/, {prefix}nba_stats.db.zst and "
    "{prefix}head.json (infra/ has them)"
)

_UNKNOWN = {
    Subject.VERSIONING: "The service does not tell whether it keeps older versions.",
    Subject.ENCRYPTION: "The service does not tell whether it encrypts what it stores.",
    Subject.LIFECYCLE: "The service does not tell whether rules remove or move objects.",
}


def clock_finding(offset_seconds: float) -> Finding:
    """For the store's clock minus this machine's, in seconds."""
    away = abs(offset_seconds)
    direction = "behind" if offset_seconds > 0 else "ahead of"
    if away <= CLOCK_TOLERANCE_SECONDS:
        return _ok(Subject.CLOCK, "This machine's clock agrees with the store's.")
    says = f"This machine's clock is {_span(away)} {direction} the store's"
    if away <= CLOCK_LIMIT_SECONDS:
        level = FindingLevel.WARNING
        says += ": the wrong slate may be shown."
    else:
        level = FindingLevel.PROBLEM
        says += ": S3 refuses requests that are 15 minutes off, and the wrong slate is shown."
    return Finding(Subject.CLOCK, level, says, "Let this machine set its clock by the network.")


def versioning_finding(versioning: Versioning, prefix: str) -> Finding:
    """Whether a mistake in the bucket, below this prefix, can be mended."""
    if versioning is Versioning.ON:
        return _ok(Subject.VERSIONING, "What is overwritten or deleted can be had back.")
    how = "is suspended" if versioning is Versioning.SUSPENDED else "is off"
    return _warning(
        Subject.VERSIONING,
        f"Versioning {how}: what somebody deletes or overwrites in the bucket is gone. The app "
        "itself never overwrites the log.",
        "Enable Bucket Versioning in the bucket's properties. Then let lifecycle rules "
        f"{_ADVICE.format(prefix=prefix)}.",
    )


def encryption_finding(default: DefaultEncryption | StoreError | None, app: S3Options) -> Finding:
    """How objects lie there: encrypted by the bucket or because the app asks for it."""
    by_default = ""
    if isinstance(default, DefaultEncryption):
        by_default = f" The bucket's default is {default.algorithm}."
    if app.encryption != "none":
        asked = app.encryption or ("aws:kms" if app.kms_key_id else "AES256")
        says = f"Each upload asks for {asked}.{by_default}"
        if isinstance(default, DefaultEncryption) and _another_key(default, asked, app):
            return _warning(
                Subject.ENCRYPTION,
                f"{says} So what the app writes is not encrypted with the bucket's own key.",
                _key_fix(default),
            )
        if isinstance(default, StoreError) and not isinstance(default, StoreRejected):
            return warning_of(Subject.ENCRYPTION, default, says)
        return _ok(Subject.ENCRYPTION, says)
    if by_default:
        return _ok(Subject.ENCRYPTION, f"The app asks for nothing.{by_default}")
    if isinstance(default, StoreError):
        return unknown_setting(Subject.ENCRYPTION, default)
    return _warning(
        Subject.ENCRYPTION,
        "Neither does the bucket encrypt by default, nor does the app ask for it.",
        'Switch on default encryption in the service, or take encryption = "none" out of [aws] if '
        "it can encrypt on request.",
    )


def public_access_finding(access: PublicAccess | StoreError, *, is_public: bool) -> Finding:
    """Whether strangers can read the bucket; `is_public`: one just did."""
    if is_public:
        return Finding(
            Subject.PUBLIC_ACCESS,
            FindingLevel.PROBLEM,
            "A request without any credentials was answered: everybody can read the bucket.",
            "Switch on Block all public access in the bucket's permissions, and remove policies "
            "and lists that name everybody. Other services than AWS: require credentials.",
        )
    refused = "A request without credentials was refused."
    if isinstance(access, StoreRejected):
        # There is no such switch; the request that was refused is all that can be known.
        return _ok(Subject.PUBLIC_ACCESS, refused)
    if isinstance(access, StoreError):
        return warning_of(Subject.PUBLIC_ACCESS, access, refused)
    if access.is_blocked:
        return _ok(Subject.PUBLIC_ACCESS, f"{refused} Public access is blocked.")
    return _warning(
        Subject.PUBLIC_ACCESS,
        f"{refused} But one wrong policy would open the bucket: public access is not blocked.",
        "Switch on Block all public access in the bucket's permissions, all four boxes.",
    )


def lifecycle_findings(
    rules: Sequence[LifecycleRule], prefix: str, versioning: Versioning | None
) -> Iterator[Finding]:
    """What the bucket's rules do to objects below this prefix.

    `versioning` None: it is not known.
    """
    found = [*_harm(rules, prefix)]
    if versioning is Versioning.ON:
        found += _old_versions(rules, prefix)
    yield from found or [_ok(Subject.LIFECYCLE, "No rule touches what is kept.")]


def unknown_setting(subject: Subject, error: StoreError) -> Finding:
    """A setting that could not be looked up."""
    if not isinstance(error, StoreRejected) or subject not in _UNKNOWN:
        return warning_of(subject, error)
    return _warning(
        subject, f"{_UNKNOWN[subject]} ({error.detail})", "Look it up in the service's console."
    )


def _harm(rules: Sequence[LifecycleRule], prefix: str) -> Iterator[Finding]:
    for rule in rules:
        deeds = ["removes objects"] if rule.expires else []
        deeds += [f"moves objects to {', '.join(rule.moves_to)}"] if rule.moves_to else []
        if not deeds:
            continue
        touched = [below for below in _HISTORY + _COPIES if rule.may_touch(prefix + below)]
        if not touched:
            continue
        where = ", ".join(f"{prefix}{below}" for below in touched)
        says = f"{_named(rule)} {' and '.join(deeds)} below {where}"
        fix = (
            f"Delete the rule, or limit it to another prefix than {prefix or 'the whole bucket'}. "
            "To save space, let it delete noncurrent versions only."
        )
        if set(touched) & set(_HISTORY):
            says += ": the history itself. What is removed is lost; archives cannot be read."
            yield Finding(Subject.LIFECYCLE, FindingLevel.PROBLEM, says, fix)
        else:
            yield _warning(Subject.LIFECYCLE, f"{says}: copies that the app counts on.", fix)


def _old_versions(rules: Sequence[LifecycleRule], prefix: str) -> Iterator[Finding]:
    """Of a versioned bucket: what is replaced must go at some time, what cannot be had again not.

    Below log/ and what else is written once nothing is ever replaced but by mistake; the version
    before it is the remedy.
    """
    advice = f"Let lifecycle rules {_ADVICE.format(prefix=prefix)}."
    for rule in rules:
        yield from _mistakes_not_mended(rule, prefix, advice)
    removing = [rule for rule in rules if rule.old_versions_days is not None]
    for_ever, too_soon = [], []
    for name in _REPLACED:
        where = prefix + name
        days = [rule.old_versions_days or 0 for rule in removing if rule.may_touch(where)]
        if not any(rule.touches_all(where) for rule in removing):
            for_ever.append(where)
        elif min(days) < _LEAST_DAYS:
            too_soon.append(f"{where} ({_days(min(days))})")
    if for_ever:
        yield _warning(
            Subject.LIFECYCLE,
            f"Old versions of {', '.join(for_ever)} are kept for ever: each is paid for.",
            advice,
        )
    if too_soon:
        yield _warning(
            Subject.LIFECYCLE,
            f"Old versions of {', '.join(too_soon)} are gone so soon after they were replaced or "
            "deleted: after that a mistake cannot be mended any more.",
            advice,
        )


def _mistakes_not_mended(rule: LifecycleRule, prefix: str, advice: str) -> Iterator[Finding]:
    """A rule that takes the older versions away from which a mistake is mended."""
    deeds = []
    if rule.old_versions_days is not None:
        deeds.append(f"removes old versions after {_days(rule.old_versions_days)}")
    if rule.moves_old_to:
        deeds.append(f"moves old versions to {', '.join(rule.moves_old_to)}")
    touched = [below for below in _HISTORY + _WRITTEN_ONCE if rule.may_touch(prefix + below)]
    if not deeds or not touched:
        return
    meaning = (
        "from these `python cli.py doctor --repair` puts damaged entries back, and archives cannot "
        "be read"
        if "log/" in touched
        else "what is overwritten or deleted there by mistake can then not be had back"
    )
    yield _warning(
        Subject.LIFECYCLE,
        f"{_named(rule)} {' and '.join(deeds)} below "
        f"{', '.join(prefix + below for below in touched)}: {meaning}.",
        f"Limit that rule to what is replaced. {advice}",
    )


def _another_key(default: DefaultEncryption, asked: str, app: S3Options) -> bool:
    """Whether the bucket has a key of KMS's by default and the app goes around it.

    A key of one's own in the settings is a choice where the bucket names none. Of a name and a
    number nobody can tell without asking KMS whether they mean the same key.
    """
    if not default.algorithm.startswith("aws:kms"):
        return False
    if not asked.startswith("aws:kms"):
        return True
    if not app.kms_key_id:
        return default.key_id is not None
    if not default.key_id or "alias/" in default.key_id + app.kms_key_id:
        return False
    return default.key_id.rpartition("/")[2] != app.kms_key_id.rpartition("/")[2]


def _key_fix(default: DefaultEncryption) -> str:
    if default.key_id is None:
        return (
            'Set encryption = "aws:kms" in [aws], or make SSE-S3 the bucket\'s default encryption.'
        )
    return (
        f'Set kms_key_id = "{default.key_id}" in [aws], without encryption, and give the access '
        "key in use what `python cli.py doctor --policy` prints then."
    )


def _named(rule: LifecycleRule) -> str:
    return f"The rule {rule.name or 'without a name'}"


def _ok(subject: Subject, says: str) -> Finding:
    return Finding(subject, FindingLevel.OK, says)


def _warning(subject: Subject, says: str, fix: str) -> Finding:
    return Finding(subject, FindingLevel.WARNING, says, fix)


def _days(days: int | None) -> str:
    return f"{days} day" if days == 1 else f"{days} days"


def _span(seconds: float) -> str:
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if minutes < 90:
        return f"{minutes} minutes"
    return f"{hours} hours" if hours < 48 else _days(round(hours / 24))
