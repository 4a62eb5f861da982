#!/bin/sh
# Measures a machine with a GPU in one command: which devices work, whether they compute correctly, and what training steps cost.
# The machine needs a shell, tar and timeout; Node and all packages are in the bundle, and nothing is downloaded.
#   gpu.sh BUNDLE OUT
# BUNDLE is an archive of `embed-kd bundle --backend ort,tfjs`, or the directory in which it was unpacked. OUT gets a log of each part,
# records, a report, and summary.txt. A part that fails or reaches its time limit loses nothing of the others.
# Settings, as variables of the environment:
#   TOTAL=450                             seconds for everything
#   DEVICES="ort:cuda ort:webgpu tfjs:webgpu"
#   METHODS=supervised,embed-kd,teacher-kd  TEACHER=vit-base-16  STUDENT=paper
#   BATCHES=64,256,1024  PRECISIONS="float32 mixed-float16"  STEPS=10
set -u
[ $# -eq 2 ] || { sed -n '4,11s/^# //p' "$0"; exit 1; }
bundle=$1
mkdir -p "$2" && out=$(cd "$2" && pwd) || exit 1
: "${TOTAL:=450}" "${DEVICES:=ort:cuda ort:webgpu tfjs:webgpu}" "${STEPS:=10}"
: "${METHODS:=supervised,embed-kd,teacher-kd}" "${TEACHER:=vit-base-16}" "${STUDENT:=paper}"
: "${BATCHES:=64,256,1024}" "${PRECISIONS:=float32 mixed-float16}"

started=$(date +%s)
summary=$out/summary.txt
: >"$summary"
elapsed() { echo $(($(date +%s) - started)); }
remaining() { echo $((TOTAL - $(elapsed))); }
say() { echo "$*" | tee -a "$summary"; }

# part NAME SECONDS COMMAND...: runs a command with its log in OUT/NAME.log, for as long as given and no longer than is left.
part() {
  name=$1 limit=$2
  shift 2
  left=$(remaining)
  [ "$limit" -lt "$left" ] || limit=$left
  if [ "$limit" -lt 1 ]; then
    say "$name: skipped, no time left"
    return
  fi
  from=$(elapsed)
  # An interrupted sweep keeps the records of the trials that have ended.
  timeout -s INT -k 10 "$limit" "$@" >"$out/$name.log" 2>&1
  code=$?
  took=$(($(elapsed) - from))
  case $code in
  0) say "$name: ok, $took s" ;;
  124 | 137) say "$name: stopped at its limit of $limit s" ;;
  *) say "$name: failed with code $code after $took s; the end of its log:" && tail -n 3 "$out/$name.log" | tee -a "$summary" ;;
  esac
}

if [ -d "$bundle" ]; then
  embed_kd=$bundle/embed-kd
else
  part unpack $((TOTAL / 4)) tar -xf "$bundle" -C "$out"
  embed_kd=$out/embed-kd/embed-kd
fi
[ -x "$embed_kd" ] || { say "there is no $embed_kd: give an archive made by embed-kd bundle"; exit 1; }

part driver 15 nvidia-smi
backends=$(echo "$DEVICES" | tr ' ' ,)
part doctor $((TOTAL / 6)) "$embed_kd" doctor --backend "$backends"

# Conformance gets a third of what is left, the steps get the rest, each in equal shares.
count() { echo $#; }
devices=$(count $DEVICES)
share=$(($(remaining) / 3 / devices))
for device in $DEVICES; do
  part "conformance-$(echo "$device" | tr : -)" "$share" "$embed_kd" conform --backend "$device"
done

parts=$((devices * $(count $PRECISIONS)))
for precision in $PRECISIONS; do
  for device in $DEVICES; do
    grid=steps-$(echo "$device" | tr : -)-$precision
    part "$grid" $((($(remaining) - 30) / parts)) "$embed_kd" bench --backend "$device" --precision "$precision" --method "$METHODS" \
      --teacher "$TEACHER" --student "$STUDENT" --batch "$BATCHES" --steps "$STEPS" --out "$out/$grid"
    parts=$((parts - 1))
  done
done

set --
for records in "$out"/steps-*/records.jsonl; do
  [ -s "$records" ] && set -- "$@" "$records"
done
if [ $# -gt 0 ]; then
  part report 20 "$embed_kd" report "$@" --out "$out/report.html"
  say "$(cat "$@" | wc -l) records in $out"
else
  say "no trial has ended: there are no records"
fi
say "everything took $(elapsed) s"
