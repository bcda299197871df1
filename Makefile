# Targets for people and machines. "make" prints them. Needs GNU make 4.3.

GO := scripts/go
LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# The task as it was given: not expanded by make, not seen by a shell as code.
export DESKHAND_TASK := $(value TASK)
unexport TASK

.PHONY: help run test check image test-oci fuzz attack crash bench cost fidelity keyboard build fmt doctor setup
.DEFAULT_GOAL := help

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo '  make run TASK="Open the text editor and write a haiku"'

setup: ## install what is missing to run (Debian, Ubuntu)
	@scripts/setup run

build: setup ## build bin/deskhand
	@$(GO) build -trimpath -o bin/deskhand ./cmd/deskhand

run: build ## do TASK on a new desktop; without TASK, the demonstration
	@if [ -n "$$DESKHAND_TASK" ]; then set -- -- "$$DESKHAND_TASK"; else set --; fi; \
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES; \
	exec bin/deskhand run --demo $(ARGS) "$$@"

doctor: build ## say what this machine has and what is missing
	@bin/deskhand doctor

test: ## install what is missing and run every test
	@scripts/setup test
	$(GO) vet ./...
	$(GO) test -race -timeout 20m ./...

check: ## everything a change must pass
	@scripts/setup test
	@unformatted=$$($(GO) run cmd/gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "make fmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(LINT) run ./...
	$(GO) mod tidy -diff
	$(GO) test -race -timeout 20m ./...

IMAGE ?= localhost/deskhand:latest
image: ## build the container image IMAGE, with or without a registry (minutes)
	@scripts/image $(IMAGE)

test-oci: image ## build the image and drive it, with ENGINE (such as "podman --runtime runc") or the one that is installed
	DESKHAND_TEST_IMAGE=$(IMAGE) DESKHAND_TEST_ENGINE="$(ENGINE)" $(GO) test -race -count=1 -v -run 'TestImage' ./sandbox/oci

TIME ?= 30s
fuzz: ## run every fuzz target for TIME each (default 30s); seeds alone run in make test
	@scripts/setup test
	@$(GO) test -list '^Fuzz' ./... | awk '/^Fuzz/ { name[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, name[i]; n = 0 }' | \
	{ failed=; while read -r package name; do \
		echo "$$package $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(TIME) "$$package" </dev/null || failed="$$failed $$name"; \
	done; [ -z "$$failed" ] || { echo "make fuzz: failed:$$failed" >&2; exit 1; }; }

attack: ## play the attacks on sandbox, folders, network, display and secrets, without each guard and with it, and print the table
	@scripts/setup test
	@out=$$(mktemp); $(GO) test -count=1 -v -run '^TestAttack' ./sandbox/bwrap ./sandbox/folder ./sandbox/egress ./machine ./desktop/x11 ./cmd/deskhand >$$out; status=$$?; \
	sed -n 's/.*attack\t//p; /MISSING/p; /^--- FAIL/p; /^FAIL/p' $$out; rm -f $$out; exit $$status

crash: build ## kill deskhand at every event of a task on a real desktop, and its parts, and print what a page there counted
	@scripts/setup test
	@$(GO) run ./test/crash -deskhand bin/deskhand $(ARGS)

bench: build ## measure, beside the usual tools on the same display
	@scripts/setup test
	@$(GO) run ./bench $(ARGS)

cost: ## print what a task costs, for three ways to send its history (docs/cost.md)
	@$(GO) run ./bench/cost $(ARGS)

fidelity: ## let the MiniWoB++ pages in MINIWOB=DIR judge what arrives on the screen (about half an hour)
	@if [ ! -d "$(MINIWOB)" ]; then echo "make fidelity: MINIWOB=$(MINIWOB) is not a folder: get github.com/Farama-Foundation/miniwob-plusplus and say MINIWOB=DIR" >&2; exit 2; fi
	@scripts/setup test
	@$(GO) build -o bin/fidelity ./test/fidelity
	@bin/fidelity -miniwob "$(MINIWOB)" -out docs/fidelity.md $(ARGS)

keyboard: ## type every text under every layout into three programs, beside xdotool (about 20 minutes)
	@scripts/setup test
	@$(GO) build -o bin/fidelity ./test/fidelity
	@bin/fidelity keyboard -xdotool -out docs/keyboard.md $(ARGS)

fmt: ## format all Go files
	@$(GO) run cmd/gofmt -w $$(git ls-files '*.go')
