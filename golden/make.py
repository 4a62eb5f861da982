"""Computes the tensors of golden/ with PyTorch: students, teachers of Hugging Face, operators, resizing and centroids.

By default the inputs (parameters, batches, checkpoints) are those of the committed files, and every result is computed
from them again. With --seed, the inputs are drawn anew as well. README.md says how to run this file and what to check.
"""
import argparse
import json
import math
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent


# ---- students: embeddings, losses, gradients, and five AdamW steps ---------------------------------------------------


class Block(torch.nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = torch.nn.LayerNorm(width)
        self.attn = torch.nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = torch.nn.LayerNorm(width)
        self.fc1 = torch.nn.Linear(width, 4 * width)
        self.fc2 = torch.nn.Linear(4 * width, width)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        hidden = self.fc1(self.norm2(x))
        return x + self.fc2(hidden * torch.sigmoid(1.702 * hidden))


class Student(torch.nn.Module):
    """The paper's student: CLIP's vision transformer, and a classifier on its class token."""

    def __init__(self, config):
        super().__init__()
        width, patch = config["width"], config["patch"]
        tokens = (config["image"] // patch) ** 2 + 1
        self.class_token = torch.nn.Parameter(torch.randn(width) * width**-0.5)
        self.pos_embed = torch.nn.Parameter(torch.randn(tokens, width) * width**-0.5)
        self.patch_embed = torch.nn.Conv2d(config["channels"], width, patch, stride=patch, bias=False)
        self.norm_pre = torch.nn.LayerNorm(width)
        self.norm_post = torch.nn.LayerNorm(width)
        self.blocks = torch.nn.ModuleList(Block(width, config["heads"]) for _ in range(config["layers"]))
        self.classifier = torch.nn.Linear(width, config["classes"])

    def forward(self, images):
        patches = self.patch_embed(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(images), 1, -1), patches], 1) + self.pos_embed
        tokens = self.norm_pre(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm_post(tokens[:, 0])


def cosines(a, b):
    return F.normalize(a) @ F.normalize(b).T


def contrast(anchors, target):
    """A loss that picks each image's anchor, projected to the student's width, among all anchors by its cosine."""

    def loss(model, embedding, logits, batch):
        cosine = cosines(embedding, model.teacher_proj(batch[anchors]))
        return F.cross_entropy(cosine, target(batch)), cosine

    return loss


def match_probabilities(model, embedding, logits, batch):
    return F.cross_entropy(logits, batch["batch.teacher_probs"]), None


def match_scores(model, embedding, logits, batch):
    """Hinton's loss at the temperature 4."""
    return 16 * F.cross_entropy(logits / 4, (batch["batch.teacher_scores"] / 4).softmax(1)), None


def cosine_distance(model, embedding, logits, batch):
    cosine = F.cosine_similarity(model.student_proj(embedding), batch["batch.teacher_embeddings"])
    return (1 - cosine).mean(), cosine


def relations(rows):
    """Relative distances of all pairs, and cosines of the angles of all triplets (Park 2019)."""
    differences = rows.unsqueeze(0) - rows.unsqueeze(1)
    # The root of zero has no finite gradient; an image has the distance zero to itself.
    distances = (differences.pow(2).sum(2) + 1e-24).sqrt()
    others = ~torch.eye(len(rows), dtype=torch.bool)
    directions = F.normalize(differences, dim=2)
    return distances * others / distances[others].mean(), torch.bmm(directions, directions.transpose(1, 2))


def relate(model, embedding, logits, batch):
    pairs = zip(relations(embedding), relations(batch["batch.teacher_embeddings"]))
    distance, angle = (F.smooth_l1_loss(student, teacher) for student, teacher in pairs)
    return 25 * distance + 50 * angle, None


def preserve_similarities(model, embedding, logits, batch):
    student, teacher = (F.normalize(x @ x.T) for x in (embedding, batch["batch.teacher_embeddings"]))
    return 3000 * F.mse_loss(student, teacher), None


def match_standardised(model, embedding, logits, batch):
    target = F.linear(batch["batch.teacher_embeddings"] - batch["batch.mean"], batch["batch.rotation"])
    return F.mse_loss(model.student_proj(embedding), target), None


def pick_among_queue(model, embedding, logits, batch):
    """InfoNCE over the batch and a queue, without rows of zeros and without copies of an image's own embedding."""
    own, queue = batch["batch.teacher_embeddings"], batch["batch.teacher_queue"]
    keys = torch.cat([own, queue])
    scores = cosines(model.student_proj(embedding), keys)
    copies = cosines(own, keys) > 0.999
    copies.fill_diagonal_(False)
    left_out = copies | (keys == 0).all(1)
    return F.cross_entropy(scores.masked_fill(left_out, -torch.inf), torch.arange(len(own))), None


def pick_cluster(model, embedding, logits, batch):
    prototypes = batch["batch.prototypes"]
    clusters = cosines(batch["batch.teacher_embeddings"], prototypes).argmax(1)
    cosine = cosines(embedding, model.teacher_proj(prototypes))
    return F.cross_entropy(cosine, clusters), cosine


def labels_of(batch):
    return batch["batch.labels"].long()


# Distillation loss by method; the class loss is the same for all.
KD_LOSSES = {
    "supervised": None,
    "logit-kd": match_probabilities,
    "cached-logit-kd": match_scores,
    "teacher-kd": contrast("batch.teacher_embeddings", lambda batch: torch.arange(len(batch["batch.labels"]))),
    "embed-kd": contrast("batch.centroids", labels_of),
    "cosine-kd": cosine_distance,
    "rkd": relate,
    "sp": preserve_similarities,
    "phi-s": match_standardised,
    "queue-kd": pick_among_queue,
    "cluster-kd": pick_cluster,
}

# What a method trains beside the student: a projection of its embeddings, one of the teacher's (the default), or nothing.
PROJECTIONS = {method: "student_proj" for method in ("cosine-kd", "phi-s", "queue-kd")} | {"rkd": None, "sp": None}


def distillation_loss(model, entry, embedding, logits, batch):
    """The loss by the only teacher, or the mean of the losses by several teachers, and their cosines by tensor name."""
    kd = KD_LOSSES[entry["method"]]
    if "teachers" not in entry:
        loss, cosine = kd(model, embedding, logits, batch)
        return loss, {} if cosine is None else {"out.cosine": cosine}
    total, cosines_of = 0, {}
    for teacher in entry["teachers"]:
        # What this teacher gave goes by the names that a single teacher's outputs have.
        name, end = teacher["name"], "." + teacher["name"]
        own = batch | {key.removesuffix(end): x for key, x in batch.items() if key.endswith(end)}
        loss, cosines_of[f"out.cosine.{name}"] = kd(model.teachers[name], embedding, logits, own)
        total = total + teacher["weight"] * loss
    return total / sum(teacher["weight"] for teacher in entry["teachers"]), cosines_of


def student_losses(model, entry, batch):
    embedding = model(batch["batch.images"])
    out, logits, loss = {"out.embedding": embedding}, None, 0
    if entry["hardLabelScores"] != "none":
        scores = model.classifier(embedding)
        logits = scores.softmax(1) if entry["hardLabelScores"] == "probabilities" else scores
        out["out.logits"] = scores
        loss = F.cross_entropy(logits, labels_of(batch))
    if KD_LOSSES[entry["method"]]:
        kd_loss, cosine = distillation_loss(model, entry, embedding, logits, batch)
        loss = kd_loss if logits is None else loss + entry["kdWeight"] * kd_loss
        out |= {"out.kd_loss": kd_loss} | cosine
    return out | {"out.loss": loss}


def projections(entry, teacher_width):
    """The layers that a method trains for one teacher, by name."""
    width, projection = entry["config"]["width"], PROJECTIONS.get(entry["method"], "teacher_proj")
    if projection is None:
        return {}
    sizes = (width, teacher_width) if projection == "student_proj" else (teacher_width, width)
    return {projection: torch.nn.Linear(*sizes)}


def student_step(entry, given):
    config, adamw = entry["config"], entry["adamw"]
    model = Student(config)
    if entry["hardLabelScores"] == "none":
        del model.classifier
    if "teachers" in entry:
        model.teachers = torch.nn.ModuleDict(
            {t["name"]: torch.nn.ModuleDict(projections(entry, t["width"])) for t in entry["teachers"]}
        )
    else:
        for name, layer in projections(entry, config["teacher_dim"]).items():
            model.add_module(name, layer)
    if given:
        model.load_state_dict({name[6:]: x for name, x in given.items() if name.startswith("param.")})
        batch = {name: x for name, x in given.items() if name.startswith("batch.")}
    else:
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.data += 0.1 * torch.randn_like(parameter)
        batch = draw_batch(config)
        for teacher in entry.get("teachers", ()):
            name, width = teacher["name"], teacher["width"]
            for key in ("batch.centroids", "batch.teacher_embeddings"):
                batch[f"{key}.{name}"] = torch.randn(len(batch[key]), width)
        batch |= draw_signal(entry, batch)
    out = {f"param.{name}": x.clone() for name, x in model.state_dict().items()}
    result = student_losses(model, entry, batch)
    result["out.loss"].backward()
    out |= result
    # A parameter that the loss does not depend on has no gradient.
    out |= {f"grad.{name}": p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    betas = (adamw["beta1"], adamw["beta2"])
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=adamw["lr"], weight_decay=adamw["weightDecay"], betas=betas, eps=adamw["eps"]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, entry["schedule"]["epochs"])
    losses, rates = [], []
    for _ in range(entry["steps"]):
        optimizer.zero_grad()
        loss = student_losses(model, entry, batch)["out.loss"]
        loss.backward()
        losses.append(loss.item())
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    out |= {"train.losses": torch.tensor(losses), "train.lrs": torch.tensor(rates)}
    return out | {f"trained.{name}": x for name, x in model.state_dict().items()} | batch


def draw_batch(config, size=6):
    classes, width, side = config["classes"], config["teacher_dim"], config["image"]
    return {
        "batch.images": torch.randn(size, config["channels"], side, side),
        "batch.labels": torch.randint(classes, (size,), dtype=torch.int32),
        "batch.centroids": torch.randn(classes, width),
        "batch.teacher_embeddings": torch.randn(size, width),
        "batch.teacher_probs": torch.randn(size, classes).softmax(1),
    }


def draw_signal(entry, batch):
    """What methods take beside the embeddings of the batch: statistics of all embeddings, or a queue of earlier ones."""
    method, width = entry["method"], entry["config"]["teacher_dim"]
    if method == "cached-logit-kd":
        return {"batch.teacher_scores": 3 * torch.randn(len(batch["batch.labels"]), entry["config"]["classes"])}
    if method == "phi-s":
        return {"batch.mean": torch.randn(width), "batch.rotation": torch.linalg.qr(torch.randn(width, width))[0] / 3}
    if method == "cluster-kd":
        return {"batch.prototypes": F.normalize(torch.randn(64, width))}
    if method == "queue-kd":
        # A queue also has empty rows, and the embedding that an image had an epoch ago.
        queue = torch.randn(entry["queue"], width)
        queue[3:5] = 0
        queue[9] = 2 * batch["batch.teacher_embeddings"][1]
        return {"batch.teacher_queue": queue}
    return {}


# ---- statistics of embeddings ----------------------------------------------------------------------------------------


def hadamard(size):
    """Paley's matrix of size q + 1 for a prime q = 4n + 3."""
    q = size - 1
    squares = {x * x % q for x in range(1, q)}
    sign = lambda x: 1.0 if x % q in squares or x % q == 0 else -1.0
    rows = [[1.0] * size] + [[-1.0] + [sign(i - j) for j in range(q)] for i in range(q)]
    return torch.tensor(rows, dtype=torch.float64)


def phi_standardisation(entry, given):
    """Embeddings after PHI-S have this covariance, whatever the signs of the principal components."""
    width = entry["width"]
    embeddings = given["embeddings"] if given else torch.randn(40, width) @ torch.randn(width, width) + torch.randn(width)
    values, vectors = torch.linalg.eigh(torch.cov(embeddings.double().T, correction=0))
    values, vectors = values.flip(0), vectors.flip(1)
    rotation = hadamard(width) / math.sqrt(width) @ vectors.T / values.mean().sqrt()
    standardised = (embeddings.double() - embeddings.double().mean(0)) @ rotation.T
    return {
        "embeddings": embeddings,
        "mean": embeddings.mean(0),
        "eigenvalues": values.float(),
        "covariance": torch.cov(standardised.T, correction=0).float(),
    }


def clusters(entry, given):
    """Spherical k-means from given rows as centres: the centres after some rounds."""
    embeddings = given["embeddings"] if given else torch.randn(60, entry["width"])
    rows = F.normalize(embeddings)
    centres = rows[: entry["clusters"]]
    for _ in range(entry["rounds"]):
        nearest = (rows @ centres.T).argmax(1)
        centres = F.normalize(torch.stack([rows[nearest == c].sum(0) for c in range(entry["clusters"])]))
    return {"embeddings": embeddings, "centres": centres}


# ---- teachers: small checkpoints in Hugging Face's format, and what transformers makes of them -----------------------


def hf_teacher(entry, given, checkpoint, source):
    model_class = getattr(transformers, entry["arch"])
    if given:
        model = model_class.from_pretrained(source)
        for file in source.iterdir():
            shutil.copy(file, checkpoint) if source != checkpoint else None
    else:
        config = model_class.config_class.from_pretrained(source)
        model = model_class(config)
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
        model.save_pretrained(checkpoint)
    images = given["in.images"] if given else torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        result = model.eval()(pixel_values=images)
    out = {"in.images": images}
    if entry["embedding"] == "cls":
        out["out.cls"] = result.last_hidden_state[:, 0]
    else:
        out[f"out.{entry['embedding']}"] = result[entry["embedding"]]
    if entry["name"] in ("hf-vit", "hf-clip-vision"):
        out["out.last_hidden_state"] = result.last_hidden_state
    return out


# ---- operators with their gradients ----------------------------------------------------------------------------------


def attention(q, k, v):
    return (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v


# For each operator: a function of its inputs, the shapes of the inputs, and whether they must be positive.
OPERATORS = {
    "gelu-erf": (F.gelu, [(3, 7)], False),
    "gelu-tanh": (lambda x: F.gelu(x, approximate="tanh"), [(3, 7)], False),
    "quick-gelu": (lambda x: x * torch.sigmoid(1.702 * x), [(3, 7)], False),
    "softmax": (lambda x: x.softmax(-1), [(2, 3, 5)], False),
    "log-softmax": (lambda x: x.log_softmax(-1), [(2, 3, 5)], False),
    "layer-norm": (lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b, 1e-5), [(2, 3, 6), (6,), (6,)], False),
    "linear": (F.linear, [(2, 3, 4), (5, 4), (5,)], False),
    "l2-normalize": (lambda x: F.normalize(x, dim=-1), [(4, 6)], False),
    "attention": (attention, [(2, 2, 5, 4)] * 3, False),
    "patch-conv": (lambda x, w: F.conv2d(x, w, stride=w.shape[-1]), [(2, 3, 8, 8), (6, 3, 4, 4)], False),
    "matmul-broadcast": (torch.matmul, [(3, 1, 2, 4), (5, 4, 6)], False),
    "mean": (lambda x: x.mean((0, -1)), [(2, 3, 4)], False),
    "max": (lambda x: x.max(-1).values, [(3, 4)], False),
    "log": (torch.log, [(3, 4)], True),
    "rsqrt": (torch.rsqrt, [(3, 4)], True),
    "div": (torch.div, [(3, 4), (4,)], True),
}


def operator(entry, given):
    function, shapes, positive = OPERATORS[entry["op"]]
    if given:
        inputs = [given[f"in.{i}"] for i in range(len(shapes))]
    else:
        inputs = [torch.rand(shape) + 0.5 if positive else torch.randn(shape) for shape in shapes]
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = function(*leaves)
    grad_out = given["grad_out"] if given else torch.randn_like(out)
    grads = torch.autograd.grad(out, leaves, grad_out)
    return (
        {"out": out, "grad_out": grad_out}
        | {f"in.{i}": x for i, x in enumerate(inputs)}
        | {f"grad.{i}": x for i, x in enumerate(grads)}
    )


# ---- resizing and centroids ------------------------------------------------------------------------------------------


def resize(entry, given):
    before, after = (int(side) for side in entry["name"].removeprefix("resize-").split("-to-"))
    image = given["in"] if given else torch.rand(1, 3, before, before)
    out = F.interpolate(image, (after, after), mode="bilinear", antialias=True, align_corners=False)
    return {"in": image, "out": out}


def centroids(entry, given):
    """Centroids are means of the first `perClass` embeddings of each class."""
    embeddings = given["embeddings"] if given else torch.randn(60, 6)
    labels = given["labels"] if given else torch.randint(4, (60,), dtype=torch.int32)
    means = [embeddings[labels == c][: entry["perClass"]].mean(0) for c in range(4)]
    return {"embeddings": embeddings, "labels": labels, "centroids": torch.stack(means)}


# ---- all cases -------------------------------------------------------------------------------------------------------

MAKERS = {
    "student-step": student_step,
    "operator": operator,
    "resize": resize,
    "centroids": centroids,
    "phi-s": phi_standardisation,
    "clusters": clusters,
}


def without_key_bias(name, x):
    """Attention does not depend on the bias of its keys: their gradients, and what AdamW makes of them, are rounding noise."""
    if not name.endswith("in_proj_bias") or name.startswith("param."):
        return x
    query, _, value = x.chunk(3)
    return torch.cat([query, value])


def difference(a, b):
    """Greatest difference of two sets of tensors, each relative to the greatest element of its tensor."""
    if a.keys() != b.keys():
        raise SystemExit(f"tensors {sorted(a.keys() ^ b.keys())} are in one of the two only")
    worst = 0.0
    for name in b:
        if b[name].shape != a[name].shape or b[name].dtype != a[name].dtype:
            raise SystemExit(f"{name} is {b[name].dtype}{list(b[name].shape)}, and was {a[name].dtype}{list(a[name].shape)}")
        x, y = (without_key_bias(name, tensors[name].double()) for tensors in (a, b))
        worst = max(worst, (x - y).abs().max().item() / (x.abs().max().item() or 1.0))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="directory to write to (default: golden/ itself)")
    parser.add_argument("--seed", type=int, help="draw new inputs with this seed (default: keep the committed inputs)")
    parser.add_argument("--check", action="store_true", help="write nothing; print how far each case is from the committed file")
    options = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)

    manifest = json.loads((HERE / "manifest.json").read_text())
    for index, entry in enumerate(manifest["cases"]):
        if options.seed is not None:
            torch.manual_seed(options.seed + index)
        file = HERE / entry["file"]
        committed = load_file(file) if file.exists() else None
        if committed is None and options.seed is None:
            raise SystemExit(f"{file} is missing, so there are no inputs to keep; draw them with --seed N")
        given = committed if options.seed is None else {}
        if entry["kind"] == "hf-teacher":
            source = HERE / entry["checkpoint"]
            checkpoint = source if options.check else options.out / entry["checkpoint"]
            checkpoint.mkdir(parents=True, exist_ok=True)
            tensors = hf_teacher(entry, given, checkpoint, source)
        else:
            tensors = MAKERS[entry["kind"]](entry, given)
        # save_file writes contiguous tensors only, and no two that share memory.
        tensors = {name: x.detach().contiguous().clone() for name, x in tensors.items()}
        print(f"{entry['name']:34} {'new' if committed is None else f'{difference(committed, tensors):.2g}'}")
        if not options.check:
            save_file(tensors, options.out / entry["file"])
    if not options.check:
        manifest |= {"torch": torch.__version__, "transformers": transformers.__version__}
        if options.seed is not None:
            manifest["seed"] = options.seed
        (options.out / "manifest.json").write_text(json.dumps(manifest, indent=1))


if __name__ == "__main__":
    main()
