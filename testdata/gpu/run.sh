#!/bin/sh
# The checks and measurements that need a GPU, for a machine that has neither Go
# nor a network: it takes this repository's working tree with what `make gpu-bin`
# put into bin/, NVIDIA's driver, and for the libraries and the peers a Python with
# PyTorch. Each part takes under ten minutes.
#
#   sh testdata/gpu/run.sh engines          what cuDNN has for typical layers, and how fast it is
#   sh testdata/gpu/run.sh check            results, leaks, errors
#   sh testdata/gpu/run.sh golden           the original's logits and metrics
#   sh testdata/gpu/run.sh bench A0 B1      ours: batch 128 and 1, fp16 and bf16
#   sh testdata/gpu/run.sh peers A0 B1      PyTorch eager, the same
#   sh testdata/gpu/run.sh compile A0       PyTorch compiled: minutes for each
#   sh testdata/gpu/run.sh files [COUNT]    repvgg test on JPEG files, end to end
#   sh testdata/gpu/run.sh sanitize         some tests under compute-sanitizer
#
# Output goes to stdout, and to files in $OUT if that is set.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${OUT:-$(mktemp -d)}
python=${PYTHON:-python3}
export REPVGG_REQUIRE_GPU=1
cd "$root" || exit 1

fail() { echo "run.sh: $*" >&2; exit 1; }
[ -x "$root/bin/repvgg.test" ] || fail "bin/repvgg.test is missing: run make gpu-bin, and carry bin/ along"
# Under the name of the program, its tests are the program: one file less to carry.
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
ln -s "$root/bin/repvgg.test" "$programs/repvgg"
repvgg=$programs/repvgg

machine() {
	date -u +%FT%TZ
	nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
	"$python" -c 'import torch; print("torch", torch.__version__, "cuDNN", torch.backends.cudnn.version())' 2>/dev/null || echo "no PyTorch"
}

# The two test programs must run in their packages' folders.
tests() { # program, folder, pattern, lines to show
	(cd "$root/$2" && "$root/bin/$1" -test.v -test.run "$3" -test.timeout 9m) >"$out/$1.txt" 2>&1
	status=$?
	grep -E '^(=== RUN|    --- PASS|        --- PASS)' -v "$out/$1.txt" | tail -n "${4:-150}"
	[ $status -eq 0 ] || echo "FAILED: $1 $3"
	return $status
}

engines() {
	machine
	tests gpu.test internal/gpu GPUEngines 700
}

check() {
	machine
	tests gpu.test internal/gpu 'GPU([^E]|$)'
}

golden() {
	machine
	tests repvgg.test cmd/repvgg GPU
}

bench() {
	machine
	status=0
	for arch; do
		"$repvgg" bench "repvgg-$arch" --device cuda --form deploy --precision fp16,bf16 --batch-size 128,1 --duration 2s \
			--layers --out "$out/bench-$arch.json" || status=1
	done
	return $status
}

peers() { # flags of torch_gpu.py among the names
	machine
	"$python" -B testdata/peers/torch_gpu.py "$@" | tee -a "$out/peers.txt"
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
	if ! ldconfig -p | grep -qE 'libjpeg\.so\.(62|8)'; then
		jpeg=$("$python" -c 'import glob, os, PIL; print((glob.glob(os.path.join(os.path.dirname(PIL.__file__), "..", "pillow.libs", "libjpeg*")) or [""])[0])')
		[ -z "$jpeg" ] || export REPVGG_TURBOJPEG="$jpeg"
	fi
	status=0
	for setting in "cuda fp32" "cuda fp16" "cuda bf16" "cpu fp32"; do
		set -- $setting
		start=$(date +%s.%N)
		"$repvgg" test repvgg-A0_deploy "$work/deploy.pth" --metrics accuracy --device "$1" --precision "$2" --profile-input \
			--out "$work/$1-$2.json" --cfg-options data.samples_per_gpu=128 data.test.data_prefix="$work/images" data.test.ann_file="$work/images/val.txt" || status=1
		"$python" -c "import time; s = time.time() - $start; print('$1 $2: $count images in %.1f s, %.0f images/s, start and choice of engines included' % (s, $count / s))"
	done
	"$python" - "$work" <<'END'
import json, sys
results = {name: json.load(open(f'{sys.argv[1]}/{name}.json')) for name in ('cpu-fp32', 'cuda-fp32', 'cuda-fp16', 'cuda-bf16')}
cpu = results['cpu-fp32']['pred_label']
for name, r in results.items():
    print(f"{name}: {sum(a == b for a, b in zip(cpu, r['pred_label']))} of {len(cpu)} predictions are the CPU's")
END
	rm -rf "$work"
	return $status
}

sanitize() {
	machine
	command -v compute-sanitizer >/dev/null || fail "compute-sanitizer is not there"
	for tool in memcheck racecheck; do
		(cd internal/gpu && compute-sanitizer --tool "$tool" "$root/bin/gpu.test" -test.run 'TestGPUMatchesReference/fp16/(train|deploy)/(plain|se)$|TestGPUBytes$' -test.timeout 8m) 2>&1 | tail -n 30
	done
}

part=${1:-}
[ $# -eq 0 ] || shift
case $part in
engines | check | golden | files | sanitize) "$part" "$@" ;;
bench | peers) [ $# -gt 0 ] || set -- A0 B1; "$part" "$@" ;;
compile) [ $# -gt 0 ] || set -- A0; peers "$@" --compile ;;
*) sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
