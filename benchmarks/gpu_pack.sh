#!/usr/bin/env bash
# Put into .gpu/ what benchmarks/gpu.sh needs on a machine with a GPU and without a network: wheels that such machines
# lack, for their python 3.12, and the images. This runs where pip works.
#
#   IMAGES=FOLDER bash benchmarks/gpu_pack.sh
#
# FOLDER holds cifar10-jpeg.tar.xz (train/CLASS/*.jpg and test/CLASS/*.jpg of CIFAR-10) and mnist-10k.tar.xz (MNIST/raw of
# torchvision, the 10,000 test images split into 5,000 for training and 5,000 for tests).
set -euo pipefail
cd "$(dirname "$0")/.."
images=${IMAGES:?the folder that holds cifar10-jpeg.tar.xz and mnist-10k.tar.xz}
mkdir -p .gpu/whl
rm -f .gpu/whl/*
# pydantic and all that it needs; typer, so that the command line is the one that is tested.
mapfile -t pins < <(grep -E '^(pydantic|pydantic_core|annotated-types|typing-inspection|typing_extensions|typer)==' constraints.txt)
python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 -d .gpu/whl "${pins[@]}"
cp "$images"/cifar10-jpeg.tar.xz "$images"/mnist-10k.tar.xz .gpu/
du -sh .gpu
