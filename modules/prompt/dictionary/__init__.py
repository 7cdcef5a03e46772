"""The attribute dictionary: what a character can be made of, in Korean and English, and the prompt that a choice makes.

The tables are data (`*.yaml` beside this file); `tables` reads them, `build` turns choices into prompts.
"""

from modules.prompt.dictionary.build import Built, Conflict, UnknownChoice, build
from modules.prompt.dictionary.tables import Category, Character, Dictionary, Preset, Value, dictionary

__all__ = ["Built", "Category", "Character", "Conflict", "Dictionary", "Preset", "UnknownChoice", "Value", "build", "dictionary"]
