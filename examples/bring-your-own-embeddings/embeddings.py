# Shows the file that a program in another language writes: embeddings of the training images, in the order of the data set.
# Run it with: python embeddings.py DIR embeddings.safetensors   (DIR holds train-images-idx3-ubyte and train-labels-idx1-ubyte)
import sys
import numpy as np
from safetensors.numpy import save_file

directory, out = sys.argv[1:]
labels = np.fromfile(f"{directory}/train-labels-idx1-ubyte", np.uint8)[8:]
images = np.fromfile(f"{directory}/train-images-idx3-ubyte", np.uint8)[16:].reshape(len(labels), -1) / 255

# Your model goes here. This one is a principal component analysis.
centred = images - images.mean(axis=0)
_, _, components = np.linalg.svd(centred, full_matrices=False)
embeddings = centred @ components[:16].T

save_file({"embeddings": embeddings.astype(np.float32), "labels": labels.astype(np.int32)}, out)
