"""MLflow as a mirror of the store. Importing this package does not import mlflow; ``mirror.py`` does, on first use."""
