#!/bin/sh
# A sweep over several hosts with GNU parallel: one shard a host at a time, then one report.
#   HOSTS=node1,node2,node3 OUT=/shared/results/cost packages/cli/cluster/parallel.sh
# Never several shards on one host: they would measure each other.
set -eu
SHARDS=${SHARDS:-12}
seq "$SHARDS" | parallel --sshlogin "$HOSTS" --jobs 1 --joblog "$OUT.log" --resume-failed \
  embed-kd/embed-kd bench --profile "${PROFILE:-cost}" --out "$OUT" --cache "$OUT/cache-{}" \
  --shard "{}/$SHARDS" --resume
embed-kd/embed-kd merge "$OUT" --out "$OUT/all.jsonl"
embed-kd/embed-kd report "$OUT/all.jsonl" --out "$OUT/report.html"
