#!/bin/sh
# Does a student learn as well from a file of embeddings as from a live teacher? Trains students of all methods on a share of the
# labels of an image folder, with several seeds.
#   run.sh IMAGES TEACHER OUT SWEEP [OPTION...]
# IMAGES has train/CLASS/FILE and test/CLASS/FILE. TEACHER is an .onnx file or another teacher of embed-kd bench. SWEEP is a file
# beside this one:
#   methods-1, methods-10, methods-100     every method, on that percentage of the labels
#   controls-1, controls-10, controls-100  several prototypes a class, and vectors in place of the teacher's centroids
#   preset-paper                           the details of losses and schedule as published
#   scores-1, stores-1                     class scores in a file, and the same compressed
#   no-labels                              students without labels, judged by their neighbours
# At 1 % the same search chooses each method's weight of the distillation loss; elsewhere it is 1, or the preset's.
# OPTION is an option of embed-kd bench, such as --dry-run or --method. Sweeps of one teacher may share OUT.
# Repeat an interrupted command to go on.
set -eu
images=$1 teacher=$2 out=$3 sweep=$4
shift 4
here=$(dirname "$0")
exec "$here/../../../cli/bin/embed-kd.js" bench --config "$here/$sweep.json" --dataset "images:$images" \
  --teacher "$teacher" --out "$out" --resume "$@"
