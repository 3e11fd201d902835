import pytest

from annotations.overlays import find_place

WITHIN = (400, 600)
LABEL = (100, 80)


def test_stands_in_the_corner_of_its_box():
    assert find_place(LABEL, beside=(50, 60, 300, 500), within=WITHIN, taken=[]) == (
        *(50, 60),
        *(150, 140),
    )


def test_covers_no_other_label():
    taken = [(50, 60, 150, 140), (200, 60, 300, 140)]

    place = find_place(LABEL, beside=(55, 65, 305, 500), within=WITHIN, taken=taken)

    assert place[0] in (300, 0, 55) or place[1] >= 140
    assert not any(
        place[0] < right and left < place[2] and place[1] < bottom and top < place[3]
        for left, top, right, bottom in taken
    )


@pytest.mark.parametrize("beside", [(380, 590, 400, 600), (0, 550, 40, 600), (390, 0, 400, 10)])
def test_stays_in_the_picture(beside):
    left, top, right, bottom = find_place(LABEL, beside=beside, within=WITHIN, taken=[])

    assert 0 <= left < right <= WITHIN[0]
    assert 0 <= top < bottom <= WITHIN[1]


def test_goes_farther_away_where_the_sides_are_taken():
    taken = [(0, 500, 400, 600)]

    place = find_place(LABEL, beside=(100, 550, 200, 600), within=WITHIN, taken=taken)

    assert 350 < place[1] <= 420


def test_covers_another_where_there_is_no_room():
    taken = [(0, 0, *WITHIN)]

    place = find_place(LABEL, beside=(50, 60, 300, 500), within=WITHIN, taken=taken)

    assert place == (50, 60, 150, 140)


def test_a_label_larger_than_the_picture_begins_in_it():
    place = find_place((900, 900), beside=(10, 10, 20, 20), within=WITHIN, taken=[])

    assert place == (0, 0, 900, 900)
