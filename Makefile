# A thin front of CMake: each target does all it needs on a fresh Debian 12.
BUILD ?= build
JOBS ?= $(shell nproc)
CMAKE = cmake -S . -DCMAKE_BUILD_TYPE=RelWithDebInfo

.PHONY: help build run test build-asan asan tsan lint fuzz bench format install clean

help:
	@echo "make run     build, start the server on ./data with made-up calls (DEMO=0: without)"
	@echo "make test    build, then all tests, sanitizers included"
	@echo "make build   $(BUILD)/hepcat"
	@echo "make asan | tsan | lint | fuzz | bench | format | install | clean"

build:
	@tools/install-deps.sh build
	@$(CMAKE) -B $(BUILD) -DHEP_TESTS=OFF >/dev/null
	@cmake --build $(BUILD) -j$(JOBS) --target hepcat sample

run: build
	@tools/run.sh $(BUILD)

# All tests, on the plain build and on one with address and undefined behaviour sanitizers, in one ctest run: its
# closing line counts them all.
test: build-asan
	@$(CMAKE) -B $(BUILD) -DHEP_TESTS=ON >/dev/null
	@cmake --build $(BUILD) -j$(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j$(JOBS)

asan: build-asan
	@ctest --test-dir $(BUILD)/asan --output-on-failure -j$(JOBS)

build-asan:
	@tools/install-deps.sh build test
	@$(CMAKE) -B $(BUILD)/asan -DHEP_TESTS=ON -DHEP_SANITIZE=address,undefined -DHEP_TEST_PREFIX=asan/ >/dev/null
	@cmake --build $(BUILD)/asan -j$(JOBS)

tsan:
	@tools/install-deps.sh build test
	@$(CMAKE) -B $(BUILD)/tsan -DHEP_TESTS=ON -DHEP_SANITIZE=thread >/dev/null
	@cmake --build $(BUILD)/tsan -j$(JOBS)
	@ctest --test-dir $(BUILD)/tsan --output-on-failure -L unit -j$(JOBS)

lint:
	@tools/install-deps.sh build lint
	@tools/lint.sh $(BUILD)/lint

# FUZZ_SECONDS for each target.
FUZZ_SECONDS ?= 60
fuzz:
	@tools/install-deps.sh build fuzz
	@tools/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

bench:
	@tools/install-deps.sh build test
	@$(CMAKE) -B $(BUILD)/bench -DHEP_TESTS=OFF >/dev/null
	@cmake --build $(BUILD)/bench -j$(JOBS)
	@bench/run.py $(BUILD)/bench
	@bench/ingest.py $(BUILD)/bench
	@bench/query.py $(BUILD)/bench --sizes 1,10

format:
	@tools/install-deps.sh lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: build
	@cmake --build $(BUILD) -j$(JOBS)
	@cmake --install $(BUILD)

clean:
	@rm -rf $(BUILD)
