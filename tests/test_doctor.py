"""The doctor against real servers: each fault is named, with what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jobs.authority import OWNER
from jobs.configuration import read_settings
from jobs.examination import examine_settings, examine_store
from jobs.findings import Examination, Finding, FindingLevel, Subject
from jobs.iam_policy import policy_document
from jobs.state import open_storage
from jobs.verification import verify_saved
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store
from tests.applications import published, running, settings_for
from tests.policy_gate import PolicyGate
from tests.servers import ErrorServer, free_port, raw_client, s3_error, s3_options
from tests.stores import ManualClock, MemoryStore, corrupted, unreachable

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

OK, WARNING, PROBLEM = FindingLevel.OK, FindingLevel.WARNING, FindingLevel.PROBLEM
IN_A_BUCKET = {
    Subject.REACH,
    Subject.LISTING,
    Subject.READING,
    Subject.WRITING,
    Subject.CREATING,
    Subject.OLDER_VERSIONS,
    Subject.DELETING,
    Subject.CLOCK,
    Subject.VERSIONING,
    Subject.ENCRYPTION,
    Subject.PUBLIC_ACCESS,
    Subject.LIFECYCLE,
}
OLD_VERSIONS: list[dict[str, Any]] = [
    {
        "ID": f"old-versions-of-{name}",
        "Status": "Enabled",
        "Filter": {"Prefix": f"predictions/{name}"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    for name in ("snapshots/", "backups/", "nba_stats.db.zst", "head.json")
]


class Site:
    """A bucket on a real server, and gates before it."""

    def __init__(self, server_url: str, bucket: str) -> None:
        self.server_url = server_url
        self.bucket = bucket
        self.client = raw_client(server_url)
        self.stack = ExitStack()

    def set_up(self) -> None:
        """Make the bucket what it should be."""
        self.set_versioning("Enabled")
        self.client.put_public_access_block(
            Bucket=self.bucket,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        self.set_rules(*OLD_VERSIONS)

    def set_versioning(self, status: str) -> None:
        self.client.put_bucket_versioning(
            Bucket=self.bucket, VersioningConfiguration={"Status": status}
        )

    def set_rules(self, *rules: Mapping[str, Any]) -> None:
        self.client.put_bucket_lifecycle_configuration(
            Bucket=self.bucket, LifecycleConfiguration={"Rules": list(rules)}
        )

    @property
    def policy(self) -> dict[str, Any]:
        """A fresh copy of what the app's own key is given on AWS."""
        options = S3Options(bucket=self.bucket, region="us-east-1")
        return json.loads(json.dumps(policy_document(options)))  # type: ignore[no-any-return]

    def gate(self, policy: Mapping[str, Any] | None = None, **behaviour: Any) -> PolicyGate:
        """An open gate; closed with the test."""
        gate = PolicyGate(self.server_url, policy or self.policy, **behaviour)
        return self.stack.enter_context(gate)

    def examined(self, gate: PolicyGate, **changes: Any) -> Examination:
        return examined(s3_options(gate.url, self.bucket, **changes))

    def keys(self) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket)
        return [entry["Key"] for entry in listed.get("Contents", ())]


def examined(options: S3Options) -> Examination:
    return Examination(examine_store(S3Store(options), Random(1), options))


@pytest.fixture(params=["moto", "ministack"])
def bare_site(request: pytest.FixtureRequest, new_bucket: Callable[[str], str]) -> Iterator[Site]:
    """A bucket as the server makes it."""
    url = request.getfixturevalue(f"{request.param}_endpoint")
    site = Site(url, new_bucket(url))
    with site.stack:
        yield site


@pytest.fixture
def site(bare_site: Site) -> Site:
    """A bucket as it should be."""
    bare_site.set_up()
    return bare_site


def without(policy: Mapping[str, Any], *actions: str) -> dict[str, Any]:
    """The policy without these actions."""
    statements = []
    for statement in policy["Statement"]:
        given = statement["Action"]
        left = [one for one in ([given] if isinstance(given, str) else given) if one not in actions]
        if left:
            statements.append({**statement, "Action": left})
    return {**policy, "Statement": statements}


def actions_of(policy: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for statement in policy["Statement"]:
        given = statement["Action"]
        found += [given] if isinstance(given, str) else given
    return found


def only(found: Examination, subject: Subject) -> Finding:
    [finding] = [one for one in found.findings if one.subject is subject]
    return finding


def require(found: Examination, subject: Subject, level: FindingLevel, *words: str) -> Finding:
    """The only finding that is not in order; it and its fix hold these words."""
    [finding] = [one for one in found.findings if one.level is not OK]
    assert (finding.subject, finding.level) == (subject, level), finding
    assert finding.fix
    for word in words:
        assert word in f"{finding.says} {finding.fix}"
    return finding


def test_with_its_own_policy_a_bucket_has_nothing_wrong(site: Site) -> None:
    gate = site.gate()
    found = site.examined(gate)
    assert {one.subject for one in found.findings} == IN_A_BUCKET
    assert [one for one in found.findings if one.level is not OK or one.fix] == []
    assert found.is_healthy
    assert found.creates_once is True
    assert set(gate.refused) == {"anonymous"}, "the policy allows all that is done"
    assert site.keys() == [], "nothing is left behind"


def test_the_policy_is_all_that_the_app_needs(
    tmp_path: Path, reference_path: Path, moto_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    site = Site(moto_endpoint, new_bucket(moto_endpoint))
    with site.stack:
        gate = site.gate()
        options = s3_options(gate.url, site.bucket)
        settings = settings_for(tmp_path / "a", reference_path, options)
        with running(settings) as application:
            published(application)
            backups = [application.back_up(OWNER).key for _ in range(2)]
            application.backup_jobs.forget(OWNER, [backups[0]])
            assert len(application.backup_jobs.prune(OWNER).deleted) == 1
            application.backup_jobs.rebuild(OWNER)
            application.tick()
        verification = verify_saved(open_storage(settings), lambda share, words: None)
        assert (verification.problems, verification.entries > 3) == ((), True)
        assert gate.refused == []
        asked = {exchange.operation for exchange in gate.exchanges()}
        assert asked >= {"GET", "LIST", "PUT", "DELETE"}


def test_every_action_of_the_policy_is_missed_when_it_is_not_there(site: Site) -> None:
    for action in actions_of(site.policy):
        found = site.examined(site.gate(without(site.policy, action)))
        wrong = [one for one in found.findings if one.level is not OK]
        assert wrong, action
        told = " ".join(f"{one.says} {one.fix}" for one in wrong)
        assert action in told
        assert all(one.fix for one in wrong)


def test_a_read_only_key(site: Site) -> None:
    policy = without(site.policy, "s3:PutObject", "s3:DeleteObject")
    found = site.examined(site.gate(policy))
    writing = only(found, Subject.WRITING)
    assert writing.level is PROBLEM
    assert "s3:PutObject" in writing.says
    assert "a read-only key cannot save" in writing.fix
    deleting = only(found, Subject.DELETING)
    assert deleting.level is WARNING
    assert "backups/, exports/, probe/, snapshots/ stays" in deleting.says
    assert "s3:DeleteObject" in deleting.fix
    assert found.creates_once is None
    assert {one.subject for one in found.of(OK)} >= {Subject.LISTING, Subject.REACH}
    assert not found.is_healthy
    assert site.keys() == []


def test_deleting_in_one_place_only(site: Site) -> None:
    policy = site.policy
    [tidy_up] = [one for one in policy["Statement"] if one["Sid"] == "TidyUp"]
    tidy_up["Resource"] = [one for one in tidy_up["Resource"] if "/backups/" not in one]
    finding = require(site.examined(site.gate(policy)), Subject.DELETING, WARNING)
    assert "below backups/ stays" in finding.says


def test_a_missing_object_that_looks_like_a_locked_one(site: Site) -> None:
    policy = site.policy
    # The names below may be listed, but that says nothing of a single object's name.
    policy["Statement"][0]["Condition"]["StringLike"]["s3:prefix"] = "predictions/*/"
    found = site.examined(site.gate(policy))
    [reading] = found.of(PROBLEM)
    assert reading.subject is Subject.READING
    assert "a missing one is answered with a refusal" in reading.says
    assert "StringLikeIfExists" in reading.fix


def test_a_missing_bucket(site: Site) -> None:
    found = examined(s3_options(site.server_url, "no-such-bucket"))
    finding = require(found, Subject.REACH, PROBLEM, "bucket_name")
    assert "Create the bucket no-such-bucket" in finding.fix
    assert {one.subject for one in found.findings} == {Subject.REACH, Subject.CLOCK}


def test_a_store_that_ignores_conditions(site: Site) -> None:
    found = site.examined(site.gate(ignores_conditions=True))
    require(found, Subject.CREATING, WARNING, "overwrites what exists", "Run one copy only", "AWS")
    assert found.creates_once is False
    assert site.keys() == []


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (timedelta(days=1), PROBLEM, "24 hours behind the store's"),
        (timedelta(days=-3), PROBLEM, "3 days ahead of the store's"),
        (timedelta(minutes=10), WARNING, "10 minutes behind"),
    ],
)
def test_a_clock_that_is_off(site: Site, ahead: timedelta, level: FindingLevel, words: str) -> None:
    require(site.examined(site.gate(ahead=ahead)), Subject.CLOCK, level, words, "by the network")


def test_a_store_that_refuses_a_clock_a_day_off() -> None:
    refusal = s3_error(403, "RequestTimeTooSkewed")
    with ErrorServer(refusal) as server:
        options = s3_options(server.url, "the-bucket")
        store = S3Store(options, clock=lambda: datetime.now(UTC) + timedelta(days=1))
        found = Examination(examine_store(store, Random(1), options))
        asked = [one.method for one in server.received]
    reach, clock = found.findings
    assert (reach.subject, reach.level) == (Subject.REACH, PROBLEM)
    assert reach.fix == "Set the clock of this machine."
    assert (clock.subject, clock.level) == (Subject.CLOCK, PROBLEM)
    assert "24 hours ahead of" in clock.says
    assert asked == ["GET"], "one refusal is enough"


def test_the_wrong_region(site: Site) -> None:
    found = site.examined(site.gate(region="eu-central-1"))
    finding = require(found, Subject.REACH, PROBLEM)
    assert finding.fix == 'Set region to "eu-central-1" in the configuration.'


def test_a_key_that_is_not_known(site: Site) -> None:
    found = site.examined(site.gate(), access_key_id="AKIAIOSFODNN7EXAMPLE")
    finding = require(found, Subject.REACH, PROBLEM, "does not accept the credentials")
    assert "access_key_id" in finding.fix
    assert "AKIA" not in str(found)


def test_a_store_that_is_away() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = examined(s3_options(url, "the-bucket", read_attempts=1))
    finding = require(found, Subject.REACH, PROBLEM, "cannot be reached")
    assert "endpoint_url" in finding.fix
    assert len(found.findings) == 1


def test_options_with_which_no_request_could_succeed() -> None:
    found = examined(s3_options("http://me:hunter2@127.0.0.1:1", "the-bucket"))
    finding = require(found, Subject.REACH, PROBLEM, "endpoint_url holds a credential")
    assert finding.fix.startswith("Take user name and password out of endpoint_url")
    assert "hunter2" not in str(found)
    assert len(found.findings) == 1


# What the settings say ----------------------------------------------------------------------------


def in_settings(secrets: Mapping[str, Any], *flags: str) -> dict[Subject, Finding]:
    settings = read_settings(secrets, {"NBA_DAILY_STORE_DIR": "/store"}, flags)
    return {finding.subject: finding for finding in examine_settings(settings)}


BUCKET = {"bucket_name": "the-bucket", "region": "us-east-1"}
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "never-shown"}


def test_what_the_settings_say_of_a_bucket() -> None:
    found = in_settings({"aws": {**BUCKET, **KEYS}}, "--local-owner")
    assert set(found) == {Subject.SETTINGS}
    assert found[Subject.SETTINGS].says == (
        "Bucket the-bucket, region us-east-1, below predictions, with an access key from the "
        "secrets."
    )
    own = in_settings({"aws": {**BUCKET, "prefix": "/"}}, "--local-owner")[Subject.SETTINGS]
    assert own.says.endswith("below no prefix, with this machine's own identity.")
    assert "never-shown" not in str(found)


@pytest.mark.parametrize(
    ("endpoint_url", "level"),
    [
        ("http://minio.example.com:9000", WARNING),
        ("https://minio.example.com", OK),
        ("http://127.0.0.1:9000", OK),
        ("http://[::1]:9000", OK),
    ],
)
def test_requests_that_anybody_in_between_can_read(endpoint_url: str, level: FindingLevel) -> None:
    secrets = {"aws": {**BUCKET, **KEYS, "endpoint_url": endpoint_url}}
    finding = in_settings(secrets, "--local-owner")[Subject.SETTINGS]
    assert finding.level is level
    assert ("https://" in finding.fix) is (level is WARNING)


def test_what_a_deployed_app_lacks() -> None:
    found = in_settings({"app": {"timer_minutes": 0}})
    assert {one.level for one in found.values()} == {WARNING}
    assert "lost with this machine" in found[Subject.SETTINGS].says
    assert "S3_SETUP_GUIDE.md" in found[Subject.SETTINGS].fix
    assert "password_hash" in found[Subject.OWNER].fix
    assert "timer_minutes" in found[Subject.TIMER].fix
    at_home = in_settings({}, "--local-owner")
    assert {one.level for one in at_home.values()} == {OK}


# How the bucket is set up ------------------------------------------------------------------------


def test_a_bucket_as_it_comes(bare_site: Site) -> None:
    found = bare_site.examined(bare_site.gate())
    assert {one.subject for one in found.of(WARNING)} == {
        Subject.VERSIONING,
        Subject.PUBLIC_ACCESS,
    }
    versioning = only(found, Subject.VERSIONING)
    assert "Versioning is off" in versioning.says
    assert "Enable Bucket Versioning" in versioning.fix
    public = only(found, Subject.PUBLIC_ACCESS)
    assert "one wrong policy would open the bucket" in public.says
    assert "Block all public access" in public.fix
    assert found.is_healthy, "nothing of this loses anything"


def test_suspended_versioning(site: Site) -> None:
    site.set_versioning("Suspended")
    found = site.examined(site.gate())
    require(found, Subject.VERSIONING, WARNING, "is suspended", "Enable Bucket Versioning")


def test_a_bucket_that_everybody_can_read(site: Site) -> None:
    # Neither of the two servers asks for credentials, whatever the bucket's settings.
    found = examined(s3_options(site.server_url, site.bucket))
    require(found, Subject.PUBLIC_ACCESS, PROBLEM, "everybody can read", "Block all public access")


def test_a_rule_that_would_eat_the_log(site: Site) -> None:
    moving = {
        "ID": "save-money",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
    }
    site.set_rules(*OLD_VERSIONS, moving)
    found = site.examined(site.gate())
    finding = require(found, Subject.LIFECYCLE, PROBLEM, "save-money", "moves objects to GLACIER")
    assert "predictions/log/" in finding.says
    site.set_rules(*OLD_VERSIONS, {**moving, "Status": "Disabled"})
    assert site.examined(site.gate()).findings[-1].level is OK
    site.set_rules(*OLD_VERSIONS, {**moving, "Filter": {"Prefix": "holidays/"}})
    assert not [one for one in site.examined(site.gate()).findings if one.level is not OK]


def test_old_versions_that_pile_up(site: Site) -> None:
    first, *others = OLD_VERSIONS
    site.set_rules({**first, "Filter": {"Prefix": "holidays/"}}, *others)
    finding = require(site.examined(site.gate()), Subject.LIFECYCLE, WARNING, "after 30 days")
    assert (
        finding.says
        == "Old versions of predictions/snapshots/ are kept for ever: each is paid for."
    )
    site.set_rules({**first, "Filter": {"Prefix": "predictions/"}})
    finding = require(site.examined(site.gate()), Subject.LIFECYCLE, WARNING, "old-versions")
    assert "below predictions/log/, predictions/bases/, predictions/bronze/" in finding.says
    assert "Limit that rule" in finding.fix


def test_a_service_that_does_not_know_the_questions(site: Site) -> None:
    names = ("versioning", "encryption", "publicAccessBlock", "lifecycle")
    gate = site.gate(unknown=names)
    found = site.examined(gate, encryption="none")
    assert {one.subject for one in found.of(WARNING)} == {
        Subject.VERSIONING,
        Subject.ENCRYPTION,
        Subject.LIFECYCLE,
    }
    assert all("does not tell" in one.says and "console" in one.fix for one in found.of(WARNING))
    assert only(found, Subject.PUBLIC_ACCESS).says == "A request without credentials was refused."
    found = site.examined(gate)
    assert only(found, Subject.ENCRYPTION).says == "Each upload asks for AES256."


def test_a_service_that_keeps_no_older_versions(site: Site) -> None:
    # As R2 answers.
    found = site.examined(site.gate(unknown=("versions",)))
    finding = require(found, Subject.OLDER_VERSIONS, WARNING, "keeps no older versions", "501")
    assert "python cli.py backups --download KEY --to FILE" in finding.fix


def test_a_key_of_another_service_that_may_not_look(site: Site) -> None:
    policy = without(site.policy, "s3:GetLifecycleConfiguration", "s3:GetBucketVersioning")
    found = site.examined(site.gate(policy))
    for subject in (Subject.VERSIONING, Subject.LIFECYCLE):
        assert only(found, subject).fix == (
            "To have this examined, look it up in the bucket's console."
        )


def test_a_missing_permission_says_for_what_and_where_the_policy_is(site: Site) -> None:
    found = site.examined(site.gate(without(site.policy, "s3:PutObject")))
    fix = only(found, Subject.WRITING).fix
    assert f"the objects of {site.bucket} below predictions/ to the access key" in fix
    assert fix.endswith("`python cli.py doctor --policy` prints the whole policy.")


def test_a_refusal_of_every_request(site: Site) -> None:
    found = site.examined(site.gate({"Statement": []}))
    assert {one.subject for one in found.of(PROBLEM)} == {
        Subject.LISTING,
        Subject.READING,
        Subject.WRITING,
    }
    assert len(found.findings) == len({one.subject for one in found.findings})


# A folder -----------------------------------------------------------------------------------------


def test_a_folder_is_tried_as_well(tmp_path: Path) -> None:
    found = Examination(examine_store(FolderStore(tmp_path / "store"), Random(1)))
    assert {one.subject for one in found.findings} == {
        Subject.REACH,
        Subject.LISTING,
        Subject.READING,
        Subject.WRITING,
        Subject.CREATING,
        Subject.DELETING,
    }
    assert [one for one in found.findings if one.level is not OK] == []
    assert FolderStore(tmp_path / "store").list("") == []


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (tmp_path / "store").rmdir()
    require(Examination(examine_store(store, Random(1))), Subject.REACH, PROBLEM, "does not exist")


# A store in memory that lies ----------------------------------------------------------------------


def test_what_comes_back_changed() -> None:
    store = MemoryStore(ManualClock())
    store.fail("get", "probe/", error=None)
    store.fail("get", "probe/", change=corrupted)
    found = Examination(examine_store(store, Random(1)))
    assert only(found, Subject.READING).says == "What was written comes back changed."


def test_a_store_that_goes_away_in_the_middle() -> None:
    store = MemoryStore(ManualClock())
    store.fail("put", "probe/", error=unreachable("put"))
    found = Examination(examine_store(store, Random(1)))
    assert [one.level for one in found.findings if one.subject is Subject.REACH] == [OK, PROBLEM]
    assert Subject.WRITING not in {one.subject for one in found.findings}
    assert store.objects == {}
