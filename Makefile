# The commands for working on this project. `make` without a target lists them.
# Each target installs what it needs: npm packages, Node.js 24 (an npm package), the pinned Go tools (cached outside).

SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help
help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

node_modules/.package-lock.json: package.json package-lock.json
	@echo "== npm packages (once)"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: setup
setup: node_modules/.package-lock.json ## install the npm packages

.PHONY: tools
tools: setup ## build the pinned cluster tools into the user's cache (30 minutes the first time)
	@node build/tools/tools.ts

.PHONY: build
build: setup ## build dist/: the operator as one file, vault-env as a static executable
	@node build/bundle.ts

.PHONY: images
images: build ## build dist/images/: OCI archives for amd64 and arm64, with bills of materials. IMAGE_PREFIX=ghcr.io/acme names them
	@node build/images.ts

.PHONY: docs
docs: setup ## build dist/site/: the documentation as a site, and check every link. DOCS_BASE=/path/: where it will be published
	@node build/site/build.ts

.PHONY: docs-serve
docs-serve: setup ## show the documentation site on loopback while you write
	@node build/site/build.ts --serve

.PHONY: generate
generate: setup ## update generated files: types and defaults from the CRD, reference pages, the graph of imports
	@node build/generate/index.ts

.PHONY: lint
lint: setup ## run eslint, prettier, tsc, rooms, gofmt, go vet, staticcheck. FRESH=1 ignores cached results
	@node build/lint.ts

.PHONY: test-unit
test-unit: setup ## run the TypeScript unit tests
	@node build/test.ts unit

.PHONY: test-go
test-go: setup ## run vault-env's tests, except those that need a Vault
	@node build/go-modules.ts test ./...

.PHONY: test-hold
test-hold: setup ## everything that may go wrong in a rolling update on a real kubelet, with and without the startup probe (15 minutes)
	@node test/e2e/hold-table.ts

.PHONY: test-cluster
test-cluster: setup ## starts during leader changes of a Vault cluster, and 500 at once (3 minutes). BEFORE=FILE: beside that vault-env
	@node test/integration/leader-change-table.ts

.PHONY: test-charts
test-charts: setup ## run all eight charts on a real kubelet (3.5 minutes; `make test` runs two of them)
	@CHARTS=all npx --no-install mocha test/e2e/charts.test.ts

.PHONY: test-alerts
test-alerts: setup ## provoke each alert in a real Prometheus (4 minutes; `make test` has the tests of promtool)
	@npx --no-install mocha test/integration/alerts-provoked.ts

.PHONY: dashboard-picture
dashboard-picture: setup ## draw docs/guides/dashboard.png with the data of a real Prometheus (6 minutes; fetches Chromium). AGAIN=1: with those of the last run
	@node test/dashboard/run.ts $(if $(AGAIN),--again)

.PHONY: test-versions
test-versions: setup ## run tests on older API servers, which are built once; VERSIONS=1.30 runs one of them
	@node test/integration/version-table.ts

.PHONY: test-argo-rollouts
test-argo-rollouts: setup ## inject Rollouts of Argo, with its own CRD and controller, which is built once (2 minutes after that)
	@npx --no-install mocha test/integration/argo-rollouts.ts

.PHONY: test-demo
test-demo: setup ## run make demo in a cluster at hand, with a real kubelet and helm (4 minutes; `make test` installs it without pods)
	@npx --no-install mocha test/e2e/demo-at-hand.ts

.PHONY: test-upgrade
test-upgrade: build ## upgrade two replicas from another commit under load: FROM=COMMIT, or a checkout after make build (5 minutes)
	@FROM=$(FROM) npx --no-install mocha test/integration/upgrade-from.ts

.PHONY: test
test: setup ## run all tests: unit, Go, integration and hostile (real API server and Vault), e2e (real kubelet, root on Linux)
	@node build/test.ts

.PHONY: fuzz
fuzz: setup ## run each fuzz target of vault-env for a minute, or for FUZZTIME
	@node build/go-modules.ts fuzz $(or $(FUZZTIME),60s)

.PHONY: bench
bench: build ## run the benchmarks and print the tables in docs/performance.md
	@node test/bench/run.ts

.PHONY: bench-compare
bench-compare: build ## measure this build beside that of another checkout: BASE=DIR, after `make build` there
	@node test/bench/compare.ts $(BASE)

.PHONY: chaos
chaos: build ## play the long stories of what may go wrong, about two hours: STORY=name for one, STORY=list to see them
	@node test/chaos/run.ts $(STORY)

.PHONY: demo
demo: setup ## Vault, the operator and the samples in kind, minikube or CONTEXT=name; else the pinned tools (built once: 25 minutes)
	@node test/demo/demo.ts $(DEMO_FLAGS)

.PHONY: demo-clean
demo-clean: setup ## remove what the demo has made in a cluster
	@node test/demo/demo.ts --clean $(DEMO_FLAGS)

# ONCE=1 takes everything away at the end, HERE=1 uses no cluster. CONTEXT counts only on the command line of make: no cluster is
# used because of a variable that was set for something else.
DEMO_FLAGS = $(if $(ONCE),--once) $(if $(HERE),--here) $(if $(filter command,$(word 1,$(origin CONTEXT))),--context '$(CONTEXT)')

.PHONY: cluster
cluster: setup ## start a local API server with the CRD, to run your operator against; Ctrl-C stops it
	@node test/demo/cluster.ts
