# Everything a developer runs, by name. `make` alone builds.
.PHONY: build demo test cover test-golden same-outputs lint generate bench-convert bench-input bench-peers numerics gpu-bin test-gpu clean rename

REPVGG := bin/repvgg
DIGITS := testdata/digits
GO_FILES := $(shell find . -name '*.go' -o -name '*.s' -o -name '*.c' -o -name '*.h') go.mod go.sum

build: $(REPVGG)

$(REPVGG): $(GO_FILES) $(shell find configs -name '*.py')
	go build -trimpath -o $@ ./cmd/repvgg

# The main job on the data of this repository: convert a trained checkpoint, then test both forms on 300 images.
demo: $(REPVGG)
	@sh testdata/digits/demo.sh $(abspath $(REPVGG))

# -count=1: the layering test reads what the test cache does not see. -timeout: the emulated GPU takes long on a busy
# machine. Prints the runner's line of each package, which tests were skipped and why, and everything if one fails.
test:
	go vet ./...
	@log=$$(mktemp); go test -count=1 -timeout 20m -v ./... >$$log 2>&1; status=$$?; \
	if [ $$status -eq 0 ]; then awk '/--- SKIP/ { print before; print } /^(ok|[?]) / { print } { before = $$0 }' $$log; else cat $$log; fi; \
	rm -f $$log; exit $$status

# The share of each package's statements that its own tests run, the smallest first.
cover:
	@log=$$(mktemp); go test -cover ./internal/... >$$log; status=$$?; \
	if [ $$status -eq 0 ]; then sed -nE 's/^(ok)?[[:space:]]+([^[:space:]]+).*coverage: ([0-9.]+)% .*/\3 %	\2/p' $$log | sort -n; else cat $$log; fi; \
	rm -f $$log; exit $$status

# The same checks on the full set of reference results, where it is at hand: make test-golden GOLDEN=folder
test-golden:
	REPVGG_GOLDEN=$(abspath $(GOLDEN)) go test -count=1 -run Golden -v ./cmd/repvgg

# For a change that must not change results: everything that this tree's binary prints and writes, on all fixtures,
# against a binary from before the change. make same-outputs OLD=path ONLY="words of a case's name" KEEP=folder
same-outputs: $(REPVGG)
	@test -n "$(OLD)" || { echo "usage: make same-outputs OLD=binary"; exit 2; }
	python3 testdata/same_outputs.py $(OLD) $(REPVGG) $(if $(ONLY),--only $(ONLY)) $(if $(KEEP),--keep $(KEEP))

# golangci-lint is built from source the first time, which takes about two minutes.
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not formatted by gofmt:" $$unformatted; exit 1; }
	go run $(GOLANGCI_LINT) run

# The assembly, from its generator, and docs/cli, from --help; the tree must be clean afterwards.
generate:
	go generate ./internal/cpu/kernel ./internal/preprocess
	go test ./cmd/repvgg -run TestDocs -update

# The figures of docs/benchmarks.md on conversion.
bench-convert: $(REPVGG)
	sh testdata/bench_convert.sh $(abspath $(REPVGG))

# Reading and transforming alone, ours and Python's: make bench-input IMAGES=folder of JPEG files
bench-input:
	/usr/bin/python3 testdata/input_bench.py $(IMAGES)
	REPVGG_BENCH_IMAGES=$(abspath $(IMAGES)) go test ./internal/eval -run XXX -bench Input

# Ours beside onnxruntime (node with onnxruntime-node in NODE_PATH) and PyTorch, in turns on this machine:
#   make bench-peers PEERS_ARCHS="A0 B1g4 D2se" PEERS_BATCH="1 32" PEERS_FORM="deploy train" PEERS_PRECISION=fp32 ROUNDS=7
# PEERS_ISA=avx2 takes AVX-512 and AMX from both; PEERS_JSON names a file for the figures.
PEERS_ARCHS ?= A0
PEERS_BATCH ?= 1 32
PEERS_FORM ?= deploy
PEERS_PRECISION ?= fp32 bf16
PEERS_THREADS ?= 0
PEERS_SECONDS ?= 3
PEERS_PYTHON ?= /usr/bin/python3
ROUNDS ?= 5
bench-peers: $(REPVGG)
	python3 testdata/peers/bench_peers.py $(abspath $(REPVGG)) --archs $(PEERS_ARCHS) --batch $(PEERS_BATCH) \
		--form $(PEERS_FORM) --precision $(PEERS_PRECISION) --threads $(PEERS_THREADS) --rounds $(ROUNDS) \
		--seconds $(PEERS_SECONDS) --python $(PEERS_PYTHON) --isa "$(PEERS_ISA)" $(if $(PEERS_JSON),--json $(PEERS_JSON))

# Errors of the CPU engine against float64 at 224x224, for docs/numerics.md: of each algorithm and layer, of Winograd's
# algorithms with other points, and of the logits of all variants (PyTorch; five minutes and 2 GB of disk).
NUMERICS_ARCHS ?=
numerics: $(REPVGG)
	REPVGG_LAYER_ERRORS=1 go test -count=1 -run LayerErrors -v ./internal/cpu/kernel
	/usr/bin/python3 testdata/numerics.py points
	go build -o bin/testgen ./internal/testgen && go test -c -o bin/numerics.test ./cmd/repvgg
	/usr/bin/python3 testdata/numerics.py nets $(REPVGG) bin/testgen bin/numerics.test $(NUMERICS_ARCHS)

# What a GPU machine without Go needs, beside the working tree: the tests of the GPU runner and of the commands, which
# are the program too, and a maker of weights. See docs/gpu.md.
gpu-bin:
	go build -trimpath -ldflags '-s -w' -o bin/testgen ./internal/testgen
	go test -c -trimpath -ldflags '-s -w' -o bin/gpu.test ./internal/gpu
	go test -c -trimpath -ldflags '-s -w' -o bin/repvgg.test ./cmd/repvgg

# Engines, results and leaks on this machine's GPU; the other parts (speed, peers, files) are in testdata/gpu/run.sh.
test-gpu: gpu-bin
	for part in smoke engines check golden digits; do sh testdata/gpu/run.sh $$part || exit 1; done

# The module path stands in go.mod and in imports. To publish under another: make rename MODULE=host/owner/repvgg
rename:
	@test -n "$(MODULE)" || { echo "usage: make rename MODULE=host/owner/repvgg"; exit 2; }
	old=$$(go list -m) && find . -name '*.go' -exec sed -i -E "s#^(\t|import )([a-z]+ )?\"$$old(/[^\"]*)?\"\$$#\1\2\"$(MODULE)\3\"#" {} + && \
	sed -i "s#(\*$$old/#(*$(MODULE)/#" .golangci.yml && \
	find . -name go.mod -exec sed -i -E "s#^(module |replace |\t)$$old(/| |$$)#\1$(MODULE)\2#" {} + && \
	gofmt -w .

clean:
	rm -rf bin
