# Thin: meson builds, pytest tries it end to end, and every target does its own set-up.

BUILD   ?= build
VENV    := .cache/venv
PY      := $(VENV)/bin/python
WORKERS ?= 3

# What the machine needs, as Debian names it.
BUILD_PACKAGES := gcc g++ meson ninja-build pkg-config libcurl4-openssl-dev libpq-dev libssl-dev \
                  libsimdjson-dev libyaml-dev libutf8proc-dev zlib1g-dev libzstd-dev libexpat1-dev libcmocka-dev \
                  libmicrohttpd-dev libncurses-dev
TEST_PACKAGES  := postgresql pgbouncer python3-venv python3-pip ca-certificates docker-compose prometheus \
                  groff-base systemd tmux zsh chromium
LINT_PACKAGES  := $(BUILD_PACKAGES) clang clang-format clang-tidy cppcheck
EXTRA_PACKAGES := valgrind
FUZZ_PACKAGES  := $(BUILD_PACKAGES) clang libclang-rt-14-dev
MODEL_PACKAGES := spin gcc
NPM_PACKAGES   := npm
DEBIAN_PACKAGES := $(BUILD_PACKAGES) build-essential debhelper lintian
SECONDS        ?= 60
MINUTES        ?= 10

# Beside clang-tidy: each of these sees what the others do not.
LINT_DEFINES := -D_GNU_SOURCE -DSLUICE_VERSION='""' -Isrc
CPPCHECK = cppcheck -j 2 --quiet --error-exitcode=1 --std=c11 --inline-suppr \
           --enable=warning,performance,portability --suppress=missingIncludeSystem $(LINT_DEFINES)
ANALYZE  = gcc -std=gnu17 -fanalyzer -Werror -S -o /dev/null $(LINT_DEFINES) \
           $(shell pkg-config --cflags libpq libcurl yaml-0.1 libmicrohttpd)

.DEFAULT_GOAL := help
.PHONY: help demo build test unit e2e conformance test-postgres-matrix test-deploy faults soak lint fmt asan tsan valgrind bench bench-peers bench-growth bench-instructions bench-masking fuzz model docs pictures \
        install package reproducible clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-21s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build $(VENV)/ready ## the whole job on real parts: 100 logins from a queue into PostgreSQL
	@SLUICE_BIN=$(BUILD)/sluice $(PY) examples/demo/demo.py

build: .cache/build-packages .cache/uplot/ready ## build the program into build/
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(MESON_FLAGS)
	@ninja -C $(BUILD)

test: unit e2e ## all tests: unit, vectors, compile-fail, golden, end to end

unit: build ## unit tests, vectors and snippets that must not compile
	@meson test -C $(BUILD) --print-errorlogs --num-processes 2

e2e: build $(VENV)/ready .cache/console/ready ## end-to-end tests on a private PostgreSQL and a real SQS server
	@ninja -C $(BUILD) tests/fakesqs tests/sluice_faults > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) $(PY) -m pytest -n $(WORKERS) -q tests/e2e $(PYTEST_FLAGS)

conformance: build $(VENV)/ready .cache/conformance/ready ## the queue's side on servers of others, too: fauxqs, ElasticMQ
	@ninja -C $(BUILD) tests/fakesqs > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) SLUICE_FAUXQS=$(abspath .cache/conformance) \
	    SLUICE_ELASTICMQ=$(abspath .cache/conformance/jars) $(PY) -m pytest -n $(WORKERS) --dist loadfile -q \
	    tests/e2e/test_conformance.py tests/e2e/test_servers.py $(PYTEST_FLAGS)

test-postgres-matrix: build $(VENV)/ready ## what loads, remembers and recovers on PostgreSQL 10, 12, 17, 18 and the machine's own
	@ninja -C $(BUILD) tests/fakesqs tests/sluice_faults > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@tests/postgres/fetch.sh
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) WORKERS=$(WORKERS) tests/postgres/matrix.sh $(MAJORS)

test-deploy: build .cache/deploy/ready ## deploy/ and examples/airflow by Helm, schemas of Kubernetes and KEDA, types of Terraform's provider, Airflow
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) .cache/deploy/venv/bin/python -m pytest -q tests/deploy $(PYTEST_FLAGS)

faults: build $(VENV)/ready ## break PostgreSQL, the queue and sluice in every known way; print what each cost
	@ninja -C $(BUILD) tests/fakesqs tests/sluice_faults > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) $(PY) -m pytest -n $(WORKERS) -q -m fault tests/e2e $(PYTEST_FLAGS)

soak: build $(VENV)/ready ## MINUTES=10 of random faults on everything, then every message is looked for (SEED=)
	@ninja -C $(BUILD) tests/fakesqs tests/sluice_faults > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@SLUICE_BIN=$(BUILD)/sluice $(PY) tests/soak/soak.py --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

lint: .cache/lint-packages build ## layers, banned functions, format, cppcheck, gcc's analyzer, clang-tidy (TIDY_FLAGS=)
	@python3 tests/lint.py
	@clang-format --dry-run --Werror $$(git ls-files 'src/*.[ch]' 'src/*.cpp' 'tests/*.[ch]' 'bench/*.[ch]')
	@git ls-files 'src/*.c' | xargs $(CPPCHECK)
	@git ls-files 'src/*.c' | xargs -P 2 -n 1 $(ANALYZE)
	@git ls-files 'src/*.c' | xargs -P 2 -n 8 clang-tidy --quiet -p $(BUILD) $(TIDY_FLAGS) > .cache/tidy.log 2>&1 || \
	    { grep -v 'warnings generated' .cache/tidy.log; exit 1; }

fmt: .cache/lint-packages ## format the sources
	@clang-format -i $$(git ls-files 'src/*.[ch]' 'src/*.cpp' 'tests/*.[ch]' 'bench/*.[ch]')

asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer, with memory bounds
	@SLUICE_SLOW=4 ASAN_OPTIONS=quarantine_size_mb=16 $(MAKE) test BUILD=build-asan \
	    MESON_FLAGS='-Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debug -Doptimization=1'

tsan: ## end-to-end tests under ThreadSanitizer; the first race ends the program, and its test
	@SLUICE_SLOW=5 TSAN_OPTIONS='halt_on_error=1 second_deadlock_stack=1' \
	    $(MAKE) e2e BUILD=build-tsan PYTEST_FLAGS="--timeout 400 $(PYTEST_FLAGS)" \
	    MESON_FLAGS='-Db_sanitize=thread -Db_lundef=false -Dbuildtype=debug -Doptimization=1'

valgrind: .cache/extra-packages build $(VENV)/ready ## one whole run under valgrind memcheck
	@SLUICE_BIN=$(abspath $(BUILD)/sluice) SLUICE_SLOW=10 \
	    SLUICE_WRAP='valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99' \
	    $(PY) -m pytest -q tests/e2e/test_sample.py

bench-masking: build ## what each masking method costs a value, beside OpenSSL's own AES-SIV
	@ninja -C $(BUILD) bench_masking > .cache/bench.log || { cat .cache/bench.log; exit 1; }
	@$(BUILD)/bench_masking

bench-instructions: .cache/extra-packages build ## instructions a message of each stage; more than bench/budget.txt fails
	@ninja -C $(BUILD) bench_stages > .cache/bench.log || { cat .cache/bench.log; exit 1; }
	@BUILD_DIR=$(abspath $(BUILD)) python3 bench/instructions.py

bench: build $(VENV)/ready ## what a message costs, end to end: COUNT=200000 messages, ROUNDS=3
	@ninja -C $(BUILD) tests/fakesqs > .cache/bench.log || { cat .cache/bench.log; exit 1; }
	@BUILD_DIR=$(abspath $(BUILD)) $(PY) bench/bench.py --count $(or $(COUNT),200000) --rounds $(or $(ROUNDS),3)

bench-peers: build $(VENV)/ready .cache/peers/ready ## the same work done by others, in the same run: COUNT=200000, ROUNDS=3
	@ninja -C $(BUILD) tests/fakesqs > .cache/bench.log || { cat .cache/bench.log; exit 1; }
	@BUILD_DIR=$(abspath $(BUILD)) $(PY) bench/peers.py --count $(or $(COUNT),200000) --rounds $(or $(ROUNDS),3)

bench-growth: build $(VENV)/ready ## what a message costs as ledger and table grow: LARGEST=10000000 rows, ROUNDS=3
	@ninja -C $(BUILD) tests/fakesqs > .cache/bench.log || { cat .cache/bench.log; exit 1; }
	@BUILD_DIR=$(abspath $(BUILD)) $(PY) bench/growth.py --largest $(or $(LARGEST),10000000) --rounds $(or $(ROUNDS),3)

fuzz: .cache/fuzz-packages .cache/uplot/ready ## every fuzzer under clang's sanitizers, SECONDS=60 each
	@tests/fuzz/run.sh $(SECONDS)

model: .cache/model-packages ## every order of steps of the protocol: no promise breaks, and each piece is needed
	@tests/model/run.sh

docs: build ## print the manuals from the tables in the program
	@$(BUILD)/sluice docs config > docs/config.md
	@$(BUILD)/sluice docs errors > docs/errors.md
	@$(BUILD)/sluice docs methods > docs/methods.md
	@$(BUILD)/sluice docs metrics > docs/metrics.md

pictures: build $(VENV)/ready .cache/console/ready ## make the pictures of the docs, of runs that go on: WHAT=console
	@ninja -C $(BUILD) tests/fakesqs > .cache/e2e.log || { cat .cache/e2e.log; exit 1; }
	@SLUICE_BIN=$(BUILD)/sluice $(PY) tests/console/pictures.py $(WHAT)

install: build ## install the program (DESTDIR and prefix as usual: make install prefix=/usr)
	@meson configure $(BUILD) --prefix=$(or $(prefix),/usr/local)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

package: .cache/debian-packages .cache/uplot/ready ## build the Debian package into build-package/, and look at it with lintian and at what is in it
	@scripts/package.sh build-package
	@lintian --fail-on error,warning build-package/*.changes
	@dpkg-deb --contents build-package/sluice_*.deb | \
	    awk '!/doc\/sluice\/docs\/./ { sub(/\.gz$$/, ""); print $$1, $$2, $$6 }' | diff tests/package/files.expect -
	@ls build-package/*.deb

reproducible: .cache/debian-packages .cache/uplot/ready ## build the Debian package twice, in other places, and compare
	@scripts/reproducible.sh build-package/reproducible

clean: ## remove everything that was built
	@rm -rf build build-asan build-tsan build-package .cache

# Packages: installed with apt where they are missing and we may; otherwise named.
.cache/%-packages: Makefile
	@mkdir -p .cache
	@missing=""; for p in $($(shell echo $* | tr a-z A-Z)_PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed \
	        || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	    sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo"; \
	    echo "installing$$missing"; \
	    { $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      $$sudo apt-get install -y -qq --no-install-recommends $$missing > .cache/apt.log 2>&1; } \
	        || { tail -5 .cache/apt.log; echo "please install:$$missing"; exit 1; }; \
	fi
	@touch $@

# By version and by hash, which the lock files have.  npm comes with some ways to install Node.js, and is
# a package of its own with Debian's.
.cache/uplot/ready: scripts/fetch_uplot.sh src/console/package.json src/console/package-lock.json
	@command -v npm > /dev/null || $(MAKE) --no-print-directory .cache/npm-packages
	@scripts/fetch_uplot.sh
	@touch $@

.cache/console/ready: tests/console/package.json tests/console/package-lock.json
	@command -v npm > /dev/null || $(MAKE) --no-print-directory .cache/npm-packages
	@rm -rf .cache/console && mkdir -p .cache/console && cp $^ .cache/console
	@cd .cache/console && npm ci --ignore-scripts --silent
	@touch $@

# By version and by hash: the lock file has npm's, jars.sha256 those of ElasticMQ and all it needs.
.cache/conformance/ready: $(wildcard tests/conformance/*)
	@for p in node npm java mvn; do command -v $$p > /dev/null || \
	    { echo "please install: Node.js 20 or newer with npm, a JRE, Maven ($$p is missing)"; exit 1; }; done
	@rm -rf .cache/conformance && mkdir -p .cache/conformance
	@cp tests/conformance/package.json tests/conformance/package-lock.json .cache/conformance
	@cd .cache/conformance && npm ci --ignore-scripts --silent
	@mvn -q -B -f tests/conformance/pom.xml dependency:copy-dependencies \
	    -DoutputDirectory=$(abspath .cache/conformance/jars)
	@cd .cache/conformance/jars && sha256sum -c --quiet --strict $(abspath tests/conformance/jars.sha256)
	@touch $@

# By version and by hash; what Airflow brings along is as PyPI has it that day.
.cache/deploy/ready: $(wildcard tests/deploy/*.txt tests/deploy/*.json)
	@export PATH="$$PATH:/usr/local/go/bin"; for p in go node npm; do command -v $$p > /dev/null || \
	    { echo "please install: Go, Node.js with npm ($$p is missing)"; exit 1; }; done
	@rm -rf .cache/deploy && mkdir -p .cache/deploy && cp $(filter %.json,$^) .cache/deploy
	@cd .cache/deploy && npm ci --ignore-scripts --legacy-peer-deps --silent
	@export PATH="$$PATH:/usr/local/go/bin" GOBIN=$(abspath .cache/deploy/bin); \
	    for tool in helm.sh/helm/v3/cmd/helm@v3.21.4 github.com/hashicorp/hcl/v2/cmd/hclfmt@v2.24.0; do \
	        go install $$tool > .cache/deploy.log 2>&1 || { cat .cache/deploy.log; exit 1; }; done
	@python3 -m venv .cache/deploy/venv
	@.cache/deploy/venv/bin/pip install -q --disable-pip-version-check -r tests/deploy/requirements.txt
	@touch $@

# By version and by hash; without npm or go the peer is named as not measured.
BENTO = github.com/warpstreamlabs/bento@v1.20.0
.cache/peers/ready: bench/peers/package.json bench/peers/package-lock.json bench/peers/bento/main.go
	@rm -rf .cache/peers && mkdir -p .cache/peers/bento
	@cp $(filter %.json,$^) .cache/peers && cp bench/peers/bento/main.go .cache/peers/bento
	@! command -v npm > /dev/null || (cd .cache/peers && npm ci --ignore-scripts --silent) || true
	@export PATH="$$PATH:/usr/local/go/bin"; ! command -v go > /dev/null || (cd .cache/peers/bento && go mod init peers && go get $(BENTO) && \
	    go build -mod=mod -trimpath -o bento .) > .cache/peers/bento.log 2>&1 || true
	@touch $@

$(VENV)/ready: tests/e2e/requirements.txt .cache/test-packages
	@python3 -m venv $(VENV)
	@$(PY) -m pip install -q --disable-pip-version-check -r tests/e2e/requirements.txt
	@touch $@
