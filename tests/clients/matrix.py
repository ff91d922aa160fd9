"""The clients, each with what it is run from, and what it can't do yet."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pennyworth.host.environments import environment
from tests import npm

HERE = Path(__file__).parent
LANES = ("direct", "litellm")
OLDEST_NODE = 22
CHECKS = {
    "models": "lists the models",
    "chat": "asks and is answered",
    "stream": "reads a stream piece by piece",
    "tools": "calls a tool and uses its result",
    "schema": "gets JSON that fits a schema",
    "embeddings": "gets embeddings",
    "wrong key": "shows why a wrong API key is refused",
    "cut": "raises an error when a stream is cut",
    "responses": "uses `/v1/responses`",
    "completions": "uses `/v1/completions`",
}
"""The checks, in the table's order, and what a client that passes does."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a program with a command line is run. `{url}`, `{root}`, `{key}` and `{model}` stand for the gateway's."""

    command: tuple[str, ...]
    """The program and its arguments; `{prompt}` stands for what is asked."""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Its configuration: text by path below HOME."""
    tool: str = ""
    """What the model is told to do to read `{file}`, as `CALL name {...}`. Empty: the program has no tools here."""
    checks: tuple[str, ...] = ("chat", "wrong key", "cut")
    list_models: tuple[str, ...] = ()
    """The command that lists the models."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client."""

    name: str
    package: str
    """Its package's name on PyPI or npm."""
    source: str
    """Of a Python package: the lock's name in requirements/. Of an npm package: the folder in npm/."""
    driver: str = ""
    """The script in drivers/ that uses it. Empty: it is a program."""
    program: Program | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """What it can't do yet, and why: by check."""

    @property
    def node(self) -> bool:
        return (HERE / "npm" / self.source).is_dir()

    def version(self) -> str:
        """The version that is installed."""
        if self.node:
            manifest = (
                npm.installed(HERE / "npm" / self.source) / "node_modules" / self.package / "package.json"
            )
            return str(json.loads(manifest.read_text())["version"])
        (found,) = (environment(self.source).parent / "lib").glob(
            f"python*/site-packages/{self.package.replace('-', '_')}-*.dist-info"
        )
        return found.name.removesuffix(".dist-info").rpartition("-")[2]

    def folders(self) -> list[Path]:
        """Where its programs are."""
        if self.node:
            installed = npm.installed(HERE / "npm" / self.source)
            return [installed / "node_modules" / ".bin", npm.programs(OLDEST_NODE)]
        return [environment(self.source)]

    def folder(self) -> Path:
        """The package's own folder, if it is npm's; else where its programs are."""
        first = self.folders()[0]
        return first.parent / self.package if self.node else first


CLIENTS = (
    Client("OpenAI SDK (Python)", "openai", "clients-openai", "openai_sdk.py"),
    Client(
        "OpenAI SDK (TypeScript)",
        "openai",
        "openai-node",
        "openai_node.mjs",
    ),
    Client(
        "Anthropic SDK (Python)",
        "anthropic",
        "clients-anthropic",
        "anthropic_sdk.py",
    ),
    Client("LiteLLM SDK", "litellm", "clients-litellm", "litellm_sdk.py"),
    Client(
        "LangChain",
        "langchain-openai",
        "clients-langchain",
        "langchain_openai_sdk.py",
    ),
    Client("LlamaIndex", "llama-index-llms-openai-like", "clients-llama-index", "llama_index_sdk.py"),
    Client(
        "Instructor",
        "instructor",
        "clients-instructor",
        "instructor_sdk.py",
    ),
    Client(
        "Pydantic AI",
        "pydantic-ai-slim",
        "clients-pydantic-ai",
        "pydantic_ai_sdk.py",
    ),
    Client(
        "OpenAI Agents SDK",
        "openai-agents",
        "clients-openai-agents",
        "openai_agents_sdk.py",
    ),
    Client("AI SDK", "ai", "ai-sdk", "ai_sdk.mjs"),
    Client(
        "llm",
        "llm",
        "clients-llm",
        program=Program(
            ("llm", "-m", "pennyworth", "{prompt}"),
            files={
                ".config/io.datasette.llm/extra-openai-models.yaml": """\
- model_id: pennyworth
  model_name: {model}
  api_base: {url}
  api_key_name: pennyworth
  supports_tools: true
  supports_schema: true
""",
                ".config/io.datasette.llm/keys.json": '{"pennyworth": "{key}"}',
            },
        ),
    ),
    Client(
        "aider",
        "aider-chat",
        "clients-aider",
        program=Program(
            (
                *(
                    "aider",
                    "--model",
                    "openai/{model}",
                    "--message",
                    "{prompt}",
                    "--yes-always",
                    "--no-check-update",
                ),
                *(
                    "--no-show-model-warnings",
                    "--no-gitignore",
                    "--analytics-disable",
                    "--no-pretty",
                    "--timeout",
                    "30",
                ),
            ),
            env={"OPENAI_API_BASE": "{url}", "OPENAI_API_KEY": "{key}"},
        ),
    ),
    Client(
        "Continue",
        "@continuedev/cli",
        "continue",
        program=Program(
            ("cn", "--config", "{home}/.continue/config.yaml", "--auto", "-p", "{prompt}"),
            env={"CONTINUE_TELEMETRY_ENABLED": "0"},
            files={
                ".continue/config.yaml": """\
name: pennyworth
version: 1.0.0
schema: v1
models:
  - name: {model}
    provider: openai
    model: {model}
    apiBase: {url}
    apiKey: {key}
    roles: [chat]
    capabilities: [tool_use]
"""
            },
            tool='CALL Read {"filepath":"{file}"}',
        ),
    ),
    Client(
        "Codex",
        "@openai/codex",
        "codex",
        program=Program(
            ("codex", "exec", "--skip-git-repo-check", "{prompt}"),
            files={
                ".codex/config.toml": """\
model = "{model}"
model_provider = "pennyworth"

[model_providers.pennyworth]
name = "pennyworth"
base_url = "{url}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""
            },
            env={"OPENAI_API_KEY": "{key}"},
            tool='CALL exec_command {"cmd":"cat {file}"}',
        ),
    ),
    Client(
        "Claude Code",
        "@anthropic-ai/claude-code",
        "claude-code",
        program=Program(
            ("node", "{package}/cli-wrapper.cjs", "--model", "{model}", "-p", "{prompt}"),
            env={
                "ANTHROPIC_BASE_URL": "{root}",
                "ANTHROPIC_AUTH_TOKEN": "{key}",
                "ANTHROPIC_MODEL": "{model}",
                "ANTHROPIC_SMALL_FAST_MODEL": "{model}",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "CLAUDE_CODE_MAX_RETRIES": "0",
                "DISABLE_AUTOUPDATER": "1",
            },
            tool='CALL Read {"file_path":"{file}"}',
        ),
    ),
)
