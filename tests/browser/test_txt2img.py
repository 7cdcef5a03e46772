"""The txt2img tab in a browser, against the real server and a tiny checkpoint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.slow]

IDS = re.findall(r"\S+", """
quicksettings setting_sd_model_checkpoint refresh_sd_model_checkpoint tabs tab_txt2img footer
txt2img_toprow txt2img_prompt_container txt2img_prompt_row txt2img_neg_prompt_row txt2img_prompt txt2img_neg_prompt
txt2img_actions_column txt2img_generate_box txt2img_generate txt2img_interrupt txt2img_interrupting txt2img_skip
txt2img_tools txt2img_clear_prompt txt2img_token_counter txt2img_negative_token_counter
txt2img_settings sampler_selection_txt2img txt2img_sampling txt2img_scheduler txt2img_steps
txt2img_column_size txt2img_width txt2img_height txt2img_dimensions_row txt2img_res_switch_btn
txt2img_column_batch txt2img_batch_count txt2img_batch_size txt2img_cfg_scale
txt2img_seed_row txt2img_seed txt2img_random_seed txt2img_reuse_seed txt2img_subseed_show
txt2img_seed_extras txt2img_subseed_row txt2img_subseed txt2img_random_subseed txt2img_reuse_subseed txt2img_subseed_strength
txt2img_seed_resize_from_row txt2img_seed_resize_from_w txt2img_seed_resize_from_h
txt2img_results txt2img_results_panel txt2img_gallery_container txt2img_gallery html_info_txt2img html_log_txt2img
""")  # fmt: skip

CONTROLS = re.findall(r"\S+", """
setting_sd_model_checkpoint refresh_sd_model_checkpoint txt2img_prompt txt2img_neg_prompt txt2img_generate
txt2img_clear_prompt txt2img_sampling txt2img_scheduler txt2img_steps txt2img_width txt2img_height
txt2img_res_switch_btn txt2img_batch_count txt2img_batch_size txt2img_cfg_scale txt2img_seed txt2img_random_seed
txt2img_reuse_seed txt2img_subseed_show txt2img_subseed txt2img_random_subseed txt2img_reuse_subseed
txt2img_subseed_strength txt2img_seed_resize_from_w txt2img_seed_resize_from_h
""")  # fmt: skip

ACCESSIBLE_NAMES = """(ids) => ids.map((id) => {
  const root = document.getElementById(id);
  const control = root.matches("button") ? root : root.querySelector("textarea, input, button");
  const label = control.labels && control.labels.length ? control.labels[0].textContent : "";
  return [id, (control.getAttribute("aria-label") || label || control.textContent || "").trim()];
})"""


def number(page: Any, control: str) -> float:
    return float(page.input_value(f"#txt2img_{control} input[type=number]"))


def set_number(page: Any, control: str, value: float) -> None:
    page.fill(f"#txt2img_{control} input[type=number]", str(value))
    page.press(f"#txt2img_{control} input[type=number]", "Tab")


def small_form(page: Any, *, steps: int = 3, batch_count: int = 1) -> None:
    """A picture of 64×64 in few steps."""
    for control, value in (("width", 64), ("height", 64), ("steps", steps), ("batch_count", batch_count)):
        set_number(page, control, value)


def wait_until_idle(page: Any) -> None:
    page.wait_for_selector("#txt2img_generate_box:not(.running):not(.interrupting)", timeout=60_000)


def generate(page: Any) -> str:
    """Click Generate, wait for the picture, and return its infotext."""
    before = page.inner_text("#html_info_txt2img")
    page.click("#txt2img_generate")
    page.wait_for_function(
        "before => { const now = document.getElementById('html_info_txt2img').innerText; return now && now !== before; }",
        arg=before,
        timeout=60_000,
    )
    wait_until_idle(page)
    return page.inner_text("#html_info_txt2img")


def seed_of(infotext: str) -> int:
    found = re.search(r"Seed: (\d+)", infotext)
    assert found, infotext
    return int(found[1])


def saved(folder: Path) -> set[Path]:
    return set(folder.rglob("*.png"))


def test_every_element_id_is_there(page: Any) -> None:
    page.check("#txt2img_subseed_show input")
    page.wait_for_selector("#txt2img_seed_extras")
    missing = [name for name in IDS if page.locator(f"[id='{name}']").count() == 0]
    assert missing == []


def test_no_element_id_is_given_twice(page: Any) -> None:
    twice = page.evaluate("ids => ids.filter(id => document.querySelectorAll(`[id='${id}']`).length > 1)", IDS)
    assert twice == []


def test_every_control_has_an_accessible_name(page: Any) -> None:
    page.check("#txt2img_subseed_show input")
    page.wait_for_selector("#txt2img_reuse_subseed[aria-label]")
    names = dict(page.evaluate(ACCESSIBLE_NAMES, CONTROLS))
    without_words = {name: text for name, text in names.items() if not re.search(r"[A-Za-z]{2}", text)}
    assert without_words == {}


def test_generate_gives_a_picture_its_infotext_and_a_file(page: Any, server: Any) -> None:
    before = saved(server.data)
    small_form(page)
    page.fill("#txt2img_prompt textarea", "a small house")
    infotext = generate(page)
    assert "a small house" in infotext
    assert "Steps: 3" in infotext and "Size: 64x64" in infotext
    page.wait_for_selector("#txt2img_gallery img")
    width = page.evaluate("document.querySelector('#txt2img_gallery img').naturalWidth")
    assert width == 64
    new = [file for file in saved(server.data) - before if "cache" not in file.parts]
    assert len(new) == 1
    with Image.open(new[0]) as image:
        assert image.size == (64, 64)
        assert f"Seed: {seed_of(infotext)}" in image.info["parameters"]


def test_progress_is_shown_while_it_runs(page: Any) -> None:
    small_form(page, steps=150, batch_count=4)
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery_container .progressDiv", timeout=10_000)
    page.wait_for_function(
        "() => parseFloat(document.querySelector('.progressDiv .progress')?.style.width) > 0", timeout=60_000
    )
    assert page.is_visible("#txt2img_interrupt") and page.is_visible("#txt2img_skip")
    page.click("#txt2img_interrupt")
    wait_until_idle(page)
    assert page.locator(".progressDiv").count() == 0


def test_interrupt_ends_the_job_early(page: Any) -> None:
    small_form(page, steps=150, batch_count=50)
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_interrupt", state="visible")
    page.click("#txt2img_interrupt")
    wait_until_idle(page)
    assert page.is_visible("#txt2img_generate")
    assert page.locator(".generate-error").count() == 0


def test_escape_interrupts(page: Any) -> None:
    small_form(page, steps=150, batch_count=50)
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_interrupt", state="visible")
    page.keyboard.press("Escape")
    wait_until_idle(page)


def test_the_keyboard_alone_generates(page: Any) -> None:
    small_form(page)
    page.focus("#txt2img_prompt textarea")
    page.keyboard.press("Control+A")
    page.keyboard.type("typed by hand")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("() => document.getElementById('html_info_txt2img').innerText.includes('typed by hand')")
    wait_until_idle(page)


def test_swap_exchanges_width_and_height(page: Any) -> None:
    set_number(page, "width", 128)
    set_number(page, "height", 192)
    page.click("#txt2img_res_switch_btn")
    page.wait_for_function("() => document.querySelector('#txt2img_width input[type=number]').value === '192'")
    assert (number(page, "width"), number(page, "height")) == (192, 128)


def test_recycle_takes_the_pictures_seed_and_dice_forgets_it(page: Any) -> None:
    small_form(page)
    seed = seed_of(generate(page))
    page.click("#txt2img_reuse_seed")
    page.wait_for_function(f"() => document.querySelector('#txt2img_seed input').value === '{seed}'")
    again = generate_same_seed(page)
    assert seed_of(again) == seed
    page.click("#txt2img_random_seed")
    page.wait_for_function("() => document.querySelector('#txt2img_seed input').value === '-1'")


def generate_same_seed(page: Any) -> str:
    page.fill("#txt2img_prompt textarea", "another prompt")
    return generate(page)


def test_the_token_counter_follows_the_prompt(page: Any) -> None:
    page.fill("#txt2img_prompt textarea", "a cat")
    page.wait_for_function("() => document.getElementById('txt2img_token_counter').innerText.trim() === '2/75'")
    page.fill("#txt2img_prompt textarea", "cat, " * 50)
    page.wait_for_function("() => document.getElementById('txt2img_token_counter').innerText.trim() === '100/150'")


def test_an_unbalanced_bracket_is_shown(page: Any) -> None:
    page.fill("#txt2img_prompt textarea", "a (cat")
    page.wait_for_selector("#txt2img_token_counter[data-error]")
    page.fill("#txt2img_prompt textarea", "a (cat)")
    page.wait_for_selector("#txt2img_token_counter:not([data-error])")


def test_an_error_is_a_sentence_beside_generate(page: Any, server: Any) -> None:
    broken = server.data / "models" / "Stable-diffusion" / "broken.safetensors"
    broken.write_bytes(b"")
    try:
        page.click("#refresh_sd_model_checkpoint")
        choose_checkpoint(page, "broken")
        page.click("#txt2img_generate")
        page.wait_for_selector(".generate-error", timeout=60_000)
        assert "broken.safetensors" in page.inner_text(".generate-error p")
        wait_until_idle(page)
        page.click(".generate-error .close")
        assert page.locator(".generate-error").count() == 0
    finally:
        broken.unlink()
        choose_checkpoint(page, "tiny-sd1.safetensors")


def choose_checkpoint(page: Any, name: str) -> None:
    box = "#setting_sd_model_checkpoint input"
    page.click(box)
    page.fill(box, name)
    page.click(f"#setting_sd_model_checkpoint [role=option]:has-text('{name}') >> nth=0")
    page.wait_for_function(
        "name => document.querySelector('#setting_sd_model_checkpoint input').value.includes(name)", arg=name
    )
    page.wait_for_timeout(300)


def test_a_page_closed_in_mid_job_finds_the_result_when_opened_again(fresh: Any, server: Any) -> None:
    page = fresh.page
    small_form(page, steps=40)
    page.fill("#txt2img_prompt textarea", "still there")
    page.click("#txt2img_generate")
    page.wait_for_selector(".progressDiv[aria-valuenow]")  # the server knows of it
    context = page.context
    page.close()
    again = context.new_page()
    again.goto(server.url)
    again.wait_for_function(
        "() => (document.getElementById('html_info_txt2img')?.innerText || '').includes('still there')", timeout=60_000
    )
    wait_until_idle(again)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_follows_the_address(browser: Any, server: Any, theme: str) -> None:
    page = browser.new_page(color_scheme="light" if theme == "dark" else "dark")
    page.goto(f"{server.url}/?__theme={theme}")
    page.wait_for_selector("#txt2img_prompt textarea")
    assert page.evaluate("document.body.classList.contains('dark')") is (theme == "dark")
    page.close()


def test_a_phone_shows_the_result_first_and_does_not_scroll_sideways(fresh: Any) -> None:
    page = fresh.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    gallery = page.locator("#txt2img_gallery_container").bounding_box()
    settings = page.locator("#txt2img_settings").bounding_box()
    assert gallery["y"] < settings["y"]
