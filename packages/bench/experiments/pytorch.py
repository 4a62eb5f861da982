"""Times the training step of `embed-kd step` in PyTorch, eager and compiled, on the same shapes: one process a measurement.

  python3 packages/bench/experiments/pytorch.py [--device cpu] [--student paper] [--method embed-kd] [--batch 64,256]
      [--precision float32,mixed-float16] [--mode eager,compile] [--samples 20] [--threads N]

Prints the median time of a step in milliseconds, the peak in MiB, and JSON with --json. The peak on cuda is that of PyTorch's
allocator, on cpu that of the process over what it held before the first step. Dropout is off: compare with `step --dropout 0`.
On cuda, matrix products of float32 are not rounded to TF32. teacher-kd runs ViT-B/16 with random weights at 224 pixels.
Compiling needs a C++ compiler for the cpu. The students are those of golden/make.py.
"""
import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

STUDENTS = {
    "small": {"image": 28, "patch": 14, "width": 64, "layers": 3, "heads": 4, "channels": 1},
    "small-32": {"image": 32, "patch": 4, "width": 64, "layers": 4, "heads": 4, "channels": 3},
    "paper": {"image": 32, "patch": 4, "width": 256, "layers": 6, "heads": 8, "channels": 3},
}
CLASSES = 10
TEACHER_WIDTH = 768
METHODS = ("supervised", "embed-kd", "teacher-kd")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--student", default="paper", choices=STUDENTS)
    parser.add_argument("--method", default="embed-kd")
    parser.add_argument("--batch", default="64")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--mode", default="eager,compile")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args)))
        return
    for precision in args.precision.split(","):
        for batch in args.batch.split(","):
            for method in args.method.split(","):
                for mode in args.mode.split(","):
                    case = {"method": method, "batch": batch, "precision": precision, "mode": mode}
                    report(case, args)


def report(case, args):
    """Measures one case in a process of its own and prints its line; a case that fails is a line, too."""
    fixed = {"device": args.device, "student": args.student, "samples": args.samples, "threads": args.threads}
    options = [f"--{name}={value}" for name, value in (fixed | case).items() if value is not None]
    child = subprocess.run([sys.executable, __file__, "--one", *options], capture_output=True, text=True)
    if child.returncode:
        lines = child.stderr.strip().splitlines() or [f"exit code {child.returncode}"]
        result = case | {"error": lines[-1]}
    else:
        result = json.loads(child.stdout.splitlines()[-1])
    if args.json:
        print(json.dumps(result), flush=True)
    else:
        what = "{method:12} batch {batch:>5} {precision:14} {mode:8}".format(**case)
        print(what, result.get("error") or "{milliseconds:9.2f} ms {mebibytes:9.1f} MiB".format(**result), flush=True)


def measure(args):
    import torch
    import torch.nn.functional as F

    sys.path.append(str(Path(__file__).parents[3] / "golden"))
    from make import Student

    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    config = STUDENTS[args.student] | {"classes": CLASSES}
    device, batch, mixed = torch.device(args.device), int(args.batch), args.precision != "float32"
    if args.method not in METHODS:
        sys.exit(f"there is no method {args.method} here: choose of {', '.join(METHODS)}")

    student = Student(config)
    student.teacher_proj = torch.nn.Linear(TEACHER_WIDTH, config["width"])
    student.to(device)
    teacher = None
    if args.method == "teacher-kd":
        from transformers import ViTConfig, ViTModel

        teacher = ViTModel(ViTConfig()).to(device).eval().requires_grad_(False)
    centroids = torch.randn(CLASSES, TEACHER_WIDTH, device=device)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-4, fused=device.type == "cuda")
    scaler = torch.amp.GradScaler(device.type, enabled=mixed)
    images = torch.randint(0, 256, (batch, config["channels"], config["image"], config["image"]), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (batch,))

    def losses(images, labels):
        images = images.float() / 255
        with torch.autocast(device.type, torch.float16, enabled=mixed):
            embedding = student((images - 0.5) / 0.5)
            scores = student.classifier(embedding)
            loss = F.cross_entropy(scores.float(), labels)
            if args.method == "supervised":
                return loss
            if args.method == "embed-kd":
                anchors, target = centroids, labels
            else:
                with torch.no_grad():
                    large = F.interpolate(images, size=(224, 224), mode="bilinear", align_corners=False)
                    large = large.expand(-1, 3, -1, -1)
                    anchors = teacher((large - 0.5) / 0.5).last_hidden_state[:, 0]
                target = torch.arange(len(labels), device=device)
            cosine = F.normalize(embedding.float()) @ F.normalize(student.teacher_proj(anchors).float()).T
            return loss + F.cross_entropy(cosine, target)

    compute = torch.compile(losses) if args.mode == "compile" else losses

    def step():
        loss = compute(images.to(device), labels.to(device))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.item()

    resident = memory_now()
    for _ in range(3):
        step()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(args.samples):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else peak_of_process() - resident
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        **{name: getattr(args, name) for name in ("student", "method", "batch", "precision", "mode", "samples")},
        "milliseconds": statistics.median(times),
        "mebibytes": peak / 2**20,
    }


def memory_now():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak_of_process():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
