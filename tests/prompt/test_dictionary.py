"""The attribute dictionary: its tables, and the prompts that choices make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.imaging.infotext_rules import parse_generation_parameters
from modules.prompt.attention import parse_prompt_attention
from modules.prompt.dictionary import Conflict, UnknownChoice, build, dictionary
from modules.prompt.dictionary.tables import with_weights

TABLES = dictionary()
CATEGORIES = TABLES.categories


def words(choices: dict[str, object], **kwargs: object) -> str:
    return build(choices, preset=None, seed=1, **kwargs).prompt  # type: ignore[arg-type]


def test_every_value_has_both_languages_and_an_id_of_its_own() -> None:
    for category in CATEGORIES.values():
        assert set(category.labels) == {"en", "ko"}
        assert len({value.id for value in category.values}) == len(category.values) > 1
        for value in category.values:
            assert value.labels["en"]
            assert any("가" <= letter <= "힣" for letter in value.labels["ko"])


def test_the_thirteen_colours_have_a_swatch() -> None:
    colors = CATEGORIES["hair_color"].values
    assert len(colors) == 13
    assert all(value.swatch and value.swatch.startswith("#") for value in colors)
    assert CATEGORIES["eye_color"].values == CATEGORIES["outfit_color"].values == colors


def test_words_stand_in_the_order_of_the_seed() -> None:
    prompt = words(
        {
            "props": ["sunglasses"],
            "outfit": "maid_uniform",
            "outfit_color": "pink",
            "traits": ["cat_ears"],
            "expression": "crying",
            "eye_color": "green",
            "hair_style": "pony_tail",
            "hair_length": "long",
            "hair_color": "black",
        }
    )
    assert prompt == "black hair, long hair, pony tail, green eyes, crying, tears, cat ears, pink maid uniform, sunglasses"


def test_two_hair_colours_are_two_tone() -> None:
    assert words({"hair_color": ["black", "white"], "eye_color": "red"}) == "two-tone hair, black hair, white hair, red eyes"


@pytest.mark.parametrize(
    ("choices", "category"),
    [
        ({"hair_style": ["twin_tail", "pony_tail"]}, "hair_style"),
        ({"hair_length": ["long", "short"]}, "hair_length"),
        ({"eye_color": ["red", "blue"]}, "eye_color"),
        ({"hair_color": ["red", "blue", "green"]}, "hair_color"),
        ({"expression": ["sad", "smile"]}, "expression"),
        ({"outfit": ["kimono", "hanbok"]}, "outfit"),
        ({"outfit_color": "red"}, "outfit_color"),
    ],
)
def test_what_excludes_each_other_conflicts_and_says_with_what(choices: dict[str, object], category: str) -> None:
    with pytest.raises(Conflict) as caught:
        build(choices)  # type: ignore[arg-type]
    assert caught.value.category == category
    assert all(choice in str(caught.value) or category == "outfit_color" for choice in caught.value.choices)


def test_the_background_preset_shows_nobody() -> None:
    with pytest.raises(Conflict, match="portrait"):
        build({"hair_color": "red"}, preset="background")
    assert "eyes" not in build({}, preset="background").prompt


def test_unset_eye_and_hair_colours_are_drawn_by_lot_and_repeatable() -> None:
    built = build({"hair_length": "long"}, seed=7)
    assert built.drawn == ["hair_color", "eye_color"]
    assert built == build({"hair_length": "long"}, seed=7)
    assert len({build({}, seed=seed).prompt for seed in range(30)}) > 10


def test_choices_may_be_given_as_labels_of_either_language() -> None:
    assert words({"hair_style": "포니 테일", "hair_color": "검은색", "eye_color": "Blue"}) == "black hair, pony tail, blue eyes"
    with pytest.raises(UnknownChoice, match="pony_tail"):
        build({"hair_style": "mohawk"})
    with pytest.raises(UnknownChoice, match="hair_style"):
        build({"hairstyle": "bun"})


def test_more_than_one_prop_is_allowed_with_a_remark() -> None:
    built = build({"props": ["halo", "wings"]})
    assert built.prompt.endswith("wing, halo") or built.prompt.endswith("halo, wing")
    assert built.remarks


def test_braces_of_novelai_become_weights() -> None:
    assert with_weights("{a}, {{b}}, {{{c d}}}") == "(a:1.05), (b:1.1025), (c d:1.1576)"
    assert "{" not in TABLES.presets["background"].prompt
    assert parse_prompt_attention(TABLES.presets["background"].prompt)[0] == ["extremely detailed CG unity 8k wallpaper", 1.05]


def test_characters_paste_as_infotext() -> None:
    ahri = parse_generation_parameters(TABLES.characters["ahri"].infotext)
    assert ahri["Seed"] == "1960455555"
    assert "hanbok" in ahri["Prompt"]
    assert ahri["Negative prompt"].startswith("lowres")
    assert len(TABLES.characters) == 3


choices = st.fixed_dictionaries(
    {},
    optional={
        key: st.lists(st.sampled_from([value.id for value in category.values]), max_size=3, unique=True)
        for key, category in CATEGORIES.items()
    },
)


@given(choices, st.integers(0, 9))
def test_any_choice_gives_a_prompt_or_a_conflict(picked: dict[str, list[str]], seed: int) -> None:
    try:
        built = build(picked, seed=seed)
    except Conflict:
        assert any(
            len(values) > (CATEGORIES[key].limit or 99) or (CATEGORIES[key].needs and values and not picked.get("outfit"))
            for key, values in picked.items()
        )
        return
    for key, values in picked.items():
        assert not values or built.choices[key] == values
        for value in values:
            found = CATEGORIES[key].find(value)
            assert found is not None
            assert found.prompt in built.prompt
