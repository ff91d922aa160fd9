"""Who may import whom."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pennyworth.host.places import ROOT

SOURCE = ROOT / "src"

ORDER = (
    {"gateway", "host"},
    {"github"},
    {"aws"},
    {"iam"},
    {"checks"},
    {"pipeline"},
    {"setup", "local"},
    {"cli"},
)
"""Each part imports from those before it alone, and so no two from one another."""
RANKS = {part: rank for rank, parts in enumerate(ORDER) for part in parts}


def imported(module: Path) -> Iterator[str]:
    """Full names of everything that a module imports, wherever in it."""
    package = module.relative_to(SOURCE).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join((*base, *filter(None, [node.module]), alias.name)) for alias in node.names)


def modules(part: str) -> list[Path]:
    return sorted((SOURCE / "pennyworth" / part).rglob("*.py"))


def test_every_part_has_its_place_in_the_order() -> None:
    assert {
        path.name for path in (SOURCE / "pennyworth").iterdir() if (path / "__init__.py").exists()
    } == set(RANKS)


@pytest.mark.parametrize("part", RANKS)
def test_imports_run_one_way(part: str) -> None:
    wrong = [
        f"{module.relative_to(SOURCE)} imports {name}"
        for module in modules(part)
        for name in imported(module)
        if (words := name.split("."))[0] == "pennyworth"
        and len(words) > 1
        and words[1] in RANKS
        and words[1] != part
        and RANKS[words[1]] >= RANKS[part]
    ]
    assert not wrong


@pytest.mark.parametrize(
    "module",
    [path for part in RANKS for path in modules(part)],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_nobody_imports_what_serves_this_repository_alone(module: Path) -> None:
    assert not [name for name in imported(module) if name.split(".")[0] in ("tools", "tests", "bench")]


@pytest.mark.parametrize(
    "module", [*modules("host"), *modules("cli")], ids=lambda path: str(path.relative_to(SOURCE))
)
def test_a_bare_python_runs_the_command_line(module: Path) -> None:
    roots = {name.split(".")[0] for name in imported(module)}
    assert roots <= {*sys.stdlib_module_names, "pennyworth"}


def test_only_a_workflow_runs_a_step() -> None:
    steps = "pennyworth.pipeline.steps"
    callers = {
        str(module.relative_to(SOURCE))
        for part in RANKS
        for module in modules(part)
        if any(name.startswith(steps) for name in imported(module))
    }
    assert not [caller for caller in callers if not caller.startswith(steps.replace(".", "/"))]


def test_imports_are_found_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "pennyworth" / "gateway" / "lanes" / "some.py"
    module.parent.mkdir(parents=True)
    module.write_text("import a.b\ndef f():\n    from c import d\nfrom . import e\nfrom ...host import g\n")
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert sorted(imported(module)) == ["a.b", "c.d", "pennyworth.gateway.lanes.e", "pennyworth.host.g"]


def test_importing_the_command_line_loads_the_standard_library_alone() -> None:
    script = "import sys, pennyworth.cli, pennyworth.host.environments; print(*sorted(sys.modules))"
    bare = [sys.executable, "-S", "-c", script]
    loaded = subprocess.run(
        bare, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name.split(".")[0] for name in loaded} <= {*sys.stdlib_module_names, "pennyworth", "__main__"}
    assert not [name for name in loaded if name.startswith(("pennyworth.gateway", "pennyworth.local.aws"))]
