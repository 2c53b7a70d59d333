# Every target prints the command it runs, so that you can run it without make.
PYTHON    ?= python3
RECIPE    ?= movie-gen-256p
TRAINING  ?= $(if $(filter command line,$(origin RECIPE)),$(RECIPE),movie-gen-train)
RUN       ?= build/run
WORKSPACE ?= build/workspace
ARGS      ?=

BIN     := .venv/bin
MOVIOLA := $(BIN)/moviola
STAMP   := .venv/.installed
PAGES   := pipelines/dashboard/static pipelines/report

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format docs bench clean
.PHONY: curate stage select captions review-export review-import models verify explain report
.PHONY: dashboard sql doctor
.PHONY: train-tae encode train generate average

need = $(if $($(1)),,$(error $(1)= is missing: make $@ $(1)=$(2)))

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The project
setup: $(STAMP) ## Build .venv with pinned packages and fetch the models; quick when both are there
	@$(BIN)/python -m pipelines.assets models >/dev/null

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "$(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,models,training]'
	@touch $@

demo: setup ## Curate Big Buck Bunny and its trailer, train a tiny model on the clips, generate one
	$(BIN)/python -m pipelines.assets demo --into build/footage
	$(MOVIOLA) curate demo --input build/footage/manifest.csv --workspace build/demo $(ARGS)
	$(MOVIOLA) verify build/demo
	$(MOVIOLA) captions build/demo --into build/captions --count 5
	$(MOVIOLA) train-tae train-demo --workspace build/demo
	$(MOVIOLA) encode train-demo --workspace build/demo
	$(MOVIOLA) verify build/demo
	$(MOVIOLA) train train-demo --workspace build/demo --run build/demo-run
	$(MOVIOLA) generate build/demo-run --prompt "a grey rabbit on a green meadow" --into build/generated

test: setup ## Run the tests; ARGS="tests/curation -k motion" runs some of them
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/oxlint $(PAGES)
	$(BIN)/oxfmt --check $(PAGES)

format: $(STAMP) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/oxlint --fix $(PAGES)
	$(BIN)/oxfmt $(PAGES)

docs: $(STAMP) ## Write the pages of docs/ that list what the code defines
	$(BIN)/python -m pipelines.documentation

bench: setup ## Run one benchmark: NAME=speed/analyse
	$(call need,NAME,speed/analyse)$(BIN)/python -m benchmarks.$(subst /,.,$(NAME)) $(ARGS)

clean: ## Remove build/ and caches; .venv and your workspaces elsewhere stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

##@ Your footage
curate: setup ## The whole way to shards: INPUT=folder-or-URI RECIPE= WORKSPACE= ARGS=; again resumes
	$(call need,INPUT,path/to/videos)$(MOVIOLA) curate '$(RECIPE)' --input '$(INPUT)' --workspace '$(WORKSPACE)' $(ARGS)

stage: setup ## One stage: NAME=sources|clips|scores|captions|shards
	$(call need,NAME,clips)$(MOVIOLA) stage '$(NAME)' '$(RECIPE)' $(if $(INPUT),--input '$(INPUT)') --workspace '$(WORKSPACE)' $(ARGS)

select: setup ## Decide again from stored measures; nothing is decoded
	$(MOVIOLA) select '$(RECIPE)' --workspace '$(WORKSPACE)' $(ARGS)

captions: setup ## Show captions beside their clips: INTO=folder ARGS="--count 50 --flagged"
	$(call need,INTO,build/captions)$(MOVIOLA) captions '$(WORKSPACE)' --into '$(INTO)' $(ARGS)

review-export: setup ## Write a contact sheet for people to judge: SUBSET=sft INTO=new-folder
	$(call need,SUBSET,sft)$(call need,INTO,build/review)$(MOVIOLA) review export '$(WORKSPACE)' '$(SUBSET)' --into '$(INTO)' $(ARGS)

review-import: setup ## Store what they said: FILE=build/review/review.csv ARGS="--reviewer NAME"
	$(call need,FILE,build/review/review.csv)$(MOVIOLA) review import '$(WORKSPACE)' '$(FILE)' $(ARGS)

models: setup ## What the models of RECIPE= are, size and licence; ARGS=--fetch downloads them
	$(MOVIOLA) models '$(RECIPE)' $(ARGS)

verify: setup ## Check that every id is accounted for and every file is whole
	$(MOVIOLA) verify '$(WORKSPACE)' $(ARGS)

explain: setup ## Everything known of one clip: CLIP=clip_id
	$(call need,CLIP,clip_id)$(MOVIOLA) explain '$(WORKSPACE)' '$(CLIP)' $(ARGS)

report: setup ## Write a page to look at, and the shards' card and Croissant metadata
	$(MOVIOLA) report '$(WORKSPACE)' $(ARGS)

dashboard: setup ## Show what every filter did in a browser; RUN= a training run, ARGS="--port 8765"
	$(MOVIOLA) dashboard '$(WORKSPACE)' $(if $(filter command line,$(origin RUN)),--run '$(RUN)') $(ARGS)

sql: setup ## Ask DuckDB: QUERY="select reason, count(*) from selection group by 1"
	$(call need,QUERY,"select ...")$(MOVIOLA) sql '$(WORKSPACE)' "$(QUERY)" $(ARGS)

doctor: setup ## Check this machine, and the workspace if one is given
	$(MOVIOLA) doctor $(if $(filter command line,$(origin WORKSPACE)),--workspace '$(WORKSPACE)') $(ARGS)

##@ Your model
train-tae: setup ## Train the autoencoder of a training RECIPE= on the shards of WORKSPACE=
	$(MOVIOLA) train-tae '$(TRAINING)' --workspace '$(WORKSPACE)' $(ARGS)

encode: setup ## Encode the shards that a training RECIPE= reads into latents
	$(MOVIOLA) encode '$(TRAINING)' --workspace '$(WORKSPACE)' $(ARGS)

train: setup ## Train the model of a training RECIPE= into RUN=; the same line again resumes
	$(MOVIOLA) train '$(TRAINING)' --workspace '$(WORKSPACE)' --run '$(RUN)' $(ARGS)

generate: setup ## Generate a video: PROMPT="a dog on a beach" RUN= INTO=folder ARGS="--seed 1"
	$(call need,PROMPT,"a dog on a beach")$(call need,INTO,build/videos)$(MOVIOLA) generate '$(RUN)' --prompt "$(PROMPT)" --into '$(INTO)' $(ARGS)

average: setup ## Average models: MODELS="a.safetensors b.safetensors" INTO=mean.safetensors
	$(call need,MODELS,"one.safetensors other.safetensors")$(call need,INTO,build/mean.safetensors)$(MOVIOLA) average $(MODELS) --into '$(INTO)' $(ARGS)
