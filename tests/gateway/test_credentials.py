"""API keys and providers' credentials as people paste them: what is understood, and what is refused."""

import pytest
from tests.gateway.conftest import KEY, RunningGateway, Start
from tests.gateway.test_direct import plain

from pennyworth.gateway.credentials import read_api_keys, read_provider_credentials

CANARY = "canary0123456789"
PEM = f"-----BEGIN PRIVATE KEY-----\nMIIEvQ{CANARY}+/x\n{CANARY}AbC9==\n-----END PRIVATE KEY-----"
JSON = f'{{\n  "type": "service_account",\n  "private_key": "{CANARY}"\n}}'


def told(text: str, *, stored: bool = True) -> list[str]:
    """What is wrong with a text, which never shows any of it."""
    read = read_provider_credentials(text, stored=stored)
    assert CANARY not in repr(read)
    return [str(problem).removeprefix("PROVIDER_CREDENTIALS, ") for problem in read.problems]


def values(text: str) -> dict[str, str]:
    read = read_provider_credentials(text)
    assert not read.problems
    return read.values


def test_values_of_several_lines_stand_in_quotes() -> None:
    assert values(f"A='{PEM}'\nB='{JSON}'\nC=\"x\\ny\"\n") == {"A": PEM, "B": JSON, "C": "x\ny"}


def test_a_byte_order_mark_windows_line_ends_and_empty_values_do_no_harm() -> None:
    assert values("\ufeff# mine\r\nexport A=1\r\n\r\nB=\r\nb_2=two words # comment\r\n") == {
        "A": "1",
        "B": "",
        "b_2": "two words",
    }


NAME = "the name must have only letters, digits and _, and no digit first"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"sk-{CANARY}", ["line 1: expected NAME=value"]),
        (f"A=1\n\n{CANARY}AbC=\nB=2", ["line 3: expected NAME=value"]),
        (f"{CANARY}==", ["line 1: expected NAME=value"]),
        (JSON, ["lines 1 to 4: expected NAME=value"]),
        (PEM, ["lines 1 to 4: expected NAME=value"]),
        (f"A={PEM}", ["lines 2 to 4: expected NAME=value"]),
        (f"A='{CANARY}\nB=1", ["line 1: expected NAME=value"]),
        (f"A='{CANARY}' {CANARY}", ["line 1: expected NAME=value"]),
        (f"A=1\nB=2\nA={CANARY}", ["line 3: the name is already in line 1"]),
        (f"{CANARY}+/=", [f"line 1: {NAME}"]),
        (f"{CANARY}-b=1\n2{CANARY}=1\nä=1", [f"lines 1 to 3: {NAME}"]),
        (f"A=x{{{{{CANARY}}}}}", ["line 1: the value contains {{, which the Parameter Store refuses"]),
    ],
)
def test_what_can_not_be_understood_is_told_by_its_line(text: str, problems: list[str]) -> None:
    assert told(text) == problems


def test_all_problems_are_told_at_once_in_order() -> None:
    text = f"ok=1\n{CANARY}\nAWS_REGION=x\nok=2\nPROVIDER_CREDENTIALS=x\nBIG='{CANARY}\n{'ä' * 2048}'\nlast-one=1"
    assert told(text) == [
        "line 2: expected NAME=value",
        "line 3: AWS_REGION is reserved: the function has its own",
        "line 4: the name is already in line 1",
        "line 5: PROVIDER_CREDENTIALS is reserved: it is a secret of its own",
        "line 6: the value has 4113 bytes. The Parameter Store takes at most 4096 (4 KB)",
        f"line 8: {NAME}",
    ]


def test_the_limit_counts_bytes() -> None:
    assert values(f"A={'ä' * 2048}")
    assert "4098 bytes" in told(f"A={'ä' * 2049}")[0]
    assert told("A=\udcff") == ["line 1: the value is not UTF-8 text"]


def test_what_is_not_stored_need_not_fit_into_the_parameter_store() -> None:
    text = f"AWS_ACCESS_KEY_ID=A\nBIG={'x' * 5000}\nT={{{{x}}}}"
    assert len(told(text)) == 3
    assert told(text, stored=False) == []


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("sk-caller-a, sk-caller-b ,,sk-caller-c,", ["sk-caller-a", "sk-caller-b", "sk-caller-c"]),
        ("sk-caller-a\nsk-caller-b\r\n\n sk-caller-c\n", ["sk-caller-a", "sk-caller-b", "sk-caller-c"]),
        ("\"sk-caller-a\", 'sk-caller-b'\nsk-caller-c", ["sk-caller-a", "sk-caller-b", "sk-caller-c"]),
        ('"sk-caller-a,sk-caller-b"', ["sk-caller-a", "sk-caller-b"]),
        ("\ufeffsk-caller-a", ["sk-caller-a"]),
        ("sk=caller=a=b", ["sk=caller=a=b"]),
        ("sk-'caller-a", ["sk-'caller-a"]),
        ("", []),
    ],
)
def test_keys_are_separated_by_commas_or_lines_and_may_have_quotes(text: str, keys: list[str]) -> None:
    read = read_api_keys(text)
    assert (list(read.keys), read.problems) == (keys, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            f"sk-caller-a,sk-{CANARY} sk-caller-b",
            ["key 2: white space inside the key. Put commas between keys"],
        ),
        (
            f"{CANARY},'{CANARY}',sk-x-0123,sk-x-0123",
            ["key 2: the same as key 1", "key 4: the same as key 3"],
        ),
        (
            "sk-1234,short",
            [
                "key 1: sk-1234 is in LiteLLM's documentation, so everybody knows it",
                "key 2: it has fewer than 8 characters, so it is quickly guessed. Use at least 16",
            ],
        ),
        (
            f"{CANARY}{{{{,{CANARY * 300}",
            [
                "key 1: the value contains {{, which the Parameter Store refuses",
                "key 2: the value has 4800 bytes. The Parameter Store takes at most 4096 (4 KB)",
            ],
        ),
    ],
)
def test_keys_that_can_not_be_used_are_told_by_position(text: str, problems: list[str]) -> None:
    read = read_api_keys(text)
    assert [str(problem).removeprefix("LITELLM_API_KEYS, ") for problem in read.problems] == problems
    assert CANARY not in repr(read)


@pytest.mark.parametrize("text", [" , ", "''", "\n\n,"])
def test_a_list_without_a_key_says_so(text: str) -> None:
    read = read_api_keys(text)
    assert [str(problem) for problem in read.problems] == ["LITELLM_API_KEYS: contains no key"]
    assert not read.keys


def opens(gateway: RunningGateway, key: str) -> bool:
    return plain(gateway, "GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})[0] == 200


def test_the_gateway_warns_and_serves_what_it_understands(start_gateway: Start) -> None:
    text = f"OPENAI_API_KEY={CANARY}\n{CANARY}\n{CANARY}-x=1\n"
    gateway = start_gateway(
        None,
        env={
            "LITELLM_MODEL_PROVIDER": "openai",
            "PROVIDER_CREDENTIALS": text,
            "LITELLM_API_KEYS": f"\"{KEY}\"\n{CANARY} {CANARY}\n'{CANARY}'",
        },
    )
    warned = [line["reason"] for line in gateway.lines if line["message"] == "problem in the credentials"]
    assert warned == [
        "PROVIDER_CREDENTIALS, line 2: expected NAME=value",
        f"PROVIDER_CREDENTIALS, line 3: {NAME}",
        "LITELLM_API_KEYS, key 2: white space inside the key. Put commas between keys",
    ]
    assert not [line for line in gateway.lines if line["message"] == "environment variable not set"]
    assert opens(gateway, KEY) and opens(gateway, CANARY) and not opens(gateway, f'"{KEY}"')
    assert CANARY not in "".join(gateway.output)
