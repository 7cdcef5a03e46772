"""Styles: reading, writing, merging, extracting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from golden_data import golden
from hypothesis import given
from hypothesis import strategies as st
from prompt_cases import recorded

from modules.prompt.styles import PromptStyle, StyleDatabase, merge_prompts

texts = st.text(alphabet="ab, {}#\"'\n", max_size=12) | st.just("x {prompt} y")


def recorded_styles() -> StyleDatabase:
    return StyleDatabase([golden("models", "plain", "styles.csv")])


def test_the_recorded_file_is_read() -> None:
    expected = {name: tuple(style.values())[:3] for name, style in recorded("styles")["styles"].items()}
    assert {name: style[:3] for name, style in recorded_styles().styles.items()} == expected


def test_merging_equals_the_recordings() -> None:
    styles = recorded_styles()
    for call, answer in recorded("styles")["apply"].items():
        prompt, names = map(ast.literal_eval, call.split("+", 1))
        merged = [styles.apply_styles_to_prompt(prompt, names), styles.apply_negative_styles_to_prompt(prompt, names)]
        assert merged == answer, call


def test_extraction_equals_the_recordings() -> None:
    styles = recorded_styles()
    for call, answer in recorded("styles")["extract"].items():
        assert list(styles.extract_styles_from_prompt(*map(ast.literal_eval, call.split("|")))) == answer, call


def test_old_header_comments_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    path.write_text("name,text\n#off,x\nink, a drawing\n,\nshort\n", encoding="utf-8-sig")
    styles = StyleDatabase([path]).styles
    assert {name: style[1:3] for name, style in styles.items()} == {"ink": ("a drawing", ""), "": ("", ""), "short": ("", "")}


def test_saving_keeps_a_copy_and_the_mark(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    styles = StyleDatabase([path])
    styles.styles["ink"] = PromptStyle("ink", "ink, (line:1.2)", 'a "b"')
    styles.save_styles()
    assert path.read_bytes() == '\ufeffname,prompt,negative_prompt\r\nink,"ink, (line:1.2)","a ""b"""\r\n'.encode()
    first = path.read_bytes()
    styles.reload()
    del styles.styles["ink"]
    styles.save_styles()
    assert (tmp_path / "styles.csv.bak").read_bytes() == first
    assert StyleDatabase([path]).styles == {}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["styles.csv", "styles.csv.bak"]


@given(st.dictionaries(texts.filter(lambda name: not name.lstrip(" ").startswith("#")), st.tuples(texts, texts), max_size=4))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("styles") / "styles.csv"
    styles = StyleDatabase([path])
    styles.styles = {name: PromptStyle(name, *prompts) for name, prompts in rows.items()}
    styles.save_styles()
    read = StyleDatabase([path]).styles
    assert [tuple(part.lstrip(" ") for part in style[:3]) for style in read.values()] == [
        tuple(part.lstrip(" ") for part in (name, *prompts)) for name, prompts in rows.items()
    ]


def test_several_files_have_dividers_and_keep_their_styles(tmp_path: Path) -> None:
    (tmp_path / "anna.csv").write_text("name,prompt,negative_prompt\na,1,\n", encoding="utf-8")
    (tmp_path / "bert.csv").write_text("name,prompt,negative_prompt\nb,2,\n", encoding="utf-8")
    styles = StyleDatabase([tmp_path / "*.csv"])
    assert list(styles.styles) == [" ANNA ".center(40, "-"), "a", " BERT ".center(40, "-"), "b"]
    styles.save_styles()
    assert (tmp_path / "bert.csv").read_text("utf-8-sig") == "name,prompt,negative_prompt\nb,2,\n"


@pytest.mark.parametrize("content", [b"<html></html>", b'name,prompt\n"' + b"x" * 200_000 + b'",\n'])
def test_a_broken_file_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "styles.csv"
    path.write_bytes(content)
    styles = StyleDatabase([path])
    assert list(styles.unreadable) == [str(path)]
    styles.styles["new"] = PromptStyle("new", "x")
    styles.save_styles()
    assert path.read_bytes() == content


def test_an_overlapping_placeholder_style_does_not_match(tmp_path: Path) -> None:
    styles = StyleDatabase([tmp_path / "none.csv"])
    styles.styles["s"] = PromptStyle("s", "ab {prompt}b c", "")
    assert styles.extract_styles_from_prompt("ab c", "")[0] == []
    styles.styles["any"] = PromptStyle("any", "{prompt}", "")
    assert styles.extract_styles_from_prompt("x", "") == (["any"], "x", "")


def test_merging_strips_only_what_it_joins() -> None:
    assert merge_prompts("b ", " a ") == "a, b"
    assert merge_prompts("{prompt}-{prompt}", " a") == " a- a"
