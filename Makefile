# The project's commands. They need python3 (3.11 or newer), make and git; everything else is installed into
# .pennyworth/ inside this folder when first needed.
PYTHON ?= python3
ARGS ?=
pennyworth = PYTHONPATH=src $(PYTHON) -m pennyworth.cli

.PHONY: help demo test lint rehearse bench adapter pages lock clean

help: ## what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## your own endpoint on a local AWS, answering (ARGS=--check: try it and leave)
	@$(pennyworth) demo $(ARGS)

test: ## everything that must hold (ARGS="gateway -k stream" for a part)
	@PYTHONPATH=src $(PYTHON) -m tests $(ARGS)

lint: ## what reads the project's own files
	@PYTHONPATH=src $(PYTHON) -m tests lint $(ARGS)

rehearse: ## the deployment workflow itself, against the local AWS
	@$(pennyworth) rehearse $(ARGS)

bench: ## what the gateway costs beside its peers (ARGS="--runs 9")
	@PYTHONPATH=src $(PYTHON) -m bench $(ARGS)

adapter: ## build the real Lambda Web Adapter with cargo
	@$(pennyworth) adapter $(ARGS)

pages: ## write the tables of README, docs, actions and workflows
	@PYTHONPATH=src $(PYTHON) -m tools.pages $(ARGS)

lock: ## resolve requirements/*.in anew
	@PYTHONPATH=src $(PYTHON) -m pennyworth.host.locks $(ARGS)

clean: ## remove everything that the project made for itself
	rm -rf .pennyworth .aws-sam
