"""Runs one client in a HOME of its own and tells what became of each check."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.clients.matrix import HERE, Client, Program
from tests.clients.upstream import TEXT

SECONDS = 600
"""How long a client's checks may take."""
PROGRAM_SECONDS = 90
"""How long a program may take for one answer. Some try for a minute again what was refused or cut."""
_MARK = "mark-4711"
_WRONG_KEY = "sk-not-a-key"
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(client: Client, root: str, key: str, models: tuple[str, str], home: Path) -> dict[str, str]:
    """Return what is wrong, by check; an empty text where nothing is.

    Args:
        client: which client.
        root: the gateway's address, without `/v1`.
        key: its API key.
        models: one that answers, and one whose answers are cut.
        home: an empty folder.
    """
    if client.program:
        return dict(_run_program(client, client.program, root, key, models, home))
    driver = str(HERE / "drivers" / client.driver)
    runtime = ["node"] if client.node else ["python", "-I", "-c", _ISOLATED]
    env = _environ(root, key, models, home)
    if client.node:
        env["PACKAGES"] = str(client.folders()[0].parents[1])
    said = _call(client, [*runtime, driver], env, home)
    lines = [json.loads(line) for line in said.stdout.splitlines() if line.startswith('{"check"')]
    if not lines:
        raise AssertionError(f"the driver said nothing:\n{said.stdout[-2000:]}\n{said.stderr[-3000:]}")
    return {line["check"]: line["problem"] for line in lines}


# -I keeps the surroundings away, and the driver's own folder with them
_ISOLATED = (
    "import pathlib, runpy, sys; path = sys.argv[1];"
    " sys.path.insert(0, str(pathlib.Path(path).parent)); runpy.run_path(path)"
)


def _environ(root: str, key: str, models: tuple[str, str], home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "OPENAI_BASE_URL": f"{root}/v1",
        "OPENAI_API_KEY": key,
        "ANTHROPIC_BASE_URL": root,
        "MODEL": models[0],
        "CUT": models[1],
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_PROXY": "127.0.0.1,localhost",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def _call(
    client: Client, command: list[str], env: Mapping[str, str], folder: Path, seconds: int = SECONDS
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, client.folders()), os.environ["PATH"]])
    program = next(
        (str(each / command[0]) for each in client.folders() if (each / command[0]).exists()), command[0]
    )
    try:
        return subprocess.run(
            [program, *command[1:]],
            env={**env, "PATH": path},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        output = b"".join(part or b"" for part in (error.stdout, error.stderr))  # type: ignore[arg-type]
        return subprocess.CompletedProcess(
            command, 124, output.decode(errors="replace"), f"not done in {seconds} s"
        )


def _run_program(
    client: Client, program: Program, root: str, key: str, models: tuple[str, str], home: Path
) -> Iterator[tuple[str, str]]:
    """Run a program once for each of its checks."""
    work = home / "work"
    work.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    (work / "mark.txt").write_text(f"{_MARK}\n")

    def said(
        command: tuple[str, ...], prompt: str = "", *, key: str = key, model: str = models[0]
    ) -> tuple[int, str]:
        values = {"url": f"{root}/v1", "root": root, "key": key, "model": model, "prompt": prompt}
        values |= {"file": str(work / "mark.txt"), "package": str(client.folder()), "home": str(home)}
        for name, text in program.files.items():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(text, values))
        env = _environ(root, key, models, home)
        env |= {name: _filled(value, values) for name, value in program.env.items()}
        done = _call(client, [_filled(word, values) for word in command], env, work, PROGRAM_SECONDS)
        return done.returncode, _COLOUR.sub("", done.stdout + done.stderr)

    if program.list_models:
        code, text = said(program.list_models)
        yield "models", "" if models[0] in text else _short(code, text)
    answered = False
    if "chat" in program.checks:
        code, text = said(program.command, "What is the capital of France?")
        answered = not code and TEXT in text
        yield "chat", "" if answered else _short(code, text)
    if program.tool:
        code, text = said(program.command, _filled(program.tool, {"file": str(work / "mark.txt")}))
        yield "tools", "" if not code and _MARK in text else _short(code, text)
    if "wrong key" in program.checks:
        code, text = said(program.command, "What is the capital of France?", key=_WRONG_KEY)
        yield "wrong key", "" if "API key" in text else _short(code, text)
    if "cut" in program.checks:
        code, text = said(program.command, "What is the capital of France?", model=models[1])
        # an error that every call meets is none of a cut
        failed = answered and (
            code or re.search(r"(?i)error|interrupted|broke|failed|stopped|incomplete", text)
        )
        yield "cut", "" if failed and TEXT not in text else _short(code, text)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _short(code: int, text: str) -> str:
    return f"status {code}: {text.strip()[-700:]}"
