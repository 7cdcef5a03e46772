"""Components for controls of scripts (platform.md §4.12)."""

from __future__ import annotations

from modules.extend.components import DropdownEditable as DropdownEditable
from modules.extend.components import DropdownMulti as DropdownMulti
from modules.extend.components import FormColorPicker as FormColorPicker
from modules.extend.components import FormColumn as FormColumn
from modules.extend.components import FormGroup as FormGroup
from modules.extend.components import FormHTML as FormHTML
from modules.extend.components import FormRow as FormRow
from modules.extend.components import InputAccordion as InputAccordion
from modules.extend.components import ResizeHandleRow as ResizeHandleRow
from modules.extend.components import ToolButton as ToolButton
