"""What a package is built for: a Python, a processor and a system."""

import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from pennyworth.host.places import ROOT

TEMPLATE = ROOT / "template.yaml"

_WHEELS = {
    # glibc 2.28 is older than Amazon Linux 2023 (Lambda's Python 3.12 and newer) and the newest that all
    # locked wheels ask for
    ("linux", "arm64"): "aarch64-manylinux_2_28",
    ("linux", "x86_64"): "x86_64-manylinux_2_28",
    ("macos", "arm64"): "aarch64-apple-darwin",
    ("macos", "x86_64"): "x86_64-apple-darwin",
}
_ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}
_SYSTEMS = {"linux": "linux", "darwin": "macos"}


@dataclass(frozen=True, slots=True)
class Target:
    """A Python, a processor and a system, in Lambda's words."""

    python: str
    """Major and minor version, such as 3.13."""
    architecture: str
    """arm64 or x86_64."""
    system: str = "linux"
    """linux, or macos for a function that runs on this machine."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"3\.\d+", self.python):
            raise ValueError(f"no Python version: {self.python!r} (3.13, for instance)")
        if (self.system, self.architecture) not in _WHEELS:
            known = ", ".join(f"{architecture} on {system}" for system, architecture in _WHEELS)
            raise ValueError(f"no package for {self.architecture} on {self.system}; there are {known}")

    @classmethod
    def here(cls) -> "Target":
        """This interpreter and machine."""
        machine, system = platform.machine().lower(), platform.system().lower()
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(version, _ARCHITECTURES.get(machine, machine), _SYSTEMS.get(system, system))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Target":
        """What `PENNYWORTH_TARGET_PYTHON`, `_ARCHITECTURE` and `_SYSTEM` say; the template's defaults elsewhere."""

        names = ("PYTHON", "ARCHITECTURE", "SYSTEM")
        return cls.choose(*(environ.get(f"PENNYWORTH_TARGET_{name}", "") for name in names))

    @classmethod
    def choose(cls, python: str = "", architecture: str = "", system: str = "") -> "Target":
        """What somebody asks for; the template's defaults for what is empty.

        Args:
            python: such as 3.13 or python3.13.
            architecture: arm64 or x86_64.
            system: linux or macos.
        Raises:
            ValueError: there is no such target.
        """
        return cls(
            (python or _default("PythonRuntime")).removeprefix("python"),
            architecture or _default("Architecture"),
            system or "linux",
        )

    @property
    def wheels(self) -> str:
        """uv's name of the platform that the wheels must fit."""
        return _WHEELS[self.system, self.architecture]

    def environ(self) -> dict[str, str]:
        """What `from_environ` reads."""
        return {
            "PENNYWORTH_TARGET_PYTHON": self.python,
            "PENNYWORTH_TARGET_ARCHITECTURE": self.architecture,
            "PENNYWORTH_TARGET_SYSTEM": self.system,
        }

    def parameters(self) -> dict[str, str]:
        """The template's parameters that must go with such a package."""
        return {"PythonRuntime": f"python{self.python}", "Architecture": self.architecture}

    def __str__(self) -> str:
        return f"Python {self.python}, {self.architecture}, {self.system}"


def _default(parameter: str) -> str:
    """A parameter's default, read from the template's text: this runs where no YAML reader is."""
    block = re.search(rf"^  {parameter}:\n((?:    .*\n)+)", TEMPLATE.read_text(), re.MULTILINE)
    default = block and re.search(r"^    Default: (.+)$", block[1], re.MULTILINE)
    if not default:
        raise ValueError(f"{TEMPLATE.name} has no default for {parameter}")
    return default[1].strip()
