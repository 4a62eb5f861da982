#!/bin/sh
# A sweep as a Slurm array: one task a shard, all into one directory on the shared file system.
#   sbatch --export=ALL,PROFILE=cost,OUT=$HOME/results/cost packages/cli/cluster/slurm.sh
# Submitted again, each shard goes on where it stopped.
#SBATCH --job-name=embed-kd
#SBATCH --array=1-8
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --signal=B:TERM@60

# Slurm tells the batch shell 60 seconds before it kills: the sweep then ends after its last whole record.
embed-kd/embed-kd bench --profile "${PROFILE:-cost}" --out "${OUT:?give OUT, a directory on the shared file system}" \
  --cache "$OUT/cache-$SLURM_ARRAY_TASK_ID" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --memory-limit 28G --resume &
sweep=$!
trap 'kill -TERM $sweep' TERM
wait $sweep || { trap - TERM; wait $sweep; }
