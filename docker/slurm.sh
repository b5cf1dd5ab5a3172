#!/bin/bash
# One sweep on the nodes of a SLURM job: a Ray head on the first node, workers on the others, then `sweeper run`.
#   sbatch --nodes=4 --gres=gpu:4 docker/slurm.sh grids/wrn.yaml --out /shared/runs
# What follows the grid goes to `sweeper run`. The folder that it is submitted from, its .venv and --out must be on a
# file system that all nodes share. docs/cluster.md starts from nothing.
#SBATCH --job-name=sweeper
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --output=sweeper-%j.log
#SBATCH --open-mode=append
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?submit this file with sbatch}"
# shellcheck source=/dev/null
if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi
if [ $# -eq 0 ]; then
  echo "usage: sbatch docker/slurm.sh GRID [options of sweeper run]" >&2
  exit 2
fi

# Ray listens on every address of the nodes, so nobody gets in without the token, which only this user can read. (What
# several processes of one point ask each other needs none; see docs/cluster.md.)
token=$PWD/.ray-token-$SLURM_JOB_ID
(umask 077 && od -An -tx1 -N 32 /dev/urandom | tr -d ' \n' > "$token")
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$token RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}                             # this script runs there
port=$((20000 + SLURM_JOB_ID % 20000))       # of its own for each job
folder=/tmp/ray-$SLURM_JOB_ID                # Ray's default, /tmp/ray, may be another user's
start=(ray start --num-cpus="${SLURM_CPUS_PER_TASK:-1}" --object-store-memory=268435456 --block)
processes=()
# shellcheck disable=SC2329 # the trap calls it
leave() {
  kill "${processes[@]}" 2> /dev/null || true
  wait || true
  rm -rf "$token" "$folder"
}
trap leave EXIT

"${start[@]}" --head --port="$port" --temp-dir="$folder" --include-dashboard=false &
processes+=($!)
until (: < "/dev/tcp/$head/$port") 2> /dev/null; do
  kill -0 "${processes[0]}" || exit 1
  sleep 1
done
if [ ${#nodes[@]} -gt 1 ]; then
  others=$((${#nodes[@]} - 1))
  # shellcheck disable=SC2016 # of the shells of the nodes, which outlive Ray to remove what it leaves
  srun --nodes="$others" --ntasks="$others" --ntasks-per-node=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    --exclude="$head" \
    bash -c 'trap : TERM; folder=$1; shift; "$@"; rm -rf "$folder"' - "$folder" "${start[@]}" --address="$head:$port" &
  processes+=($!)
fi
# The plan is made for the nodes that are there, so wait for all of them.
python - "$head:$port" ${#nodes[@]} << 'END'
import sys
import time

import ray

ray.init(address=sys.argv[1], log_to_driver=False)
deadline = time.monotonic() + 300
while (alive := sum(node["Alive"] for node in ray.nodes())) < int(sys.argv[2]):
    if time.monotonic() > deadline:
        sys.exit(f"error: after 5 minutes {alive} of {sys.argv[2]} nodes have joined; the log above says why.")
    time.sleep(1)
END

# Two minutes before its time is up SLURM sends USR1: the sweep leaves in good order, and the job is queued again to go on.
requeue=no
sweeper run "$@" --address "$head:$port" &
sweep=$!
trap 'requeue=yes; kill -TERM $sweep' USR1
status=0
wait $sweep || status=$?
while kill -0 $sweep 2> /dev/null; do # a signal ends a wait; the sweep has not ended yet
  status=0
  wait $sweep || status=$?
done
if [ $requeue = yes ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
