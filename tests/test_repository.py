"""What the repository promises besides its code: pins, secrets, guides and commands."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from jobs.configuration import read_settings
from jobs.iam_policy import policy_document
from replica.stores.s3 import S3Options

ROOT = Path(__file__).resolve().parent.parent
GUIDES = ["README.md", "S3_SETUP_GUIDE.md", "CONTRIBUTING.md"]

# Listed for what they bring along, or to bound a version, not for an import of ours. altair comes
# with Streamlit and is named so that a chart may import it.
NEED_NO_IMPORT = {"altair", "argon2-cffi-bindings", "cryptography", "numpy", "tzdata"}

# Training is for development: the app reads the model that it made.
TRAINING = {"nba/model/training.py"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def repository_files() -> list[Path]:
    """Files that git knows or would take; without git, all that is not a tool's."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run(
            [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    tools = {".git", ".venv", ".state", "__pycache__", ".mypy_cache", ".ruff_cache"}
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and tools.isdisjoint(path.relative_to(ROOT).parts)
    ]


def repository_texts() -> Iterator[tuple[str, str]]:
    for path in repository_files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def lines(name: str) -> list[str]:
    """Requirements of a file, without comments and options."""
    stripped = (line.split(" #")[0].strip() for line in read(name).splitlines())
    return [line for line in stripped if line and not line.startswith(("#", "-"))]


def applies(requirement: Requirement, extras: frozenset[str] = frozenset()) -> bool:
    if requirement.marker is None:
        return True
    environment: Mapping[str, str] = {k: str(v) for k, v in default_environment().items()}
    return any(requirement.marker.evaluate({**environment, "extra": e}) for e in {"", *extras})


def pins(name: str) -> dict[str, str]:
    """Versions by canonical name, as far as they are meant for this Python and system."""
    found: dict[str, str] = {}
    for line in lines(name):
        requirement = Requirement(line)
        if applies(requirement):
            found[canonicalize_name(requirement.name)] = str(requirement.specifier)[2:]
    return found


def whole_tree(name: str) -> set[str]:
    """Canonical names of what a list asks for, directly and by detours."""
    reached: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(line) for line in lines(name)]
    waiting = [requirement for requirement in waiting if applies(requirement)]
    while waiting:
        requirement = waiting.pop()
        extras = frozenset(requirement.extras)
        node = (str(canonicalize_name(requirement.name)), extras)
        if node not in reached:
            reached.add(node)
            for text in importlib.metadata.requires(requirement.name) or []:
                further = Requirement(text)
                if applies(further, extras):
                    waiting.append(further)
    return {found for found, _ in reached}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_line_is_a_pin(name: str) -> None:
    unpinned = [
        line for line in lines(name) if not re.fullmatch(r"[\w.-]+==[\w.]+( ; [^;]+)?", line)
    ]
    assert unpinned == []
    options = [line for line in read(name).splitlines() if line.startswith("-")]
    assert options == []


@pytest.mark.parametrize(
    ("wanted", "pinned"),
    [("requirements.in", "requirements.txt"), ("requirements-dev.in", "requirements-dev.txt")],
)
def test_the_pins_are_the_whole_tree_and_nothing_else(wanted: str, pinned: str) -> None:
    assert set(pins(pinned)) == whole_tree(wanted)


def test_app_and_development_agree_on_versions() -> None:
    app, development = pins("requirements.txt"), pins("requirements-dev.txt")
    shared = app.keys() & development.keys()
    assert {name: app[name] for name in shared} == {name: development[name] for name in shared}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_pinned_versions_are_the_tested_ones(name: str) -> None:
    installed = {package: importlib.metadata.version(package) for package in pins(name)}
    assert installed == pins(name)


def test_what_the_app_imports_is_listed_and_the_reverse() -> None:
    outside = {"tests", "benchmarks", "data", "docs", "infra"}
    imported: set[str] = set()
    for name, text in repository_texts():
        if name.endswith(".py") and name.split("/")[0] not in outside and name not in TRAINING:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    imported.add(node.module.split(".")[0])
    distributions = importlib.metadata.packages_distributions()
    needed = {
        str(canonicalize_name(distribution))
        for module in imported
        for distribution in distributions.get(module, [])
    }
    listed = {str(canonicalize_name(Requirement(line).name)) for line in lines("requirements.in")}
    brought_by_boto3 = {"botocore", "mypy-boto3-s3", "urllib3"}
    assert needed - brought_by_boto3 <= listed
    assert listed - needed <= NEED_NO_IMPORT


def test_no_file_names_a_registry_or_a_lock() -> None:
    # Written in halves: this file is searched as well.
    hosts = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com"]
    naming = [
        f"{name}: {host}" for name, text in repository_texts() for host in hosts if host in text
    ]
    assert naming == []
    # Streamlit Community Cloud would take each of these before requirements.txt.
    earlier = {"uv.lock", "Pipfile", "Pipfile.lock", "environment.yml"}
    assert earlier.isdisjoint(path.name for path in repository_files())


def test_no_file_names_a_machine() -> None:
    folders = re.compile(r"(?<![\w.{}$~/-])/(?:root|work|home/\w+|Users/\w+)/")
    naming = [name for name, text in repository_texts() if folders.search(text)]
    assert naming == []


def test_no_file_holds_a_key() -> None:
    # AWS's own example and the alphabet open nothing.
    made_up = {"AKIA" + "IOSFODNN7EXAMPLE", "AKIA" + "ABCDEFGHIJKLMNOP"}
    key = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
    found = {
        (name, match)
        for name, text in repository_texts()
        for match in key.findall(text)
        if match not in made_up
    }
    assert found == set()


def test_secrets_are_ignored_by_git() -> None:
    assert ".streamlit/secrets.toml" in read(".gitignore").splitlines()
    assert ROOT / ".streamlit" / "secrets.toml" not in repository_files()


def test_the_example_of_secrets_is_what_the_app_reads() -> None:
    settings = read_settings(tomllib.loads(read(".streamlit/secrets.example.toml")), {}, [])
    assert isinstance(settings.store, S3Options)
    assert settings.owner.password_hash is not None
    assert settings.timer_minutes == 5


def test_what_the_example_leaves_out_is_known_to_the_app() -> None:
    text = read(".streamlit/secrets.example.toml")
    everything = re.sub(r"^# ?((?:[a-z_]+ = |\[auth\]).*)$", r"\1", text, flags=re.MULTILINE)
    secrets = tomllib.loads(everything)
    assert set(secrets) == {"aws", "owner", "auth", "app", "nba", "backups", "images", "exports"}
    # Encryption can be asked for with one's own key or not at all, never both.
    del secrets["aws"]["kms_key_id"]
    settings = read_settings(secrets, {}, [])
    assert isinstance(settings.store, S3Options)
    assert settings.store.endpoint_url == secrets["aws"]["endpoint_url"]
    assert settings.owner.emails == {"you@example.com"}
    assert settings.exports.public_address == secrets["exports"]["public_address"]


def test_the_guides_secrets_are_what_the_app_reads() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", read("S3_SETUP_GUIDE.md"), flags=re.DOTALL)
    parsed = [tomllib.loads(textwrap.dedent(block)) for block in blocks]
    stores = [read_settings(secrets, {}, []).store for secrets in parsed if "aws" in secrets]
    assert len(stores) == 3
    assert all(isinstance(store, S3Options) for store in stores)
    owners = [read_settings(secrets, {}, []).owner for secrets in parsed if "owner" in secrets]
    assert [bool(owner.emails) or bool(owner.password_hash) for owner in owners] == [True, True]


def test_telemetry_is_off() -> None:
    assert tomllib.loads(read(".streamlit/config.toml"))["browser"]["gatherUsageStats"] is False


def test_the_guides_policy_is_the_one_that_the_app_needs() -> None:
    blocks = re.findall(r"```json\n(.*?)```", read("S3_SETUP_GUIDE.md"), flags=re.DOTALL)
    [shown] = [found for block in blocks if "Statement" in (found := json.loads(block))]
    assert shown == policy_document(S3Options(bucket="YOUR-BUCKET", region="us-east-1"))


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), flags=re.MULTILINE))


@pytest.mark.parametrize("name", GUIDES)
def test_guides_name_commands_that_exist(name: str) -> None:
    code = re.findall(r"```.*?```|`[^`\n]+`", read(name), flags=re.DOTALL)
    named = {
        target
        for block in code
        for target in re.findall(r"(?:^|[`\s(])make ([a-z][a-z-]*)", block, flags=re.MULTILINE)
    }
    assert named <= targets()


@pytest.mark.parametrize("name", GUIDES)
def test_guides_link_to_files_that_exist(name: str) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", read(name))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_guides_name_jobs_that_the_command_line_has() -> None:
    texts = [*GUIDES, ".streamlit/secrets.example.toml"]
    named = {job for name in texts for job in re.findall(r"cli\.py ([a-z][a-z-]*)", read(name))}
    assert "hash-password" in named
    words = {
        node.value
        for source in ("cli.py", "commands/backup_arguments.py")
        for node in ast.walk(ast.parse(read(source)))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert named <= words


def test_the_guide_explains_every_error_of_the_store() -> None:
    tree = ast.parse(read("replica/errors.py"))
    store_errors = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "StoreError" for base in node.bases)
    }
    # These two are part of ordinary work and never reach a person.
    store_errors -= {"ObjectExists", "ObjectNotFound"}
    guide = read("S3_SETUP_GUIDE.md")
    assert store_errors
    assert [name for name in sorted(store_errors) if f"`{name}`" not in guide] == []


def test_continuous_integration_runs_the_readmes_commands() -> None:
    script = read(".ci/run")
    assert re.findall(r"^make (\w+)$", script, flags=re.MULTILINE) == ["check", "test", "soak"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "- run: .ci/run" in read(".github/workflows/ci.yml")


@pytest.fixture
def fresh_machine(tmp_path: Path) -> Path:
    """A path with stand-ins that write down what continuous integration asks of the system."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    asked = tmp_path / "asked"
    scripts = {
        "make": f'echo "make $*" >> "{asked}"',
        "apt-get": f'echo "apt-get $*" >> "{asked}"',
        "id": "echo 0",
        "python3": "exit 1",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def run_ci(fresh_machine: Path) -> list[str]:
    subprocess.run(
        [fresh_machine / "bash", ROOT / ".ci" / "run"],
        env={"PATH": str(fresh_machine)},
        check=True,
        capture_output=True,
    )
    return (fresh_machine.parent / "asked").read_text(encoding="utf-8").splitlines()


def test_on_a_fresh_machine_system_packages_come_first(fresh_machine: Path) -> None:
    update, install, *commands = run_ci(fresh_machine)
    assert update == "apt-get -qq update"
    assert {"chromium", "fontconfig", "python3-venv", "sqlite3", "zstd"} <= set(install.split())
    assert commands == ["make check", "make test", "make soak"]


def test_what_is_there_already_is_not_installed(fresh_machine: Path) -> None:
    for name in ("chromium", "sqlite3", "zstd", "python3", "fc-list"):
        (fresh_machine / name).write_text("#!/bin/sh\necho here\n", encoding="utf-8")
        (fresh_machine / name).chmod(0o755)
    assert run_ci(fresh_machine) == ["make check", "make test", "make soak"]


def run_make(
    folder: Path, *words: str, path: str | None = None
) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    if make is None:
        pytest.skip(
            "needs make: sudo apt-get install make (Debian), xcode-select --install (macOS)"
        )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    for name in ("PYTHON", "PORT", "ARGS", "FOLDER"):
        environment.pop(name, None)
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [make, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A Makefile in a folder with a space in its name."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def fake_python(folder: Path, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    python = folder / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def test_make_alone_lists_the_targets() -> None:
    listed = set(re.findall(r"^  make (\S+)", run_make(ROOT).stdout, flags=re.MULTILINE))
    assert listed == targets()


def test_a_missing_python_is_named_with_its_install_line(checkout: Path) -> None:
    outcome = run_make(checkout, "run", "PYTHON=python-that-is-not-there")
    assert outcome.returncode != 0
    assert "Python 3.11" in outcome.stderr
    assert "sudo apt-get install python3 python3-venv" in outcome.stderr
    assert "brew install python" in outcome.stderr


def test_a_python_that_is_too_old_is_refused(checkout: Path) -> None:
    # The version is judged by the exit code of a program that the Python runs.
    old = fake_python(checkout / "bin", "exit 1")
    outcome = run_make(checkout, "run", f"PYTHON={old}")
    assert outcome.returncode != 0
    assert "needs Python 3.11" in outcome.stderr


def test_a_python_without_venv_is_named_with_its_package(checkout: Path) -> None:
    half = fake_python(
        checkout / "bin",
        'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac',
    )
    outcome = run_make(checkout, "run", f"PYTHON={half}")
    assert outcome.returncode != 0
    assert "sudo apt-get install python3.12-venv" in outcome.stderr
    assert not (checkout / ".venv").exists()


def test_run_installs_once_and_serves_the_owner_on_this_machine_only(checkout: Path) -> None:
    # Stands in for Python and for the one in .venv: writes down what it is asked to do.
    python = fake_python(
        checkout / "bin",
        'case "$2" in *print*) echo 3.12;; venv) mkdir -p .venv/bin && cp "$0" .venv/bin/python;; '
        '*) [ "$1" = -c ] || echo "$@" >> asked;; esac',
    )
    for _ in range(2):
        outcome = run_make(checkout, "run", f"PYTHON={python}", "PORT=8600", "ARGS=--now X")
        assert outcome.returncode == 0, outcome.stderr
    asked = (checkout / "asked").read_text(encoding="utf-8").splitlines()
    install = "-m pip install --quiet --disable-pip-version-check -r requirements.txt"
    serve = (
        "-m streamlit run streamlit_app.py --server.address 127.0.0.1"
        " --client.showErrorDetails full --server.port 8600 -- --local-owner --now X"
    )
    assert asked == [install, serve, serve]

    os.utime(checkout / "requirements.txt", (2**31, 2**31))
    run_make(checkout, "run", f"PYTHON={python}")
    assert (checkout / "asked").read_text(encoding="utf-8").splitlines()[3] == install


def test_a_virtual_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(checkout / "gone")
    (checkout / ".venv" / "installed-app").touch()
    os.utime(checkout / ".venv" / "installed-app", (2**31, 2**31))
    python = fake_python(
        checkout / "bin",
        'case "$2" in *print*) echo 3.12;; venv) rm -r .venv; mkdir -p .venv/bin && '
        'cp "$0" .venv/bin/python;; *) [ "$1" = -c ] || echo "$@" >> asked;; esac',
    )
    outcome = run_make(checkout, "run", f"PYTHON={python}")
    assert outcome.returncode == 0, outcome.stderr
    asked = (checkout / "asked").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in asked] == ["pip", "streamlit"]
