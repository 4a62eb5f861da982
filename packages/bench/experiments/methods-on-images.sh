#!/bin/sh
# Compares the methods on an image folder, all else equal: one teacher trained on it, then students of the same seed, data, order,
# augmentation, sizes and settings. CIFAR-10 as JPEG files is what it was made for.
#   experiments/methods-on-images.sh IMAGES OUT [TEACHER_EPOCHS] [STUDENT_EPOCHS] [STUDENT]
# IMAGES has train/CLASS/FILE and test/CLASS/FILE. It can be interrupted and repeated: every step goes on where it stopped.
set -eu
images=$1 out=$2 teacher_epochs=${3:-20} epochs=${4:-20} student=${5:-paper}
embed_kd=$(dirname "$0")/../bin/embed-kd.js
data="--dataset images:$images"

$embed_kd train-teacher $data --shape trained-m --patch 4 --augment flip,crop:4 --epochs "$teacher_epochs" --out "$out/teacher" --resume
teacher="$out/teacher/teacher"
[ -e "$out/centroids.safetensors" ] ||
  $embed_kd embed $data --teacher "$teacher" --out "$out/centroids.safetensors"
# As many views as epochs would be teacher-kd exactly; four are enough to be close, at a fifth of the teacher's time.
[ -e "$out/samples.safetensors" ] ||
  $embed_kd embed $data --teacher "$teacher" --kind samples --augment flip --views 4 --float16 --out "$out/samples.safetensors"

distill() {
  method=$1
  shift
  $embed_kd distill $data --method "$method" --student "$student" --epochs "$epochs" --learning-rate 1e-3 --augment flip --seed 0 \
    --out "$out/$method" --resume "$@"
}
distill supervised
distill embed-kd --embeddings "$out/centroids.safetensors"
distill cached-kd --embeddings "$out/samples.safetensors"
distill teacher-kd --teacher "$teacher"
distill logit-kd --teacher "$teacher"
grep -H '"test_accuracy"' "$out"/*/summary.json
