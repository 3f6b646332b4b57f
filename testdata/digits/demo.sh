#!/bin/sh
# Converts the digits checkpoint and tests both forms: demo.sh REPVGG
set -eu
repvgg=$1
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() {
	say "repvgg $*"
	"$repvgg" "$@"
}
# The time of day in milliseconds.
now() { echo $(($(date +%s%N) / 1000000)); }

say 'cd testdata/digits'
run reparameterize configs/repvgg-digits.py train.pth "$out/deploy.pth" --verify
for form in train deploy; do
	cfg=configs/repvgg-digits.py ckpt=train.pth
	[ $form = train ] || { cfg=configs/repvgg-digits_deploy.py ckpt=$out/deploy.pth; }
	start=$(now)
	run test $cfg "$ckpt" --metrics accuracy precision recall f1_score support | tee "$out/$form.txt"
	eval "$form=$(($(now) - start))"
done
echo
printf '%-8s %-24s %s\n' form 'accuracy_top-1' 'time for 300 images, start to end'
for form in train deploy; do
	eval "ms=\$$form"
	printf '%-8s %-24s %s ms\n' $form "$(sed -n 's/^accuracy_top-1 : //p' "$out/$form.txt")" "$ms"
done
