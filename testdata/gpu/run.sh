#!/bin/sh
# The checks and measurements that need a GPU, for a machine that has neither Go
# nor a network: it takes this repository's working tree with what `make gpu-bin`
# put into bin/, NVIDIA's driver, and for the libraries and the peers a Python with
# PyTorch. Each part ends before $LIMIT seconds (550) are over.
#
#   sh testdata/gpu/run.sh smoke            a minute: are the libraries there, does anything work
#   sh testdata/gpu/run.sh engines          what cuDNN has for typical layers, and how fast it is
#   sh testdata/gpu/run.sh check            results, leaks, errors
#   sh testdata/gpu/run.sh golden           the original's logits
#   sh testdata/gpu/run.sh digits           the original's metrics
#   sh testdata/gpu/run.sh bench A0 B1      ours: batch 128 and 1, fp16 and bf16
#   sh testdata/gpu/run.sh peers A0 B1      PyTorch eager, the same
#   sh testdata/gpu/run.sh compile A0       PyTorch compiled: minutes for each
#   sh testdata/gpu/run.sh files [COUNT]    repvgg test on JPEG files, end to end
#   sh testdata/gpu/run.sh sanitize         some tests under compute-sanitizer
#
# Output goes to stdout, and to files in $OUT if that is set. The choices of engines
# are left there too: put into bin/, they are taken by the next run.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${OUT:-$(mktemp -d)}
python=${PYTHON:-python3}
limit=${LIMIT:-550}
end=$(($(date +%s) + limit))
export REPVGG_REQUIRE_GPU=1
cd "$root" || exit 1

fail() { echo "run.sh: $*" >&2; exit 1; }
chmod +x "$root"/bin/*.test "$root/bin/testgen" 2>/dev/null
[ -x "$root/bin/repvgg.test" ] || fail "bin/repvgg.test is missing: run make gpu-bin, and carry bin/ along"
# Under the name of the program, its tests are the program: one file less to carry.
programs=$(mktemp -d)
ln -s "$root/bin/repvgg.test" "$programs/repvgg"
repvgg=$programs/repvgg

# The libraries of the Python that is used, wherever its name on the path leads.
if [ -z "${VIRTUAL_ENV:-}" ] && prefix=$("$python" -c 'import sys; print(sys.prefix)' 2>/dev/null); then
	export VIRTUAL_ENV="$prefix"
fi

# What was chosen before comes along, what is chosen goes back.
export XDG_CACHE_HOME="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}"
choices=$XDG_CACHE_HOME/repvgg/cudnn
mkdir -p "$choices"
cp -n "$root"/bin/NVIDIA-*.json "$choices" 2>/dev/null
trap 'cp "$choices"/*.json "$out" 2>/dev/null; rm -rf "$programs"' EXIT

machine() {
	date -u +%FT%TZ
	nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
	"$python" -c 'import importlib.metadata as m
for d in m.distributions():
    name = str(d.name)
    if name == "torch" or "cudnn" in name or "nvrtc" in name: print(name, d.version, end="  ")
print()' 2>/dev/null || echo "no Python"
}

left() { echo $((end - $(date +%s))); }

# Interrupted, so that what was measured is still written.
within() { timeout -s INT -k 20 "$(left)" "$@"; }

# The test programs must run in their packages' folders.
tests() { # name, program, folder, pattern, what to show, lines
	log=$out/$1.txt
	(cd "$root/$3" && within "$root/bin/$2" -test.v -test.parallel "${PARALLEL:-8}" -test.run "$4" -test.timeout "$(($(left) - 10))s") >"$log" 2>&1
	status=$?
	grep -vE '^(=== |PASS$| *--- PASS)' "$log" | grep -E "$5" | cut -c1-400 | tail -n "${6:-60}"
	echo "$1: $(grep -cE '^ *--- PASS' "$log") passed, $(grep -cE '^ *--- SKIP' "$log") skipped, $(grep -cE '^ *--- FAIL' "$log") failed, $(($(date +%s) - end + limit)) s"
	[ $status -eq 0 ] || echo "FAILED: $2 $4: status $status; the end of $log:"
	[ $status -eq 0 ] || tail -n 15 "$log" | cut -c1-400
	return $status
}

smoke() {
	machine
	export CUDNN_LOGLEVEL_DBG=1 CUDNN_LOGDEST_DBG="$out/cudnn.log" # errors
	tests smoke gpu.test internal/gpu 'TestGPU(Number|Bytes|Start|CancelledAndClosed|Overflow)$|TestGPUMatchesReference/(fp16|fp32)/deploy/wide$' .
}

engines() {
	machine
	tests engines gpu.test internal/gpu 'TestGPUEngines' 'BEST|list |--- |: .*: no engine' 90
}

check() {
	machine
	tests check gpu.test internal/gpu 'GPU([^EG]|$)' 'FAIL|SKIP|panic|fatal|difference|TFLOP|_test.go.*(cu[A-Z]|cudnn)'
}

golden() {
	machine
	tests golden gpu.test internal/gpu GPUGolden .
}

digits() {
	machine
	tests digits repvgg.test cmd/repvgg GPUDigits .
}

bench() {
	machine
	status=0
	for arch; do
		within "$repvgg" bench "repvgg-$arch" --device cuda --form deploy --precision fp16,bf16 --batch-size 128,1 --duration 2s \
			--layers --out "$out/bench-$arch.json" || status=1
	done
	return $status
}

peers() { # flags of torch_gpu.py among the names
	machine
	within "$python" -B testdata/peers/torch_gpu.py "$@" >>"$out/peers.txt" 2>"$programs/errors"
	status=$?
	cat "$out/peers.txt"
	tail -n 20 "$programs/errors" | cut -c1-400
	return $status
}

# A network with random weights on generated files, on the GPU and on the CPU.
files() {
	machine
	work=$(mktemp -d)
	count=${1:-5000}
	"$python" -B testdata/gpu/make_jpegs.py "$work/images" "$count" || return 1
	"$root/bin/testgen" repvgg-A0 "$work/a0.pth" || return 1
	"$repvgg" reparameterize repvgg-A0 "$work/a0.pth" "$work/deploy.pth" || return 1
	# libjpeg-turbo, where only Pillow's own copy is there.
	if ! ldconfig -p 2>/dev/null | grep -qE 'libjpeg\.so\.(62|8)'; then
		jpeg=$("$python" -c 'import glob, os, PIL; print((glob.glob(os.path.join(os.path.dirname(PIL.__file__), "..", "pillow.libs", "libjpeg*")) or [""])[0])')
		[ -z "$jpeg" ] || export REPVGG_TURBOJPEG="$jpeg"
	fi
	status=0
	for setting in "cuda fp32" "cuda fp16" "cuda bf16" "cpu fp32"; do
		set -- $setting
		start=$(date +%s.%N)
		within "$repvgg" test repvgg-A0_deploy "$work/deploy.pth" --metrics accuracy --device "$1" --precision "$2" --profile-input \
			--out "$work/$1-$2.json" --cfg-options data.samples_per_gpu=128 data.test.data_prefix="$work/images" data.test.ann_file="$work/images/val.txt" || status=1
		"$python" -c "import time; s = time.time() - $start; print('$1 $2: $count images in %.1f s, %.0f images/s, start and choice of engines included' % (s, $count / s))"
	done
	"$python" - "$work" <<'END' || status=1
import json, os, sys
results = {}
for name in ('cpu-fp32', 'cuda-fp32', 'cuda-fp16', 'cuda-bf16'):
    if os.path.exists(f'{sys.argv[1]}/{name}.json'):
        results[name] = json.load(open(f'{sys.argv[1]}/{name}.json'))
cpu = results['cpu-fp32']
for name, r in results.items():
    same = sum(a == b for a, b in zip(cpu['pred_label'], r['pred_label']))
    worst = max(abs(a - b) for x, y in zip(cpu['class_scores'], r['class_scores']) for a, b in zip(x, y))
    print(f"{name}: {same} of {len(r['pred_label'])} predictions are the CPU's, scores differ by at most {worst:.2g}")
END
	rm -rf "$work"
	return $status
}

# Races are looked for in our own kernels alone: cuDNN's take too long, and the
# tool does not know all of their barriers.
sanitize() {
	machine
	command -v compute-sanitizer >/dev/null || fail "compute-sanitizer is not there"
	status=0
	for run in "memcheck TestGPUMatchesReference/fp16/(train|deploy)/se\$|TestGPUMethods/direct/fp16/|TestGPUBytes\$" \
		"racecheck TestGPUMethods/direct/fp16/"; do
		tool=${run%% *}
		(cd internal/gpu && within compute-sanitizer --tool "$tool" --report-api-errors no --error-exitcode 9 --print-limit 20 \
			"$root/bin/gpu.test" -test.parallel 1 -test.run "${run#* }") >"$out/$tool.txt" 2>&1 || status=1
		grep -vE '^=* *(Host Frame|Saved host)' "$out/$tool.txt" | cut -c1-300 | tail -n 40
	done
	return $status
}

part=${1:-}
[ $# -eq 0 ] || shift
case $part in
smoke | engines | check | golden | digits | files | sanitize) "$part" "$@" ;;
bench | peers) [ $# -gt 0 ] || set -- A0 B1; "$part" "$@" ;;
compile) [ $# -gt 0 ] || set -- A0; peers "$@" --compile ;;
*) sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//p;}' "$0"; exit 2 ;;
esac
