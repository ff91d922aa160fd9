"""The configuration: LiteLLM's own config.yaml, read as it is, or one provider named by the environment.

Format: https://docs.litellm.ai/docs/proxy/configs.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.fallbacks import Fallbacks, read_fallbacks
from pennyworth.gateway.forwarding import Forwarding, list_forwarded_models
from pennyworth.gateway.named_credentials import Values, add_credential, read_credential_list
from pennyworth.gateway.policies import Policies, read_policies, read_policy
from pennyworth.gateway.provider import Provider
from pennyworth.gateway.providers import (
    PROVIDERS,
    SELF_PREFIXED,
    WELL_KNOWN_PREFIXES,
    speaks_openai,
)
from pennyworth.gateway.timeouts import Timeouts

LaneName = Literal["direct", "litellm"]

_REFERENCE = "os.environ/"

# LiteLLM puts a model's name into the path of an upstream's URL, and some names it takes for an address. What a caller
# writes in a wildcard's place must lead nowhere but to a model below the address that is configured.
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:@+~-]+")
_SEGMENTS = re.compile(
    r"(?:(?!\.{1,2}/)[A-Za-z0-9._:@+~-]*[A-Za-z0-9._@+~-]/)*(?!\.{1,2}$)[A-Za-z0-9._:@+~-]+"
)
# Of these the name is one segment; a slash would choose another API of the provider's, or another region.
_ONE_SEGMENT = frozenset(["azure", "bedrock", "gemini", "sagemaker", "sagemaker_chat"])

_SECTIONS = ("litellm_settings", "router_settings", "general_settings")

# Parameters that are numbers, and whether they may be 0.
_NUMBERS = (
    ("timeout", False),
    ("request_timeout", False),
    ("stream_timeout", False),
    ("order", True),
    ("weight", True),
    ("rpm", True),
    ("tpm", True),
    ("num_retries", True),
    ("max_retries", True),
    ("cooldown_time", True),
)
_INFO_NUMBERS = (("max_stream_duration", False), ("cooldown_time", True), ("allowed_fails", True))

_FLAGS = dict.fromkeys(["true", "1", "yes", "y", "on", "t"], True) | dict.fromkeys(
    ["false", "0", "no", "n", "off", "f"], False
)

_NEEDED = frozenset(["", "api_base", "base_url"])
"""Without what these refer to, a request would go elsewhere. The empty name is a value's by itself."""

_SECRET_WORDS = ("key", "secret", "token", "password", "credential", "authorization")
_HARMLESS = re.compile(r"(?:^|\.)(?:prompt_cache_key|aws_session_name|(?:custom_)?tokenizer|\w+_tokens)$")
"""Names that look like a credential's and are not."""


class ConfigError(ValueError):
    """The configuration can't be used; the message names the place and the mend."""

    def __init__(self, message: str, *path: str | int) -> None:
        """
        Args:
            message: what is wrong and how to mend it.
            path: where in the file's mapping, as its keys and indices from the top; empty where nowhere in it.
        """
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of `model_list`: where the requests for a model name go."""

    name: str
    """The client's name for it (`model_name`); may hold a `*`."""
    provider: str
    """LiteLLM's name of the provider: `openai`, `anthropic`, `bedrock` ...; empty where the request names it."""
    model: str
    """The upstream's own name for the model, without the provider's prefix; may hold a `*`."""
    lane: LaneName
    params: Mapping[str, Any] = field(default_factory=dict)
    """`litellm_params` as they stand, `os.environ/NAME` already replaced, without `model`."""
    missing: tuple[str, ...] = ()
    """Environment variables that `params` name and that are not set."""
    listed: bool = True
    """Whether GET /v1/models names it."""
    index: int = 0
    """Of its entry in `model_list`."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """`model_info` as it stands."""
    captured: str = ""
    """What the client wrote in a wildcard's place."""
    bridged: bool = False
    """Whether the LiteLLM lane only translates a protocol for it, which is direct otherwise."""

    def endpoint(self) -> Provider:
        """How a direct call reaches the provider."""
        return PROVIDERS.get(self.provider) or PROVIDERS["openai_like"]

    def choose_lane(self, native: str) -> "Deployment | None":
        """The same deployment on the lane that an endpoint takes; None where it can't be asked there.

        Args:
            native: what the upstream must speak itself, as `Provider.also` has it; empty where either lane does.
        """
        if not native:
            return self
        row = PROVIDERS.get(self.provider)
        if row is None or self.info.get("lane") == "litellm":
            return None
        if row.service and self.captured:  # its address would follow from what the client wrote
            return None
        if not row.speaks(native, self.model, self.params):
            return None
        return self if self.lane == "direct" else replace(self, lane="direct")

    def bridge(self) -> "Deployment | None":
        """The same deployment on the LiteLLM lane; None where its name could lead elsewhere than to a model."""
        if self.lane == "litellm":
            return self
        if self.captured and not _is_segment(self.provider, self.captured):
            return None
        return replace(self, lane="litellm", bridged=True)

    def secrets(self) -> list[str]:
        """The values in `params` that must never reach a client or a log."""
        return list(_secrets(self.params))

    def concrete(self, captured: str) -> "Deployment | None":
        """A wildcard deployment for one model's name, which has `captured` in the wildcard's place.

        Returns:
            None where that name can't be told to a provider, or would lead elsewhere than to a model.
        """
        model = self.model.replace("*", captured, 1)
        provider, lane = self.provider, self.lane
        if not provider:
            try:
                provider, model = _split(model, None, self.name)
            except ConfigError:
                return None
            if not model:
                return None
            direct = speaks_openai(provider, model, self.params, wildcard=True)
            lane = "direct" if direct else "litellm"
        if (lane == "litellm" or provider == "azure") and not _is_segment(provider, captured):
            return None
        return replace(self, provider=provider, model=model, lane=lane, captured=captured)


def _is_segment(provider: str, captured: str) -> bool:
    """Check whether what a client wrote in a wildcard's place can be put into an upstream's path."""
    pattern = _SEGMENT if provider in _ONE_SEGMENT else _SEGMENTS
    return pattern.fullmatch(captured) is not None


@dataclass(frozen=True, slots=True)
class Config:
    """What the gateway serves."""

    deployments: tuple[Deployment, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    """`router_settings.model_group_alias`: further names of models."""
    keys: tuple[str, ...] = ()
    """Keys that the configuration itself gives: `general_settings.master_key`."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    """How long a provider may be silent."""
    fallbacks: Fallbacks = field(default_factory=Fallbacks)
    """Which models stand in for one that fails."""
    num_retries: float | None = None
    """How often a model is tried again where nothing else can answer."""
    cooldown_seconds: float = 5.0
    """How long a deployment that failed comes last."""
    cooldowns: bool = True
    """Whether one that failed comes last at all."""
    policies: Policies = field(default_factory=Policies)
    """What differs by the kind of failure."""
    retry_after: float = 0
    """At least so many seconds are waited before another try."""
    length_checks: bool = False
    """`router_settings.enable_pre_call_checks`: a request that is too long for one deployment is tried on the next."""
    forwarding: Forwarding = field(default_factory=Forwarding)
    """Which of a client's own headers go on."""
    drop_params: bool = False
    """`litellm_settings.drop_params`: what an upstream refuses is left out."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """`environment_variables`: what the providers' own libraries read from the process."""
    litellm_settings: Mapping[str, Any] = field(default_factory=dict)
    """What the file wants of LiteLLM itself, with variables in the place of references."""
    hidden: frozenset[str] = frozenset()
    """Aliases that GET /v1/models does not name."""
    problems: tuple[ConfigError, ...] = ()
    """What can't be used. Everything else is served."""
    refused: frozenset[str] = frozenset()
    """Names of models whose only entries are among the problems."""
    unset: tuple[str, ...] = ()
    """Environment variables that the file refers to and that are not set."""

    def needs_litellm(self) -> bool:
        """Whether any model goes the LiteLLM lane."""
        return any(deployment.lane == "litellm" for deployment in self.deployments)

    def resolve(self, name: str) -> list[Deployment]:
        """The deployments for a client's model name: of exactly that name, else of the most specific wildcard.

        Raises:
            ApiError: 404 `model_not_found`.
        """
        name = self.aliases.get(name, name)
        matches = [d for d in self.deployments if d.name == name] or self._wildcards(name)
        if not matches and any(_captured(pattern, name) is not None for pattern in self.refused):
            raise ApiError(
                500,
                f"The model '{name}' is not configured correctly here. Whoever runs this gateway finds the reason in"
                " its log.",
                code="gateway_misconfigured",
                param="model",
            )
        if not matches:
            raise ApiError(
                404,
                f"The model '{name}' does not exist here. GET /v1/models lists those that do.",
                code="model_not_found",
                param="model",
            )
        return matches

    def _wildcards(self, name: str) -> list[Deployment]:
        best: list[Deployment] = []
        for deployment in self.deployments:
            captured = _captured(deployment.name, name)
            if not captured:
                continue
            if best and len(deployment.name) < len(best[0].name):
                continue
            if best and len(deployment.name) > len(best[0].name):
                best = []
            if concrete := deployment.concrete(captured):
                best.append(concrete)
        return best


def _captured(pattern: str, name: str) -> str | None:
    """What a model's name has in the place of a pattern's `*` ("" where both are the same), or None."""
    if name == pattern:
        return ""
    prefix, star, suffix = pattern.partition("*")
    if not star or len(name) <= len(prefix) + len(suffix):
        return None
    fits = name.startswith(prefix) and name.endswith(suffix)
    return name[len(prefix) : len(name) - len(suffix)] if fits else None


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration.

    Args:
        path: as for `document`.
        environ: the environment variables that it may refer to, and that stand in for it.
    Returns:
        the configuration. A variable that is not set fails only the models that need it.
    Raises:
        ConfigError: no file and no provider, or a file that can't be understood.
    """
    return parse(document(path, environ), environ)


def document(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """A config file's mapping, or one that stands for the environment's provider.

    Args:
        path: a LiteLLM config file, YAML or (as the build leaves it in a package) JSON; None without one.
        environ: names the provider in LITELLM_MODEL_PROVIDER where there is no file.
    Raises:
        ConfigError: no file and no provider, or a file that can't be read.
    """
    if path:
        return read(path)
    provider = environ.get("LITELLM_MODEL_PROVIDER", "").strip()
    if not provider:
        raise ConfigError(
            "No models are configured. Give a LiteLLM config file (PENNYWORTH_CONFIG or --config), or name a"
            " provider in LITELLM_MODEL_PROVIDER and set its usual key, such as OPENAI_API_KEY."
        )
    models: dict[str, Any] = {"model": f"{provider}/*"}
    entries: list[dict[str, Any]] = [{"model_name": "*", "litellm_params": models}]
    if provider not in SELF_PREFIXED:  # the provider's own name before a model's is then no part of it
        entries.append(
            {"model_name": f"{provider}/*", "litellm_params": models, "model_info": {"listed": False}}
        )
    return {"model_list": entries}


def read(path: Path) -> dict[str, Any]:
    """A config file's mapping, with what it includes.

    Raises:
        ConfigError: it can't be read, is no YAML, or holds no mapping; or what it includes.
    """
    document = _read_one(path)
    if "include" not in document:
        return document
    from pennyworth.gateway.includes import merge_included  # a package has nothing to include

    return merge_included(document, path, _read_one)


def _read_one(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    document = _json(path, text) if path.suffix == ".json" else _yaml(path, text)
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: a mapping with model_list is expected at the top")
    return document


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None


def _yaml(path: Path, text: str) -> Any:
    from pennyworth.gateway.yaml_reader import YamlError, load_yaml  # a package holds JSON

    try:
        return load_yaml(text)
    except YamlError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def parse(document: Mapping[str, Any], environ: Mapping[str, str], *, empty: bool = False) -> Config:
    """A configuration from a config file's mapping.

    Args:
        document: the file's content.
        environ: the environment variables that it may refer to.
        empty: whether a configuration without a usable model is one.
    Returns:
        the configuration, with all that can't be used in `problems`.
    Raises:
        ConfigError: no model can be used.
    """
    problems: list[ConfigError] = []
    unset: list[str] = []
    own = {
        str(name): str(_resolve(value, environ, unset, "") or "")
        for name, value in _section(document, "environment_variables", problems).items()
    }
    environ = {**environ, **own}
    settings = {
        # what is not read here may refer to anything
        name: _resolve(_section(document, name, problems), environ, [], name)
        for name in _SECTIONS
    }
    credentials, wrong = read_credential_list(document)
    problems += (ConfigError(message, *path) for message, path in wrong)
    deployments, refused = [], set()
    for index, entry in enumerate(_entries(document, problems)):
        try:
            deployments.append(_deployment(index, entry, environ, credentials))
        except ConfigError as problem:
            problems.append(problem)
            if isinstance(entry, Mapping):
                refused.add(str(entry.get("model_name", "")))
    if not deployments and not empty:
        raise problems[-1]
    aliases, hidden = _aliases(settings["router_settings"].get("model_group_alias"), problems)
    fallbacks, wrong = read_fallbacks(settings)
    problems += (ConfigError(message, *path) for message, path in wrong)
    values = _Values(settings, problems)
    most = values.find_number("router_settings.max_fallbacks")
    allowed_fails = values.find_number("router_settings.allowed_fails", "litellm_settings.allowed_fails")
    policies, wrong = read_policies(settings, allowed_fails)
    problems += (ConfigError(message, *path) for message, path in wrong)
    cooldown = values.find_number("router_settings.cooldown_time", "litellm_settings.cooldown_time")
    return Config(
        deployments=tuple(deployments),
        aliases=aliases,
        keys=_master_key(
            _section(document, "general_settings", []).get("master_key"), environ, unset, problems
        ),
        timeouts=Timeouts(
            request=values.find_number("litellm_settings.request_timeout", zero=False),
            router=values.find_number("router_settings.timeout", zero=False),
            stream=values.find_number("router_settings.stream_timeout", zero=False),
            whole_stream=values.find_number("general_settings.max_stream_duration", zero=False) or math.inf,
        ),
        fallbacks=fallbacks if most is None else fallbacks._replace(most=most),
        num_retries=values.find_number("router_settings.num_retries", "litellm_settings.num_retries"),
        cooldown_seconds=5.0 if cooldown is None else cooldown,
        cooldowns=not values.has("router_settings.disable_cooldowns"),
        policies=policies,
        retry_after=values.find_number("router_settings.retry_after") or 0,
        length_checks=values.has("router_settings.enable_pre_call_checks"),
        forwarding=Forwarding(
            everywhere=values.has("general_settings.forward_client_headers_to_llm_api"),
            models=list_forwarded_models(settings["litellm_settings"]),
            organization=values.has("general_settings.forward_openai_org_id"),
        ),
        drop_params=values.has("litellm_settings.drop_params"),
        litellm_settings=settings["litellm_settings"],
        environment=own,
        hidden=hidden,
        problems=tuple(problems),
        refused=frozenset(refused - {deployment.name for deployment in deployments}),
        unset=tuple(dict.fromkeys([*unset, *(name for each in deployments for name in each.missing)])),
    )


def _entries(document: Mapping[str, Any], problems: list[ConfigError]) -> list[Any]:
    entries = document.get("model_list")
    if isinstance(entries, list) and entries:
        return entries
    problems.append(ConfigError("model_list: a list with at least one model is expected", "model_list"))
    return []


def _master_key(
    value: Any, environ: Mapping[str, str], unset: list[str], problems: list[ConfigError]
) -> tuple[str, ...]:
    key = _resolve(value, environ, unset, "")
    if isinstance(key, str):
        return (key,) if key else ()
    if key is not None:
        path = ("general_settings", "master_key")
        problems.append(ConfigError(f"{'.'.join(path)}: text is expected. Put it in quotes", *path))
    return ()


def _deployment(
    index: int, entry: Any, environ: Mapping[str, str], credentials: Mapping[str, Values]
) -> Deployment:
    place, path = f"model_list[{index}]", ("model_list", index)
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{place}: a mapping with model_name and litellm_params is expected", *path)
    name = entry.get("model_name")
    params = entry.get("litellm_params")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{place}.model_name: a name is expected", *path, "model_name")
    place = f"{place} ({name})"
    if not isinstance(params, Mapping) or not isinstance(params.get("model"), str) or not params["model"]:
        raise ConfigError(
            f"{place}: litellm_params.model is expected, such as openai/gpt-5",
            *path,
            "litellm_params",
            "model",
        )
    try:
        params = add_credential(params, credentials)
    except KeyError as unknown:
        raise ConfigError(
            f"{place}: credential_list has no credential {unknown}. Add it, or write its values here",
            *path,
            "litellm_params",
            "litellm_credential_name",
        ) from None
    missing: list[str] = []
    values = _resolve({key: value for key, value in params.items() if key != "model"}, environ, missing, "")
    for key in ("api_base", "base_url", "api_key"):
        if isinstance(value := values.get(key), bool | Mapping | list):
            where = (*path, "litellm_params", key)
            raise ConfigError(f"{place}: litellm_params.{key}: text is expected", *where)
        if isinstance(value, str):
            values[key] = value.strip()  # a pasted value often ends in a line break
    written = _resolve(params["model"], environ, missing, "api_key")  # no model without its name
    provider, model = _split(written, values.get("custom_llm_provider"), place, path) if written else ("", "")
    info = entry.get("model_info")
    info = {**info} if isinstance(info, Mapping) else {}
    for section, given, numbers in (
        ("litellm_params", values, _NUMBERS),
        ("model_info", info, _INFO_NUMBERS),
    ):
        for key, zero in numbers:
            if given.get(key) is not None:
                where = (*path, section, key)
                given[key] = _number(given[key], f"{place}: {section}.{key}", where, zero=zero)
    policy, wrong = read_policy(info.get("allowed_fails_policy"), ("model_info", "allowed_fails_policy"))
    for message, at in wrong:
        raise ConfigError(f"{place}: {message}", *path, *at)
    info["allowed_fails_policy"] = policy
    lane = info.get("lane")
    if lane not in (None, "direct", "litellm"):
        raise ConfigError(
            f"{place}: model_info.lane is either direct or litellm, not {lane!r}", *path, "model_info", "lane"
        )
    listed = info.get("listed") is not False
    direct = not provider or speaks_openai(provider, model, values, info.get("mode"))
    chosen: LaneName = lane or ("direct" if direct else "litellm")
    return Deployment(name, provider, model, chosen, values, tuple(missing), listed, index, info)


def _split(model: str, provider: Any, place: str, path: tuple[str | int, ...] = ()) -> tuple[str, str]:
    """A provider and its model from LiteLLM's `provider/model`."""
    if provider:
        return str(provider), model.removeprefix(f"{provider}/")
    if model == "*":
        return "", "*"
    head, slash, tail = model.partition("/")
    if head and slash:  # without a name behind it where the address has that
        return head, tail
    for prefix, known in WELL_KNOWN_PREFIXES.items():
        if model.startswith(prefix):
            return known, model
    raise ConfigError(
        f"{place}: '{model}' names no provider. Write provider/model, such as openai/{model}",
        *path,
        "litellm_params",
        "model",
    )


_ABSENT = object()


def _resolve(value: Any, environ: Mapping[str, str], missing: list[str], name: str) -> Any:
    """A value with every `os.environ/NAME` in it replaced. What is not set and not needed is left out.

    Args:
        value: as it stands in the file.
        environ: the variables.
        missing: takes the names of those that are not set and without which a model can't be called.
        name: where the value stands, such as `extra_headers.authorization`.
    """
    found = _look_up(value, environ, missing, name)
    return None if found is _ABSENT else found


def _look_up(value: Any, environ: Mapping[str, str], missing: list[str], name: str) -> Any:
    if isinstance(value, str) and value.startswith(_REFERENCE):
        variable = value.removeprefix(_REFERENCE)
        if variable in environ:
            return environ[variable]
        if name in _NEEDED or names_secret(name):
            missing.append(variable)
        return _ABSENT
    if isinstance(value, Mapping):
        items = (
            (str(key), _look_up(item, environ, missing, f"{name}.{key}".lower().removeprefix(".")))
            for key, item in value.items()
        )
        return {key: item for key, item in items if item is not _ABSENT}
    if isinstance(value, list):
        listed = [_look_up(item, environ, missing, name) for item in value]
        return [item for item in listed if item is not _ABSENT]
    return value


def _section(document: Mapping[str, Any], name: str, problems: list[ConfigError]) -> Mapping[str, Any]:
    value = document.get(name) or {}
    if isinstance(value, Mapping):
        return value
    problems.append(ConfigError(f"{name}: a mapping is expected", name))
    return {}


def _aliases(value: Any, problems: list[ConfigError]) -> tuple[dict[str, str], frozenset[str]]:
    """The aliases, and those of them that are hidden."""
    path = ("router_settings", "model_group_alias")
    if not isinstance(value or {}, Mapping):
        problems.append(ConfigError(f"{'.'.join(path)}: a mapping of names to models is expected", *path))
        return {}, frozenset()
    aliases, hidden = {}, set()
    for name, target in (value or {}).items():
        # an alias may be a mapping, {model: NAME, hidden: true}
        model = target.get("model") if isinstance(target, Mapping) else target
        if not isinstance(model, str):
            problems.append(ConfigError(f"{'.'.join(path)}.{name}: a model's name is expected", *path, name))
            continue
        aliases[str(name)] = model
        if isinstance(target, Mapping) and target.get("hidden") is True:
            hidden.add(str(name))
    return aliases, frozenset(hidden)


class _Values:
    """The numbers and flags in a file's sections."""

    def __init__(self, settings: Mapping[str, Mapping[str, Any]], problems: list[ConfigError]) -> None:
        self._settings = settings
        self._problems = problems

    def find_number(self, *places: str, zero: bool = True) -> float | None:
        """Find the first that is set.

        Args:
            places: such as `router_settings.timeout`.
            zero: whether it may be 0.
        """
        for place in places:
            section, _, name = place.partition(".")
            value = self._settings[section].get(name)
            if value is not None:
                try:
                    return _number(value, place, (section, name), zero=zero)
                except ConfigError as problem:
                    self._problems.append(problem)
        return None

    def has(self, place: str) -> bool:
        """Whether a flag is set."""
        section, _, name = place.partition(".")
        return bool(read_flag(self._settings[section].get(name)))


def _number(value: Any, place: str, path: tuple[str | int, ...], *, zero: bool = False) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{place}: a number is expected, not {value!r}", *path) from None
    if not (0 < number < float("inf") or (zero and number == 0)):
        raise ConfigError(
            f"{place}: a number {'from' if zero else 'above'} 0 is expected, not {value!r}", *path
        )
    return number


def read_flag(value: object) -> bool | None:
    """Read a flag, which may be text: None where it says neither yes nor no."""
    return value if isinstance(value, bool) else _FLAGS.get(str(value).strip().lower())


def _secrets(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            # below a name such as extra_headers or vertex_credentials, anything may be one
            yield from _secrets(item, f"{name}.{key}".lower())
    elif isinstance(value, str) and len(value) > 5 and names_secret(name):
        yield value


def names_secret(name: str) -> bool:
    """Whether what has this name is a credential: a variable, or a parameter such as `extra_headers.authorization`."""
    name = name.lower()
    return any(word in name for word in _SECRET_WORDS) and not _HARMLESS.search(name)


def find(environ: Mapping[str, str]) -> Path | None:
    """The config file: where PENNYWORTH_CONFIG says, else config.json or config.yaml beside the application."""
    if named := environ.get("PENNYWORTH_CONFIG"):
        return Path(named)
    folder = Path(environ.get("LAMBDA_TASK_ROOT") or os.curdir)
    return next((path for name in ("config.json", "config.yaml") if (path := folder / name).is_file()), None)


def read_seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """A variable that is a number of seconds.

    Raises:
        ConfigError: it is none.
    """
    given = environ.get(name) or default
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{name}: a number of seconds above 0 is expected, not {given}")
    return seconds
