from pages_support import Page, drawing_of

from results.pages.panels import render_panels


def test_panels_are_windows_on_one_drawing_with_ids_of_its_own():
    page = render_panels(drawing_of("one"))
    assert 'viewBox="0 0 10 10"' in page
    assert 'viewBox="10 0 10 10"' in page
    assert 'clip-path="url(#one-p1)"' in page
    assert 'href="#one-m1"' in page
    assert "<style" not in page
    assert "example.invalid" not in page
    ids = set(Page(render_panels(drawing_of("one")) + render_panels(drawing_of("two"))).ids)
    assert {"one-p1", "two-p1"} <= ids
