"""What a provider is that speaks OpenAI's API, and what has to be changed in a request so that it takes it."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

BEARER = ("Authorization", "Bearer ")

# Named tuples: a hundred of them are made each time the gateway starts, in a tenth of what dataclasses cost.


class Edit(NamedTuple):
    """What is changed in the body of a chat completion. Nothing of it: the client's bytes go out as they came."""

    rename: Mapping[str, str] = {}
    """A field's name there, by OpenAI's."""
    values: Mapping[str, Mapping[str, str]] = {}
    """A value's name there, by field and OpenAI's name of the value."""
    takes: frozenset[str] | None = None
    """The only fields that it takes; None where that is not known."""
    lacks: frozenset[str] = frozenset()
    """Fields that it refuses."""
    roles: Mapping[str, str] = {}
    """A role's name there, by OpenAI's."""
    flatten: frozenset[str] = frozenset()
    """Roles whose messages it takes as one text only: parts are joined where all of them are text."""
    message_drop: frozenset[str] = frozenset()
    """Fields of messages, and of their parts, that it refuses."""
    tool_drop: frozenset[str] = frozenset()
    """Fields of tools, and of their functions, that it refuses."""

    def refuses(self, name: str) -> bool:
        """Whether the provider answers a request that has this field with an error."""
        return name in self.lacks or (self.takes is not None and name not in self.takes)


class Choices(NamedTuple):
    """What an operator has chosen of what may be left out."""

    drop: bool = False
    """`drop_params`: whatever the upstream refuses."""
    allowed: frozenset[str] = frozenset()
    """`allowed_openai_params`: goes out whatever the table says."""
    dropped: tuple[str, ...] = ()
    """`additional_drop_params`: goes out never. A name, or a path such as `tools[*].function.strict`."""


class Address(NamedTuple):
    """Where a deployment's requests go."""

    base_url: str
    """Without a slash at the end."""
    path: str = "{path}"
    """Where an endpoint lies below it: `{path}` stands for its own path, `{model}` for the model's name."""
    key_header: tuple[str, str] = BEARER
    """Name of the header that carries the key, and what stands before it."""
    headers: Mapping[str, str] = {}
    """Of every request."""
    region: str = ""
    """That requests are signed for; empty where none are."""


class Provider(NamedTuple):
    """How to reach a provider that speaks OpenAI's API."""

    base_url: str | None
    """Where its API lies when neither the configuration nor the environment says; None: they must.

    `{NAME}` stands for the environment variable NAME.
    """
    key_variables: tuple[str, ...]
    """Environment variables that may hold its key, first match wins."""
    base_variables: tuple[str, ...] = ()
    """Environment variables that may hold its address."""
    edit: Edit = Edit()
    """What its chat completions differ in."""
    edits_by_model: tuple[tuple[str, Edit], ...] = ()
    """The same for models whose names match a pattern: as text, since compiling costs start-up time."""
    also: tuple[str, ...] = ()
    """What it speaks natively beside chat completions."""
    also_models: Mapping[str, str] = {}
    """A pattern of the models that speak it, where not all do."""
    elsewhere: Mapping[str, str] = {}
    """Where that lies, if not below its address: an address, or a path of the same host."""
    key_headers: Mapping[str, tuple[str, str]] = {}
    """As `key_header`, where it is another one for that."""
    model_prefix: str = ""
    """What stands before a model's name there, unless that has the same beginning up to its first slash, or a `#`."""
    suffix: str = ""
    """What LiteLLM's users leave out at the end of an address that they write."""
    path: str = "{path}"
    """Where an endpoint lies below the address."""
    key_header: tuple[str, str] = BEARER
    """Name of the header that carries the key, and what stands before it."""
    key_kinds: Mapping[str, tuple[str, str]] = {}
    """A header that tells what kind of key it is, by how the key begins; that is left out. `{key}` is the key."""
    key_optional: bool = False
    """A server of your own often wants no key."""
    service: str = ""
    """AWS's name for it, in the signatures of requests without a key."""
    by_choice: bool = False
    """Direct only where `model_info.lane` says so: something is lost without an error."""
    address: str = ""
    """A pattern. An address in the configuration that does not match it belongs to another API of the provider's."""
    translated_models: str = ""
    """A pattern of models that have no OpenAI-compatible API there."""
    translated_parameters: frozenset[str] = frozenset()
    """Names in litellm_params that only LiteLLM can make something of."""
    directions: str = ""
    """A pattern of what LiteLLM's users write before a model's name, and the provider does not know."""

    def speaks(self, what: str, model: str, params: Mapping[str, Any]) -> bool:
        """Whether a deployment can be asked this without a translation.

        Args:
            what: as in `also`.
            model: the upstream's name for the model.
            params: its litellm_params.
        """
        if what not in (*self.also, *self.elsewhere) or any(
            params.get(name) for name in self.translated_parameters
        ):
            return False
        pattern = self.also_models.get(what)
        return pattern is None or re.search(pattern, model) is not None

    def name_model(self, model: str) -> str:
        """A model's name there."""
        prefix = self.model_prefix
        if self.directions:
            model = re.sub(self.directions, "", model)
        if not prefix or "#" in model or model.startswith(prefix[: prefix.index("/") + 1]):
            return model
        return prefix + model

    def edit_of(self, model: str) -> Edit:
        """What is changed for a model."""
        for pattern, edit in self.edits_by_model:
            if re.search(pattern, model):
                return edit
        return self.edit
