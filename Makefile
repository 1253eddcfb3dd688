# The few things one does here. `make` alone lists them.
# Every target sets up what it needs: npm packages, Node 24 (an npm package), the pinned Go tools (cached outside).

SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

node_modules/.package-lock.json: package.json package-lock.json
	@echo "== npm packages (once)"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: setup
setup: node_modules/.package-lock.json ## install the npm packages

.PHONY: tools
tools: setup ## build the pinned cluster tools into the user's cache (about 20 minutes the first time)
	@node build/tools/tools.ts

.PHONY: build
build: setup ## dist/: the operator as one file, vault-env as a static executable
	@node build/bundle.ts

.PHONY: images
images: build ## dist/images/: OCI archives of the operator and of vault-env, to push where your cluster pulls from
	@node build/images.ts

.PHONY: generate
generate: setup ## what is made from a source: types and defaults from the CRD, reference pages, the graph of imports
	@node build/generate/index.ts

.PHONY: lint
lint: setup ## eslint, prettier, tsc, rooms, gofmt, go vet, staticcheck. FRESH=1 forgets what earlier runs found
	@node build/lint.ts

.PHONY: test-unit
test-unit: setup ## TypeScript unit tests
	@node build/test.ts unit

.PHONY: test-go
test-go: setup ## vault-env's tests, less those that need a Vault
	@node build/go-modules.ts test ./...

.PHONY: test
test: setup ## everything but lint: unit, Go, integration (real API server and Vault), e2e (real kubelet, root on Linux)
	@node build/test.ts

.PHONY: fuzz
fuzz: setup ## each fuzz target of vault-env for a minute, or for FUZZTIME
	@node build/go-modules.ts fuzz $(or $(FUZZTIME),60s)

.PHONY: bench
bench: build ## measure and print; docs/performance.md is made from it
	@node test/bench/run.ts

.PHONY: demo
demo: setup ## the whole thing on a local cluster; ONCE=1 ends by itself
	@node test/demo/demo.ts $(if $(ONCE),--once)

.PHONY: cluster
cluster: setup ## a local API server with the CRD, to run your operator against; Ctrl-C ends it
	@node test/demo/cluster.ts
