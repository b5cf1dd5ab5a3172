from pages_support import Page, drawing_of

from results.pages.panels import render_panels


def test_panels_are_pictures_of_their_own_with_ids_of_one_drawing():
    page = str(render_panels(drawing_of("one")))
    assert page.count("<svg") == 2
    first, second = page.split("</svg>")[:2]
    assert 'viewBox="0 0 10 10"' in first
    assert 'viewBox="10 0 10 10"' in second
    assert 'clip-path="url(#one-p1)"' in first
    assert 'href="#one-m1"' in first
    assert 'd="M 3 3"' in second
    assert "<style" not in page
    assert "example.invalid" not in page
    ids = Page(page + str(render_panels(drawing_of("two")))).ids
    assert {"one-p1", "two-p1"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_marks_and_curves_name_their_points_and_lines_their_eta():
    page = str(render_panels(drawing_of()))
    assert 'x="1.23" style="fill: url(#sweep-p1)" data-point="p0"' in page
    assert 'x="2" data-point="p1"' in page
    assert '<g data-point="p2"><path d="M 1 1">' in page
    assert '<g data-eta="0.1"><path d="M 2 2">' in page
    assert page.count("data-point") == 3, "marks that are pixels have no points"
