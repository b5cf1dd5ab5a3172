"""Ray and Tune from nothing to two finished trials that import torch, with Tune at its quickest settings."""

import os
import tempfile

from peer_tune import BEST, QUIET

os.environ.update(QUIET | BEST)


def trial(_config):
    import torch
    from ray import tune

    tune.report({"zero": float(torch.zeros(()))})


def main():
    import ray
    from ray import tune

    ray.init(address="local", include_dashboard=False, num_cpus=os.cpu_count(), log_to_driver=False)
    tune.Tuner(
        tune.with_resources(trial, {"cpu": 1}),
        param_space={"index": tune.grid_search([0, 1])},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(prefix="startup-"), verbose=0),
    ).fit()
    ray.shutdown()


if __name__ == "__main__":
    main()
