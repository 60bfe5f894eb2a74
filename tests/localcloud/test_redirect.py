"""Where redirected paths lie, and by which name a function knows them."""

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from localcloud.redirect import Redirect

PLACES = {
    "/tmp": "/tmp/clouds/one/tmp",  # noqa: S108 - a cloud may itself lie in /tmp
    "/var/task": "/clouds/code",
    "/var/lang": "/clouds/lang",
    "/var/lang/lib/boto3": "/packages/boto3",
}
REDIRECT = Redirect(PLACES)
components = st.lists(
    st.text("ab.é ", min_size=1, max_size=4).filter(lambda t: t not in {".", ".."})
)


@given(st.sampled_from(sorted(PLACES)), components)
def test_what_is_below_a_place_is_found_there_and_known_by_its_own_name(place, parts):
    path = "/".join([place, *parts])
    moved = REDIRECT.real_path(path)
    assert moved == "/".join([PLACES[place], *parts])
    assert REDIRECT.shown_path(moved) == path
    assert REDIRECT.real_path(moved) == moved
    assert REDIRECT.real_path(path.encode()) == moved.encode()


@given(components)
def test_other_paths_are_left_as_they_are(parts):
    for start in ("", "/", "/tmpfile", "/var/tasks", "/usr/tmp", "/tmp/../etc", "/var"):  # noqa: S108
        path = posixpath.join(start, *parts)
        assert REDIRECT.real_path(path) is path


def test_descriptors_are_no_paths():
    assert REDIRECT.real_path(3) == 3
    assert REDIRECT.real_path(None) is None
