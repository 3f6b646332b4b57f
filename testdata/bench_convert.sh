#!/bin/sh
# Conversion of a B3 training checkpoint with SGD's momentum (about 1 GB) against dd reading the state dict's bytes and
# writing as many as the deploy weights have, both with fsync and the source in the page cache:
#   bench_convert.sh REPVGG [RUNS]
set -eu
repvgg=$1 runs=${2:-9}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go run ./internal/testgen repvgg-B3 "$dir/src.pth"
"$repvgg" reparameterize repvgg-B3 "$dir/src.pth" "$dir/dst.pth" >/dev/null
written=$(wc -c <"$dir/dst.pth")
state=$(($(wc -c <"$dir/src.pth") / 2))
mib=1048576
now() { date +%s%N; }
for _ in $(seq "$runs"); do
	rm -f "$dir/dd.out" "$dir/dst.pth"
	start=$(now)
	dd if="$dir/src.pth" of=/dev/null bs=1M count=$((state / mib)) 2>/dev/null
	dd if="$dir/src.pth" of="$dir/dd.out" bs=1M count=$((written / mib)) conv=fsync 2>/dev/null
	echo "dd $((($(now) - start) / 1000000))"
	start=$(now)
	"$repvgg" reparameterize repvgg-B3 "$dir/src.pth" "$dir/dst.pth" >/dev/null
	echo "repvgg $((($(now) - start) / 1000000))"
done | tee "$dir/times"
median() { grep "^$1 " "$dir/times" | cut -d' ' -f2 | sort -n | sed -n "$(((runs + 1) / 2))p"; }
a=$(median repvgg) b=$(median dd)
echo "median of $runs: repvgg $a ms, dd $b ms, ratio $(awk "BEGIN { printf \"%.2f\", $a / $b }")"
if [ -x /usr/bin/time ]; then
	/usr/bin/time -f 'peak memory %M kB' "$repvgg" reparameterize repvgg-B3 "$dir/src.pth" "$dir/dst.pth" 2>&1 >/dev/null
fi
