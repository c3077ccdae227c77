# Strata's commands; `make help` lists them. Bazel does the work.

BAZEL ?= /usr/bin/bazel
# Flags for every build and test: make test FLAGS=--config=clang
FLAGS ?=
# What to test: make test TESTS=//engine/...
TESTS ?= //...
# Where `make run` keeps its data, where it listens, and more flags for stratad.
DATA ?= data
LISTEN ?= 127.0.0.1:2379
# How many `make cluster` has.
MEMBERS ?= 3
ARGS ?=

CALM := --ui_event_filters=-info,-debug --noshow_loading_progress --show_result=0

.PHONY: help setup build run cluster test bench asan ubsan tsan coverage compdb format

help: ## This list.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

setup: ## Install the missing Debian packages (tools/packages.txt).
	@tools/setup

build: setup ## Build the programs.
	@$(BAZEL) build $(CALM) $(FLAGS) -c opt //cmd/...

run: build ## Build and serve: DATA=data LISTEN=127.0.0.1:2379 ARGS='...'
	@tools/serve '$(LISTEN)' '$(DATA)' $(ARGS)

cluster: build ## Build and serve three members: DATA=data MEMBERS=3 ARGS='...'
	@tools/cluster '$(MEMBERS)' '$(DATA)' $(ARGS)

test: setup ## Every test and check: TESTS=//... FLAGS='...'
	@$(BAZEL) test $(CALM) $(FLAGS) $(TESTS)

bench: setup ## The benchmarks, beside etcd and the bare disk: ARGS='--rounds 5'
	@$(BAZEL) build $(CALM) $(FLAGS) //cmd:stratad //bench/...
	@tools/bench $(ARGS)

asan ubsan tsan: setup
	@$(BAZEL) test $(CALM) --config=$@ $(FLAGS) $(TESTS)

asan: ## The tests with the address sanitizer.
ubsan: ## The tests with the undefined-behaviour sanitizer.
tsan: ## The tests with the thread sanitizer.

coverage: setup ## Line coverage by the tests: TESTS=//engine/...
	@BAZEL='$(BAZEL)' tools/build/coverage.sh $(TESTS)

compdb: setup ## compile_commands.json, for clangd and other editors.
	@BAZEL='$(BAZEL)' python3 tools/build/compile_commands.py $(FLAGS)

format: setup ## Format every C++ file.
	@git ls-files -z '*.cc' '*.h' | xargs -0 clang-format -i
