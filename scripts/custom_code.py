"""Custom code: Python typed into the page, only with `--allow-code`."""

from __future__ import annotations

import ast
import textwrap

from modules import scripts
from modules.processing import Processed
from modules.shared import cmd_opts


def run_body(code, namespace):
    """Run a function's body with the names of `namespace`; what it returns, or the value of its last line."""
    tree = ast.parse("def __body__():\n" + textwrap.indent(code or "pass", "    "))
    body = tree.body[0].body
    if isinstance(body[-1], ast.Expr):
        body[-1] = ast.copy_location(ast.Return(body[-1].value), body[-1])
    ast.fix_missing_locations(tree)
    exec(compile(tree, "<custom code>", "exec"), namespace)
    return namespace["__body__"]()


class Script(scripts.Script):
    """Runs code with the request as `p`; `display(images, seed, info)` says what the result is."""

    def title(self):
        return "Custom code"

    def show(self, is_img2img):
        return bool(getattr(cmd_opts, "allow_code", False))

    def ui(self, is_img2img):
        import gradio as gr

        example = "from modules.processing import process_images\n\np.steps = 5\nreturn process_images(p)\n"
        code = gr.Code(value=example, language="python", label="Python code", elem_id=self.elem_id("code"))
        indent = gr.Number(label="Indent level", value=2, precision=0, elem_id=self.elem_id("indent_level"))
        return [code, indent]

    def run(self, p, code, indent_level):
        if not cmd_opts.allow_code:
            raise PermissionError("custom code runs only when the program was started with --allow-code")
        shown = {"images": [], "seed": p.seed, "info": ""}

        def display(imgs, s=p.seed, i=""):
            shown.update(images=imgs, seed=s, info=i)

        from modules import processing

        namespace = {**vars(processing), "p": p, "display": display}
        result = run_body(textwrap.dedent(code), namespace)
        if isinstance(result, Processed):
            return result
        pictures = result if isinstance(result, list) else shown["images"]
        return Processed(p, pictures, shown["seed"], shown["info"])
