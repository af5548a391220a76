"""The rules of the house (docs/ARCHITECTURE.md, "Rules"), kept by machine."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {
    "pipeline",
    "stages",
    "configs",
    "tests",
    "benchmarks",
    "docs",
    ".ci",
    "run_stream.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    ".gitignore",
}
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
FLOOR = (
    "errors",
    "clock",
    "redact",
    "polygons",
    "masks",
    "frame",
    "ledger",
    "wire",
    "keys",
    "client",
)
FLOOR_MAY_NOT_LOAD = {"torch", "torchvision", "av", "cv2", "pydantic", "scipy", "typer"}


def tracked(suffix: str = "") -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = [ROOT / name for name in listing.split("\0") if name.endswith(suffix) and name]
    return [file for file in files if file.is_file()]


def functions(file: Path) -> list[int]:
    """Lengths of the functions of a file, in lines, docstrings left out."""
    lengths = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node) is not None and isinstance(first, ast.Expr)
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            lengths.append((node.end_lineno or 0) - node.lineno + 1 - docstring)
    return lengths


def test_the_top_level_holds_only_what_was_agreed() -> None:
    assert {file.relative_to(ROOT).parts[0] for file in tracked()} <= TOP_LEVEL


def test_no_file_is_longer_than_300_lines() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in tracked(".py")
        if (lines := len(file.read_text().splitlines())) > 300
    }
    assert long == {}


def test_no_file_of_the_page_is_longer_than_300_lines() -> None:
    page = list((ROOT / "pipeline/viewer/page").iterdir())
    assert page
    assert [str(file) for file in page if len(file.read_text().splitlines()) > 300] == []


def test_functions_are_short() -> None:
    product = [file for file in tracked(".py") if file.parent.name not in ("tests", "benchmarks")]
    lengths = sorted(length for file in product for length in functions(file))
    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_names_say_something() -> None:
    assert [str(file) for file in tracked(".py") if file.stem in SAYS_NOTHING] == []


def test_tests_use_real_parts() -> None:
    words = ("unittest" + ".mock", "Magic" + "Mock", "monkeypatch" + ".setattr")
    offenders = [
        file.name
        for file in tracked(".py")
        if file.parent.name == "tests" and any(word in file.read_text() for word in words)
    ]
    assert offenders == []


def test_nothing_is_left_open_or_swallowed() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b(?!\s*\(?#\d)")
    swallowed = re.compile(r"except( Exception)?:\s*\n?\s*pass\b")
    offenders = [
        str(file.relative_to(ROOT))
        for file in tracked(".py")
        if marks.search(file.read_text()) or swallowed.search(file.read_text())
    ]
    assert offenders == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    hosts = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "anaconda" + ".org")
    words = (*hosts, "/wo" + "rk/", "/ro" + "ot/")
    offenders = [
        f"{file.relative_to(ROOT)}: {word}"
        for file in tracked()
        if file.suffix in {".py", ".toml", ".md", ".json", ".yml", ""}
        for word in words
        if word in file.read_text(errors="ignore")
    ]
    assert offenders == []


def test_imports_run_one_way() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("module", FLOOR)
def test_a_subscriber_needs_only_the_floor(module: str) -> None:
    script = f"import sys, pipeline.{module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert FLOOR_MAY_NOT_LOAD.isdisjoint(loaded)


def test_importing_the_runtime_is_free() -> None:
    """``import pipeline`` loads nothing but itself, so it takes no time."""
    script = "import sys; before = set(sys.modules); import pipeline; "
    script += "print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == ["pipeline"]
