"""The table of grades: whole, reachable row by row, and true to what the gateway reads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pennyworth.gateway import config, grades
from pennyworth.gateway.config import parse
from pennyworth.gateway.endpoints import PRESETS
from pennyworth.gateway.grades import OTHERS, ROWS, Grade, find_row, is_known, list_keys
from pennyworth.gateway.lanes.direct import SETTINGS, is_passed_on
from pennyworth.host.environments import environment

HELD = (Grade.EXACT, Grade.APPROXIMATE)
SECTIONS = ("general_settings", "litellm_settings", "router_settings")
ENTRY = {"model_name": "m", "litellm_params": {"model": "openai/x"}}


def rows_of(*sections: str) -> Iterator[tuple[grades.Row, str, str, str]]:
    """Each name in a table's row, with its section and the value that it is for."""
    for row in ROWS:
        for section, names in row.keys.items():
            if not sections or section in sections:
                for name in names.split():
                    yield row, section, *name.partition("=")[::2]


class Watched(dict[str, Any]):
    """A section that remembers which of its keys were asked for by name."""

    def __init__(self, section: str, asked: set[tuple[str, str]], held: dict[str, Any]) -> None:
        super().__init__(held)
        self._section, self._asked = section, asked

    def get(self, key: str, default: Any = None) -> Any:
        self._asked.add((self._section, key))
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._asked.add((self._section, key))
        return super().__getitem__(key)


def asked_of(section: str = "", **held: Any) -> set[tuple[str, str]]:
    """Which keys the gateway asks for in a file with some in one section."""
    asked: set[tuple[str, str]] = set()
    document: dict[str, Any] = {each: Watched(each, asked, {}) for each in SECTIONS}
    document["model_list"] = [ENTRY | {"model_info": Watched("model_info", asked, {})}]
    document |= {section: Watched(section, asked, held)} if section in SECTIONS else {}
    parse(Watched("", asked, document | (held if not section else {})), {})
    return asked


@pytest.fixture(autouse=True)
def keep_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve no references, because what is resolved is another mapping."""
    resolve = config._resolve
    watched = lambda value, *rest: value if isinstance(value, Watched) else resolve(value, *rest)  # noqa: E731
    monkeypatch.setattr(config, "_resolve", watched)


def test_no_name_is_in_a_row_that_another_hides() -> None:
    for row, section, name, value in rows_of():
        if "*" not in f"{section}{name}":
            found = find_row(section, name, row.lane or "direct", value.replace("*", "x"))
            assert found is row, f"{section}.{name}: {found.says}"


def test_each_row_says_how_it_differs_or_why() -> None:
    for row in ROWS:
        assert row.says or row.grade is Grade.EXACT, row.keys
        assert not row.says.endswith("."), row.says


def test_whatever_the_gateway_reads_is_graded_as_held() -> None:
    for section, name in asked_of():
        assert find_row(section, name).grade in HELD, f"{section}.{name}"


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (section, name)
        for row, section, name, _ in rows_of("", *SECTIONS)
        if row.grade in HELD and name not in grades.SDK_SETTINGS and section != grades.SETTINGS
    ],
)
def test_nothing_is_called_held_that_the_gateway_does_not_read(section: str, name: str) -> None:
    if (section, name) in UNREAD:
        return
    assert (section, name) in asked_of(section, **({name: 1} if section else {}))


UNREAD = {
    ("", grades.SETTINGS),
    # merged before the file is parsed
    ("", "include"),
    # requests are always shared so
    ("router_settings", "routing_strategy"),
}


def test_a_models_parameters_are_those_of_the_direct_lane() -> None:
    read = SETTINGS | PRESETS
    held = {
        name for row, _, name, _ in rows_of("litellm_params") if row.grade in HELD and row.lane != "litellm"
    }
    assert held - read == set()
    assert {name for name in read if find_row("litellm_params", name, "direct").grade not in HELD} == set()


def test_only_what_litellm_does_not_know_is_passed_on() -> None:
    assert is_passed_on("num_ctx") and is_passed_on("repetition_penalty")
    assert not any(
        map(is_passed_on, ("api_key", "temperature", "aws_region_name", "tags", "guardrails", "prompt_id"))
    )
    assert find_row("litellm_params", "num_ctx", "direct") is OTHERS["litellm_params"]


def test_what_is_off_is_harmless_and_a_value_has_its_own_row() -> None:
    settings = {
        "cache": False,
        "callbacks": ["presidio", {"websearch": {}}, "prometheus"],
        "ssl_verify": False,
    }
    graded = [
        (key.name, key.row.grade, key.row.protects) for key in list_keys({"litellm_settings": settings}, {})
    ]
    assert graded == [
        ("cache", Grade.HARMLESS, False),
        ("callbacks", Grade.UNSUPPORTED, True),
        ("callbacks", Grade.UNSUPPORTED, False),
        ("callbacks", Grade.MANUAL, False),
        ("ssl_verify", Grade.MANUAL, False),
    ]


def test_a_key_fares_by_its_models_lane() -> None:
    entries = [{"litellm_params": {"vertex_project": "x", "mock_response": "x"}}] * 2
    graded = [key.row.grade for key in list_keys({"model_list": entries}, {0: "direct", 1: "litellm"})]
    assert graded == [Grade.HARMLESS, Grade.MANUAL, Grade.EXACT, Grade.EXACT]


@pytest.fixture(scope="module")
def litellm() -> Path:
    """The locked LiteLLM's sources."""
    (folder,) = environment("litellm").parent.glob("lib/python*/site-packages/litellm")
    return folder


def test_the_table_has_every_setting_of_the_locked_litellm(litellm: Path) -> None:
    proxy = (litellm / "proxy" / "proxy_server.py").read_text()
    types = (litellm / "proxy" / "_types.py").read_text()
    router = (litellm / "router.py").read_text()
    declared = types.partition("class ConfigGeneralSettings")[2].partition("\nclass ")[0]
    general = {
        *re.findall(r"^    (\w+):", declared, re.MULTILINE),
        *re.findall(r'general_settings(?:\.get\(|\[)\s*"(\w+)"', proxy),
    }
    parameters = router.partition("class Router")[2].partition("    def __init__(")[2].partition("):")[0]
    params = (litellm / "types" / "router.py").read_text()
    declared = params.partition("class GenericLiteLLMParams")[2].partition("\nclass ")[0]
    known = {
        "general_settings": general,
        "router_settings": set(re.findall(r"^        ([a-z]\w*):", parameters, re.MULTILINE)),
        "litellm_settings": set(re.findall(r'\bkey == "(\w+)"', proxy)),
        "litellm_params": set(re.findall(r"^    (\w+):", declared, re.MULTILINE)) - {"model_config"},
    }
    for section, names in known.items():
        assert len(names) > 15, section
        assert [name for name in sorted(names) if not is_known(section, name)] == [], section
