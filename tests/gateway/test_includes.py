"""What a config file includes, and the credentials that its models share."""

from pathlib import Path
from typing import Any

import pytest

from pennyworth.gateway.config import ConfigError, load, parse, read


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / "config.yaml"


def test_lists_are_continued_and_all_else_is_replaced(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "config.yaml": "include: [parts/a.yaml, b.json]\nmodel_list: [m]\ngeneral_settings: {x: 1}\n",
            # beside itself, then beside the file that everything began with; and itself, once
            "parts/a.yaml": "include: [c.yaml, b.json, a.yaml, ../config.yaml]\nmodel_list: [a]\n",
            "parts/c.yaml": "model_list: [c]\ngeneral_settings: {y: 2}\n",
            "b.json": '{"model_list": ["b"]}',
        },
    )
    assert read(path) == {"model_list": ["m", "a", "b", "c"], "general_settings": {"y": 2}}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"config.yaml": "include: a.yaml"}, "config.yaml: include: a list of paths is expected"),
        ({"config.yaml": "include: [a.yaml]"}, "a.yaml: No such file"),
        ({"config.yaml": "include: [a.yaml]", "a.yaml": "[x]"}, "a.yaml: a mapping"),
    ],
)
def test_what_can_not_be_included_is_named(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(write(tmp_path, files))


CREDENTIALS = [
    {
        "credential_name": "shared",
        "credential_values": {"api_key": "os.environ/KEY", "api_base": "https://shared.example"},
        "credential_info": {"description": "for all"},
    }
]


def model(**params: Any) -> dict[str, Any]:
    return {"model_name": "m", "litellm_params": {"model": "openai/m", **params}}


def test_models_share_a_credential(tmp_path: Path) -> None:
    entries = [
        model(litellm_credential_name="shared"),
        model(litellm_credential_name="shared", api_base="https://own.example"),
    ]
    document = {"model_list": entries, "credential_list": CREDENTIALS}
    shared, own = parse(document, {"KEY": "sk-secret-key"}).deployments
    assert shared.params == {"api_key": "sk-secret-key", "api_base": "https://shared.example"}
    assert own.params["api_base"] == "https://own.example"
    assert "sk-secret-key" in shared.secrets()
    assert parse(document, {}).deployments[0].missing == ("KEY",)


def test_a_credential_that_is_not_there_is_told() -> None:
    made = parse(
        {
            "model_list": [model(litellm_credential_name="other"), model()],
            "credential_list": [*CREDENTIALS, {"credential_name": "broken"}],
        },
        {},
    )
    places = [".".join(map(str, problem.path)) for problem in made.problems]
    assert places == ["credential_list.1", "model_list.0.litellm_params.litellm_credential_name"]
    assert "has no credential 'other'" in str(made.problems[1])


def test_an_included_file_may_hold_them(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "config.yaml": "include: [keys.yaml]\nmodel_list: [{model_name: m, litellm_params: {model: openai/m,"
            " litellm_credential_name: k}}]\n",
            "keys.yaml": "credential_list: [{credential_name: k, credential_values: {api_key: sk-123456}}]\n",
        },
    )
    made = load(path, {})
    assert made.deployments[0].params == {"api_key": "sk-123456"}
