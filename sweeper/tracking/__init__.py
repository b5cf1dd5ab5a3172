"""MLflow as a mirror of the sweep directory.

The room turns what the store holds of a sweep into runs, metrics, tags and artifacts (``projection``, ``summary``,
``curves``, ``page``). It sends what MLflow does not have yet (``mirror``, ``connection``, ``runs``, ``live``). The same
sweep always gives the same runs, and sending it again changes nothing. A sweep runs to its end without MLflow. Only
``mirror`` imports mlflow, on first use; torch and Ray must not come in.
"""
