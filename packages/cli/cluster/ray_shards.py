#!/usr/bin/env python3
"""Runs the shards of a sweep, or of a teacher's embeddings, as tasks of a Ray cluster. A sweep ends in one report.

  python ray_shards.py --shards 8 --cpus 8 -- \\
    embed-kd/embed-kd bench --profile cost --out /shared/results/cost --cache '/shared/cache-{shard}' --resume
  python ray_shards.py --shards 64 --gpus 1 -- embed-kd/embed-kd embed --backend ort:cuda --kind samples \\
    --teacher facebook/dinov2-small --dataset webdataset:s3://photos/shards --data-size 224 --out s3://runs/photos.safetensors

Each shard runs the command with --shard I/N; {shard} in the command stands for I. A shard that fails, or whose machine
is lost, is tried again, and goes on where its files say it stopped. The same call again completes what is missing.
On a cluster: ray job submit --working-dir . -- python ray_shards.py …
"""

import argparse
import collections
import subprocess
import sys

import ray

USAGE_ERROR = 2
"""Exit code of a command line that cannot be understood: trying again would not help."""


class ShardFailed(Exception):
    """The command of a shard failed, and may succeed if it is tried again."""


def run_shard(command: list[str]) -> None:
    """Runs the command of a shard on the machine that Ray chose."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    # A sweep may print for days: the last lines tell why it failed.
    last_lines = collections.deque(process.stdout, maxlen=20)
    code = process.wait()
    if code == USAGE_ERROR:
        raise ValueError("".join(last_lines))
    if code != 0:
        raise ShardFailed(f"exit code {code}\n{''.join(last_lines)}")


def shard_command(command: list[str], shard: int, shards: int) -> list[str]:
    """Returns the command of one shard."""
    words = [word.replace("{shard}", str(shard)) for word in command]
    return [*words, "--shard", f"{shard}/{shards}"]


def run_all(command: list[str], options: argparse.Namespace) -> dict[int, str]:
    """Runs all shards, and returns why shards failed for good, by their numbers."""
    task = ray.remote(
        num_cpus=options.cpus,
        num_gpus=options.gpus,
        # Tries after a machine was lost, and after the command failed.
        max_retries=options.retries,
        retry_exceptions=[ShardFailed],
        scheduling_strategy="SPREAD",
    )(run_shard)
    shards = options.shards
    running = {task.remote(shard_command(command, i, shards)): i for i in range(1, shards + 1)}
    failures: dict[int, str] = {}
    while running:
        finished, _ = ray.wait(list(running), num_returns=1)
        shard = running.pop(finished[0])
        try:
            ray.get(finished[0])
            outcome = "done"
        except Exception as error:  # Ray wraps what a task raised, and has errors of its own.
            failures[shard] = str(getattr(error, "cause", None) or error)
            outcome = "FAILED"
        print(f"shard {shard}/{shards}: {outcome}, {len(running)} to go", flush=True)
    return failures


def report(command: list[str]) -> int:
    """Merges the records of a sweep's shards, and writes their report."""
    out = command[command.index("--out") + 1]
    program = command[: command.index("bench")]
    merged = f"{out}/all.jsonl"
    return (
        subprocess.call([*program, "merge", out, "--out", merged])
        or subprocess.call([*program, "report", merged, "--out", f"{out}/report.html"])
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, required=True, help="number of parts of equal work")
    parser.add_argument("--cpus", type=float, default=1, help="cores of a shard (default: 1); those of a whole machine if times are measured")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a shard (default: 0)")
    parser.add_argument("--retries", type=int, default=3, help="further tries of a shard (default: 3)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="embed-kd bench … or embed-kd embed …, after --")
    options = parser.parse_args()
    command = [word for i, word in enumerate(options.command) if i > 0 or word != "--"]
    is_sweep = "bench" in command
    if not is_sweep and "embed" not in command:
        parser.error("the command is neither bench nor embed; give it after --")
    if "--out" not in command:
        parser.error("the command has no --out; give a place that all machines share")
    ray.init()
    failures = run_all(command, options)
    for shard, reason in sorted(failures.items()):
        print(f"\nshard {shard}/{options.shards} failed: {reason}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {options.shards} shards failed; the same call goes on with them", file=sys.stderr)
        return 1
    return report(command) if is_sweep else 0


if __name__ == "__main__":
    sys.exit(main())
