# The project's commands. They need python3 (3.11 or newer), make and git. They install everything else into
# .pennyworth/ in this folder when they first need it.

# python3, or the newest Python on PATH where python3 is too old. If none is new enough, python3 says so.
new_enough = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(new_enough)' 2>/dev/null && echo $$python && break; done),python3)
ARGS ?=
# env, because a shell in between would answer Ctrl-C with a message of its own
pennyworth = env PYTHONPATH=src $(PYTHON) -m pennyworth.cli

.PHONY: help demo test lint rehearse bench adapter pages lock clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## run an endpoint on a local AWS emulator (ARGS=--check: run the smoke tests, then exit)
	@$(pennyworth) demo $(ARGS)

test: ## run all tests and linters (ARGS="gateway -k stream": run some of them)
	@PYTHONPATH=src $(PYTHON) -m tests $(ARGS)

lint: ## run the linters only
	@PYTHONPATH=src $(PYTHON) -m tests lint $(ARGS)

rehearse: ## run the deployment workflow against a local AWS emulator (ARGS="--workflow preview")
	@$(pennyworth) rehearse $(ARGS)

bench: ## measure the gateway's speed and memory, compared with LiteLLM's proxy (ARGS="--runs 9")
	@PYTHONPATH=src $(PYTHON) -m bench $(ARGS)

adapter: ## build the AWS Lambda Web Adapter with cargo, for the local AWS emulator
	@$(pennyworth) adapter $(ARGS)

pages: ## write the tables of README, docs, actions and workflows
	@PYTHONPATH=src $(PYTHON) -m tools.pages $(ARGS)

lock: ## update the locks in requirements/ from the .in files (ARGS=--upgrade: newest versions)
	@PYTHONPATH=src $(PYTHON) -m pennyworth.host.locks $(ARGS)

clean: ## delete everything that these commands created
	rm -rf .pennyworth .aws-sam
