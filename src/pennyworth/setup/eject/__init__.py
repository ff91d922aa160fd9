"""Writes everything that deploys an endpoint without this project into a folder. Needs PyYAML."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from pennyworth.aws.names import Names
from pennyworth.checks.config import Report
from pennyworth.host.environments import LOCKS
from pennyworth.host.places import ROOT
from pennyworth.host.source_tree import source_tree
from pennyworth.pipeline.build import Target
from pennyworth.pipeline.build.build import ENTRY
from pennyworth.pipeline.build.target import TEMPLATE
from pennyworth.pipeline.build.trim import read_entries

_HERE = Path(__file__).parent
_USERS = (".github/workflows/*.yml", "actions/*/action.yml")
_POLICIES = ROOT / "policies"

_PACKAGE = "package/"
_SECRETS = {"BaseDomain", "Route53HostedZoneId", "AcmCertificateArn", "AlarmEmail"}
_EXPRESSIONS = {"ConfigHash": "${{ github.sha }}"}  # a new version of the function for each commit
# not set here: the workflow looks up the boundary, and keys come from the Parameter Store
_NOT_SET = {"PermissionsBoundaryArn", "ApiKeys", "ProviderCredentials"}
_MAKEFILE = re.compile(r"(?<=^    Metadata:\n)      BuildMethod: makefile\n(?=      )", re.MULTILINE)
_CODE = re.compile(r"^(      CodeUri:) src/$", re.MULTILINE)


class _Template(Template):
    """A template with `%{name}` placeholders, because workflows contain `${{ }}`."""

    delimiter = "%"


@dataclass(frozen=True, slots=True)
class Ejected:
    """A file to write."""

    path: Path
    """Relative to the folder."""
    content: bytes
    executable: bool = False


def files(target: Target, config: Path | None, report: Report, model_provider: str = "") -> list[Ejected]:
    """List all files to write.

    Args:
        target: the Python version and architecture to build the function for.
        config: the configuration file to deploy with. None: none.
        report: the result of checking that configuration.
        model_provider: the provider, if there is no configuration. Empty: the template's default.
    """
    lock = "litellm" if report.litellm else "gateway"
    parameters = report.parameters | ({"ModelProvider": model_provider} if model_provider else {})
    listed = [
        _text("template.yaml", _template()),
        _text(".github/workflows/deploy.yml", _workflow(target, lock, parameters)),
        _text("README.md", _readme(target, config, report)),
        _text(".gitignore", f"{_PACKAGE}\n"),
        _text("requirements/function.txt", (LOCKS / f"{lock}.txt").read_text()),
        *(_text(f"requirements/{name}.txt", (LOCKS / f"{name}.txt").read_text()) for name in ("tools", "uv")),
        *(Ejected(Path("policies", path.name), path.read_bytes()) for path in sorted(_POLICIES.iterdir())),
        *_function(),
    ]
    if config:
        listed.append(Ejected(Path("function", f"config{config.suffix}"), config.read_bytes()))
    return sorted(listed, key=lambda file: file.path.parts)


def write(listed: list[Ejected], folder: Path) -> None:
    """Write the files.

    Args:
        listed: the files.
        folder: the folder to write to. It must be empty or not exist.
    Raises:
        FileExistsError: the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} is not empty. Choose an empty or new folder, so that nothing is overwritten."
        )
    for file in listed:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)


def _text(path: str, text: str) -> Ejected:
    return Ejected(Path(path), text.encode())


def _function() -> Iterator[Ejected]:
    """Yield the sources of the Lambda function."""
    sources = source_tree() / "src"
    yield Ejected(Path("function", ENTRY), (sources / ENTRY).read_bytes(), executable=True)
    package = sources / "pennyworth"
    for path in (package / "__init__.py", *(package / "gateway").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield Ejected(Path("function") / path.relative_to(sources), path.read_bytes())


def _template() -> str:
    """Return the stack's template, changed to use a package that is already built."""
    text, removed = _MAKEFILE.subn("", TEMPLATE.read_text())
    text, moved = _CODE.subn(rf"\g<1> {_PACKAGE}", text)
    if (removed, moved) != (1, 1):
        raise RuntimeError(f"{TEMPLATE.name} names its function's sources otherwise than eject knows")
    return text


def _workflow(target: Target, lock: str, chosen: Mapping[str, str]) -> str:
    values = {name: str(parameter["Default"]) for name, parameter in _parameters().items()}
    values |= target.parameters() | dict(chosen)
    settings, overrides = [], []
    for name, default in values.items():
        if name in _NOT_SET:
            continue
        variable = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
        value = (
            f"${{{{ secrets.{variable} }}}}" if name in _SECRETS else _EXPRESSIONS.get(name, f'"{default}"')
        )
        settings.append(f"          {variable}: {value}")
        overrides.append(f'            "{name}=\\"${variable}\\"" \\')
    return _filled(
        "workflow.yml",
        {
            "checkout": _pinned("actions/checkout"),
            "setup_python": _pinned("actions/setup-python"),
            "configure_aws_credentials": _pinned("aws-actions/configure-aws-credentials"),
            "python": target.python,
            "wheels": target.wheels,
            "trimmed": _trimmed(lock),
            "settings": "\n".join(settings),
            "overrides": "\n".join(overrides),
            "boundary": Names().name_policy("stack-boundary"),
            "partition": "aws",
        },
    )


def _trimmed(lock: str) -> str:
    """Return the paths to remove from the package, for `rm -rf`. Skips entries that keep a part of a folder."""
    paths = [
        path for entry in read_entries(lock) if not entry.keep for path in entry.paths if "**" not in path
    ]
    return " \\\n            ".join(paths)


def _readme(target: Target, config: Path | None, report: Report) -> str:
    return _filled(
        "README.md",
        {
            "with_config": ", your configuration" if config else "",
            "package": report.describe_package(),
            "python": target.python,
            "architecture": target.architecture,
        },
    )


def _filled(name: str, values: dict[str, str]) -> str:
    return _Template((_HERE / name).read_text(encoding="utf-8")).substitute(values)


def _parameters() -> dict[str, dict[str, Any]]:
    """Return the template's parameters by name."""
    document = yaml.load(TEMPLATE.read_text(), Loader=_TemplateLoader)  # noqa: S506 - it is a safe loader
    found: dict[str, dict[str, Any]] = document["Parameters"]
    return found


def _pinned(action: str) -> str:
    """Return a third-party action pinned to the commit that this project uses."""
    for path in sorted(path for pattern in _USERS for path in ROOT.glob(pattern)):
        if found := re.search(rf"uses: ({re.escape(action)}@[0-9a-f]{{40}} # \S+)", path.read_text()):
            return found[1]
    raise RuntimeError(f"nothing here uses {action}")


class _TemplateLoader(yaml.SafeLoader):
    """Reads a template's parameters, and ignores CloudFormation's own tags."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
