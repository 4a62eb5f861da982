#!/bin/sh
# Does a student learn as well from a file of embeddings as from a live teacher? Trains students of all methods on a share of the
# labels of an image folder, with several seeds. The same search chooses each method's weight of the distillation loss.
#   run.sh IMAGES TEACHER OUT SWEEP [OPTION...]
# IMAGES has train/CLASS/FILE and test/CLASS/FILE. TEACHER is an .onnx file or another teacher of embed-kd bench. SWEEP is
# methods-1, methods-10 or methods-100 for that percentage of the labels, or controls-1, controls-10 or controls-100, which replace
# the teacher's centroids, or scores-1, which compares stored class scores with a live teacher. OPTION is an option of embed-kd bench, such as --dry-run. Sweeps of one teacher may share OUT.
# Repeat an interrupted command to go on.
set -eu
images=$1 teacher=$2 out=$3 sweep=$4
shift 4
here=$(dirname "$0")
exec "$here/../../../cli/bin/embed-kd.js" bench --config "$here/$sweep.json" --dataset "images:$images" \
  --teacher "$teacher" --out "$out" --resume "$@"
