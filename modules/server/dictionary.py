"""The attribute dictionary: what can be chosen, and the prompt a choice makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from modules.imaging.infotext_rules import parse_generation_parameters
from modules.prompt.dictionary import Category, Conflict, UnknownChoice, Value, build, dictionary

from .errors import error_body

if TYPE_CHECKING:
    from modules.engine.engine import Engine

Language = Literal["en", "ko"]


class DictionaryValue(BaseModel):
    """One thing to choose; `label` in the language asked for, `swatch` a colour's CSS value."""

    id: str
    label: str
    prompt: str
    companion: str | None = None
    swatch: str | None = None


class DictionaryCategory(BaseModel):
    """Values of which at most `limit` can be chosen (null: any number); with `random` one is drawn where none is chosen."""

    id: str
    label: str
    limit: int | None
    random: bool
    needs: str | None
    values: list[DictionaryValue]


class DictionaryEntry(BaseModel):
    """A preset or a character."""

    id: str
    label: str
    text: str
    negative_prompt: str | None = None


class DictionaryAnswer(BaseModel):
    """The whole dictionary in one language, categories in the order of the prompt."""

    categories: list[DictionaryCategory]
    presets: list[DictionaryEntry]
    characters: list[DictionaryEntry]


class PromptChoices(BaseModel):
    """Choices by category: an id, prompt words or a label in any language, or a list of them. `seed` repeats the lots drawn."""

    model_config = ConfigDict(extra="forbid")

    choices: dict[str, str | list[str] | None] = Field(
        default_factory=dict, examples=[{"hair_color": "pink", "hair_length": "long", "outfit": "maid_uniform", "outfit_color": "pink"}]
    )
    preset: str | None = "portrait"
    seed: int | None = None


class BuiltPrompt(BaseModel):
    """The prompts; the ids chosen in the end; the categories whose value was drawn by lot; remarks."""

    prompt: str
    negative_prompt: str
    choices: dict[str, list[str]]
    drawn: list[str]
    remarks: list[str]


class CharacterAnswer(BaseModel):
    """A character's infotext and its fields."""

    id: str
    label: str
    infotext: str
    parameters: dict[str, Any]


def dictionary_routes(engine: Engine, flags: Any) -> APIRouter:
    """The routes; all answer at once."""
    router = APIRouter(prefix="/easel/v1/dictionary", tags=["dictionary"])

    @router.get("", response_model=DictionaryAnswer)
    async def whole(lang: Language = "en") -> DictionaryAnswer:
        """Everything there is to choose."""
        tables = dictionary()
        return DictionaryAnswer(
            categories=[_category(category, lang) for category in tables.categories.values()],
            presets=[
                DictionaryEntry(id=p.id, label=p.labels[lang], text=p.prompt, negative_prompt=p.negative_prompt)
                for p in tables.presets.values()
            ],
            characters=[
                DictionaryEntry(id=c.id, label=f"{c.labels[lang]} ({c.work[lang]})", text=c.infotext) for c in tables.characters.values()
            ],
        )

    @router.post("/prompt", response_model=BuiltPrompt)
    async def prompt(body: PromptChoices) -> Any:
        """The prompt that a set of choices makes; 409 for choices that exclude each other."""
        try:
            return BuiltPrompt(**vars(build(body.choices, preset=body.preset, seed=body.seed)))
        except Conflict as error:
            body_of = error_body("Conflict", str(error), str(error))
            return JSONResponse(body_of | {"category": error.category, "choices": error.choices}, 409)

    @router.get("/characters/{name}", response_model=CharacterAnswer)
    async def character(name: str, lang: Language = "en") -> Any:
        """A character's infotext, as `/sdapi/v1/txt2img` takes it in its field `infotext`."""
        found = dictionary().characters.get(name)
        if found is None:
            raise UnknownChoice(f"character: there is no '{name}'; known are {', '.join(dictionary().characters)}")
        parameters = parse_generation_parameters(found.infotext)
        return CharacterAnswer(id=found.id, label=found.labels[lang], infotext=found.infotext, parameters=parameters)

    return router


def _category(category: Category, lang: Language) -> DictionaryCategory:
    return DictionaryCategory(
        id=category.id,
        label=category.labels[lang],
        limit=category.limit,
        random=category.is_random,
        needs=category.needs,
        values=[_value(value, lang) for value in category.values],
    )


def _value(value: Value, lang: Language) -> DictionaryValue:
    return DictionaryValue(id=value.id, label=value.labels[lang], prompt=value.prompt, companion=value.companion, swatch=value.swatch)
