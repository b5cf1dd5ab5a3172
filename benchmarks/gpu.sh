#!/usr/bin/env bash
# What nine minutes of one GPU are for, most valuable first. Each step is limited in time, and its results are saved as it ends.
#
#   bash benchmarks/gpu.sh                     from the root of the repository, with .gpu/ from benchmarks/gpu_pack.sh
#   TRIAL=1 LIMIT=300 bash benchmarks/gpu.sh   the same in small on a CPU, to try the script
#
# The machine needs torch, pandas, pyarrow, scipy, scikit-learn, matplotlib, rich and PyYAML; for the tests also pytest
# with its timeout and xdist. It needs neither ray and mlflow nor a network.
# LIMIT: seconds in all. OUT: folder for the results, a few files of at most 16 MiB. PY: a python with torch.
# shellcheck disable=SC2329 # steps call their functions by name, in a process of their own
set -u
export CARRY=${CARRY:-.gpu} PY=${PY:-python3} WORK=${WORK:-/tmp/sweeper-gpu} TRIAL=${TRIAL:-}
export RUNS=$WORK/runs LOGS=$WORK/logs PYTHONUNBUFFERED=1 MPLBACKEND=Agg COLUMNS=160
export PYTHONPATH=$PWD:$WORK/site${PYTHONPATH:+:$PYTHONPATH}
export TORCHINDUCTOR_CACHE_DIR=$WORK/inductor
LAMS='axes.lam=[1.0e-5, 1.0e-4, 5.0e-4, 1.0e-3, 5.0e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 50, 100]'
CIFAR='trainable.data={name: image_folder, root: data/cifar10-jpeg}'

sweep() { # GRID NAME SETTING...
  local grid=$1 name=$2 sets=() s
  shift 2
  if [[ $TRIAL ]]; then # small enough for a CPU
    set -- "$@" resources.gpus_per_pack=0 trainable.numerics.precision=float32
    case $name in
      smoke) ;;
      fig2abc*) set -- "$@" trainable.data.train=256 trainable.data.test=100 trainable.model.width=8 budget.leave_out=20 ;;
      *) set -- "$@" trainable.data.train=256 trainable.data.test=100 trainable.model.width=1 trainable.model.depth=10 \
        trainable.batch=64 measure.train=100 'axes.eta=[1.6]' ;;
    esac
  fi
  for s in "$@"; do sets+=(--set "$s"); done
  "$PY" -m sweeper run "$grid" --name "$name" --backend inprocess --tracking-uri none --out "$RUNS" "${sets[@]}"
}

tests() { # EXPRESSION PROCESSES SECONDS
  "$PY" -m pytest -n "$2" -m gpu -p no:cacheprovider --timeout "$3" --junitxml "$LOGS/tests-$2.xml" -k "$1" \
    tests/trainables/test_gpu.py tests/trainables/step/test_augment.py
}

facts() {
  nvidia-smi
  nproc
  free -g | head -2
  "$PY" - <<'PYTHON'
import sys, torch, numpy, pandas, pyarrow, pydantic, typer, PIL
print(sys.version, [f"{m.__name__} {m.__version__}" for m in (torch, numpy, pandas, pyarrow, pydantic, typer, PIL)])
print(torch.backends.cudnn.version(), torch.cuda.is_available() and torch.cuda.get_device_properties(0))
PYTHON
}

probe_and_tests() { # the tests want CPUs and the probe a GPU
  tests 'not compiled_trains_as_eager' "${JOBS:-6}" 100 >"$LOGS/tests.log" 2>&1 &
  local rc
  sweep grids/paper/fig4a-probe.yaml fig4a-probe "$CIFAR" measure.train=2000
  rc=$?
  wait
  tail -15 "$LOGS/tests.log"
  return "$rc"
}

rows() { "$PY" benchmarks/gpu_rows.py "$@" > >(tee -a "$LOGS/rows.md"); }
fig2abc() { sweep grids/paper/fig2abc.yaml fig2abc-short "$LAMS" "budget.leave_out=$1" trainable.numerics.precision=tf32; }
fig2def() {
  sweep grids/paper/fig2def.yaml fig2def-short "$CIFAR" 'axes.eta=[0.8, 1.6]' 'axes.lam=[8.0e-3, 0.016]' budget.leave_out=8 \
    'budget.exceptions=[]' measure.train=2000
}

if [[ ${1:-} == only ]]; then # a step, in a process of its own
  "${@:2}"
  exit
fi

OUT=${OUT:-gpu-results} LIMIT=${LIMIT:-540} start=$SECONDS
mkdir -p "$OUT" "$RUNS" "$LOGS" "$WORK/site" data
OUT=$(realpath "$OUT")

keep() {
  tar czf "$OUT/logs.tar.gz" -C "$WORK" logs
  tar czf "$OUT/runs.tar.gz" --exclude=checkpoints -C "$WORK" runs
  if [[ -f $LOGS/rows.md ]]; then cp "$LOGS/rows.md" "$OUT"/; fi
}

step() { # NAME SECONDS COMMAND...: at most so long, and no longer than what is left
  local name=$1 most=$2 began=$SECONDS left rc
  shift 2
  left=$((LIMIT - (SECONDS - start) - 20))
  if ((left < 15)); then
    echo "| $name | not run | |" | tee -a "$OUT/summary.md"
    return
  fi
  timeout -s INT -k 15 $((most < left ? most : left)) bash "$0" only "$@" >"$LOGS/$name.log" 2>&1
  rc=$?
  echo "| $name | status $rc | $((SECONDS - began)) s |" | tee -a "$OUT/summary.md"
  keep
}

printf '| step | outcome | |\n| --- | --- | ---: |\n' >"$OUT/summary.md"
if ! "$PY" -c 'import pydantic, typer' 2>/dev/null; then # what pip would do, in a second
  for wheel in "$CARRY"/whl/*.whl; do "$PY" -m zipfile -e "$wheel" "$WORK/site"; done
fi
{
  tar xJf "$CARRY/mnist-10k.tar.xz" -C data
  [[ -d data/cifar10-jpeg/train ]] || { mkdir -p data/cifar10-jpeg && tar xJf "$CARRY/cifar10-jpeg.tar.xz" -C data/cifar10-jpeg; }
} >"$LOGS/unpack.log" 2>&1 &
unpacked=$!
step facts 60 facts # torch is read from the disk for the first time
step smoke 60 sweep grids/small/fig4a-probe.yaml smoke resources.gpus_per_pack=1
wait $unpacked
step probe-and-tests 150 probe_and_tests
step rows-wrn 150 rows wrn
step rows-fc 70 rows fc fc64 sgd
step fig2abc 90 fig2abc 10000
step fig2def 150 fig2def
step rows-pack 30 rows wrn-pack
step compiled 120 tests compiled_trains_as_eager 4 110
step fig2abc-longer 200 fig2abc 50000
echo "used $((SECONDS - start)) of $LIMIT s"
cat "$OUT/summary.md" "$LOGS/rows.md" 2>/dev/null
tail -n 6 "$LOGS/tests.log" 2>/dev/null
for name in probe-and-tests fig2abc fig2def; do echo "== $name" && tail -n 12 "$LOGS/$name.log" 2>/dev/null; done
exit 0
