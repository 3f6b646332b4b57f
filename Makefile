# Everything a developer runs, by name. `make` alone builds.
.PHONY: build demo test test-golden lint generate bench-convert bench-input clean rename

REPVGG := bin/repvgg
DIGITS := testdata/digits
GO_FILES := $(shell find . -name '*.go' -o -name '*.s' -o -name '*.c' -o -name '*.h') go.mod go.sum

build: $(REPVGG)

$(REPVGG): $(GO_FILES) $(shell find configs -name '*.py')
	go build -trimpath -o $@ ./cmd/repvgg

# The main job on the data of this repository: convert a trained checkpoint, then test both forms on 300 images.
demo: $(REPVGG)
	@sh testdata/digits/demo.sh $(abspath $(REPVGG))

# -count=1: the layering test reads what the test cache does not see. Prints the runner's line of each package, which
# tests were skipped and why, and everything if one fails.
test:
	go vet ./...
	@log=$$(mktemp); go test -count=1 -v ./... >$$log 2>&1; status=$$?; \
	if [ $$status -eq 0 ]; then awk '/--- SKIP/ { print before; print } /^(ok|[?]) / { print } { before = $$0 }' $$log; else cat $$log; fi; \
	rm -f $$log; exit $$status

# The same checks on the full set of reference results, where it is at hand: make test-golden GOLDEN=folder
test-golden:
	REPVGG_GOLDEN=$(abspath $(GOLDEN)) go test -count=1 -run Golden -v ./cmd/repvgg

lint:
	go vet ./...
	test -z "$$(gofmt -l .)"
	golangci-lint run

# The assembly, from its generator; the tree must be clean afterwards.
generate:
	go generate ./internal/cpu/kernel ./internal/preprocess

# The figures of docs/benchmarks.md on conversion.
bench-convert: $(REPVGG)
	sh testdata/bench_convert.sh $(abspath $(REPVGG))

# Reading and transforming alone, ours and Python's: make bench-input IMAGES=folder of JPEG files
bench-input:
	/usr/bin/python3 testdata/input_bench.py $(IMAGES)
	REPVGG_BENCH_IMAGES=$(abspath $(IMAGES)) go test ./internal/eval -run XXX -bench Input

# The module path stands in go.mod and in imports. To publish under another: make rename MODULE=host/owner/repvgg
rename:
	@test -n "$(MODULE)" || { echo "usage: make rename MODULE=host/owner/repvgg"; exit 2; }
	old=$$(go list -m) && find . -name '*.go' -exec sed -i "s#\"$$old/#\"$(MODULE)/#" {} + && go mod edit -module $(MODULE)

clean:
	rm -rf bin
