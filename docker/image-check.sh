#!/usr/bin/env bash
# Build the images of docker/Dockerfile without a container engine, and run a sweep inside. As root, on Debian, with
#   apt-get install buildah debootstrap
#
#   docker/image-check.sh                      targets cpu and mlflow; the base image is made by debootstrap
#   TARGETS="cpu cuda mlflow" docker/image-check.sh
#   TORCH=2.13.0 TORCHVISION=0.28.0 docker/image-check.sh     these instead of what constraints.txt pins
#   KEEP=/var/tmp/images docker/image-check.sh                keep base and images there, for the next time
#
# pip's configuration and the certificates of this machine are seen inside while building, read-only; they do not
# become part of an image. PIP_EXTRA_INDEX_URL is passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=${TARGETS:-cpu mlflow}
work=${KEEP:-$(mktemp -d /var/tmp/sweeper-images.XXXXXX)}
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
images() { buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"; }
leave() {
  images rm --all > /dev/null 2>&1 || true
  if [ -z "${KEEP:-}" ]; then rm -rf "$work"; fi
}
trap leave EXIT

say "base image: Debian bookworm with Python"
if ! images inspect --type image sweeper-base > /dev/null 2>&1; then
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$work/debian" > "$work/debootstrap.log"
  rm -rf "$work"/debian/var/cache/apt/* "$work"/debian/var/lib/apt/lists/*
  base=$(images from scratch)
  images copy --quiet "$base" "$work/debian" / > /dev/null
  images config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$base"
  images commit --quiet --rm "$base" sweeper-base > /dev/null
  rm -rf "$work/debian"
fi

# Every folder that pip's configuration names, apart from the configuration itself.
mounts=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
if [ -f /etc/pip.conf ]; then mounts+=(--volume /etc/pip.conf:/etc/pip.conf:ro); fi
if [ -f ~/.config/pip/pip.conf ]; then mounts+=(--volume ~/.config/pip/pip.conf:/root/.config/pip/pip.conf:ro); fi
while read -r folder; do
  if [ -d "$folder" ]; then mounts+=(--volume "$folder:$folder:ro"); fi
done < <(python3 -m pip config list | grep -oE "/[^' ]+" | sed -E 's|^//*|/|; s|^(/[^/]+/[^/]+).*|\1|' | sort -u | grep -v '^/etc/')

sed "${TORCH:+s/^torch==.*/torch==$TORCH/;}${TORCHVISION:+s/^torchvision==.*/torchvision==$TORCHVISION/}" \
  constraints.txt > "$work/constraints.txt"
mounts+=(--volume "$work/constraints.txt:/build/constraints.txt:ro")

arguments=(--build-arg BASE=localhost/sweeper-base)
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then arguments+=(--build-arg "PIP_EXTRA_INDEX_URL=$PIP_EXTRA_INDEX_URL"); fi

for target in $targets; do
  say "target $target"
  started=$SECONDS
  images bud --isolation chroot "${mounts[@]}" "${arguments[@]}" --target "$target" --tag "sweeper:$target" \
    --file docker/Dockerfile . > "$work/$target.log" 2>&1 || { tail -n 40 "$work/$target.log"; exit 1; }
  echo "built in $((SECONDS - started)) s"
done
say "images"
images images --format '{{.Name}}:{{.Tag}}  {{.Size}}'

# A shell script in a container of a target, by the image's own user; nothing but its own loopback for a network, and
# no process outlives it.
inside() {
  local container
  container=$(images from "sweeper:$1")
  unshare --net --pid --fork --kill-child --mount-proc sh -c 'ip link set lo up && "$@"' sh \
    buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" \
    run --isolation chroot "$container" -- bash -euc "$2"
  images rm "$container" > /dev/null
}

ask='python -c "import sys; from urllib.request import urlopen; urlopen(sys.argv[1], timeout=5)"'
for target in $targets; do
  say "inside $target"
  if [ "$target" = mlflow ]; then
    inside mlflow "id; python -c 'import boto3, psycopg2'
      mlflow server --port 5000 --workers 1 --backend-store-uri sqlite:////tmp/mlflow.db > /tmp/log 2>&1 &
      for _ in \$(seq 60); do if $ask http://127.0.0.1:5000/health 2> /dev/null; then exit 0; fi; sleep 1; done
      cat /tmp/log; exit 1"
    echo "mlflow server answers"
  else
    inside "$target" "id; sweeper run grids/digits.yaml"
    say "a cluster inside $target, and the sweep as a job of its"
    inside "$target" "umask 077; od -An -tx1 -N 32 /dev/urandom | tr -d ' \n' > token
      export RAY_AUTH_TOKEN_PATH=\$PWD/token
      ray start --head --num-cpus=2 --object-store-memory=100000000 --block > log 2>&1 &
      for _ in \$(seq 60); do if $ask http://127.0.0.1:8265/api/gcs_healthz 2> /dev/null; then break; fi; sleep 1; done
      ray job submit --address http://127.0.0.1:8265 -- sweeper run \$PWD/grids/digits.yaml --set 'axes.seed=[0]' \
        --out /sweeps/runs --address auto"
  fi
done
