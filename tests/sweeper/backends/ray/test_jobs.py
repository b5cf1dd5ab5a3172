"""What a cluster's dashboard says to who submits a job."""

import pytest
from hostile_support import respond, serving

from search_spaces.errors import InputError
from sweeper.backends.ray.jobs import submit


@pytest.mark.parametrize("form", ["p@ss", "p%40ss", "user:p@ss", "cEBzcw=="])
def test_a_password_that_a_dashboard_repeats_is_not_shown(tmp_path, form):
    with serving(respond("401 Unauthorized", f"login {form} refused")) as port, pytest.raises(InputError) as refused:
        submit(f"http://user:p%40ss@127.0.0.1:{port}", tmp_path, "name", ["true"], print)
    assert f"http://user:***@127.0.0.1:{port}: no Ray cluster takes jobs there" in str(refused.value)
    assert "login *** refused" in str(refused.value)
