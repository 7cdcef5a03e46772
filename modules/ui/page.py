"""The page as a whole, and how it gets into the server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from modules.ui.gradio_import import import_gradio

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

    from modules.engine.engine import Engine
    from modules.ui.starting import Starting


def build_page(engine: Engine, flags: Any) -> gr.Blocks:
    """Build the Gradio page over an engine."""
    gr = import_gradio(engine.paths.cache)

    from modules.ui.parts.checkpoint import checkpoint_menu, connect_size
    from modules.ui.parts.footer import footer
    from modules.ui.tab_img2img import img2img_tab
    from modules.ui.tab_png_info import png_info_tab
    from modules.ui.tab_txt2img import txt2img_tab

    with gr.Blocks(title="Easel", analytics_enabled=False, fill_width=True, delete_cache=(86400, 86400)) as page:
        menu = checkpoint_menu(engine)
        with gr.Tabs(elem_id="tabs"):
            txt2img = txt2img_tab(engine)
            img2img = img2img_tab(engine)
            png_info_tab(engine, txt2img.form, img2img.form, img2img.pictures.image)
        connect_size(menu, engine, txt2img.size.width, txt2img.size.height)
        footer(flags)
    return page


def mount(app: FastAPI, engine: Engine, flags: Any) -> gr.Blocks:
    """Add the page at `/` and its routes to an application that has not started yet.

    Everything else must be registered before: the page answers every path that nothing before it answers.
    """
    gr = import_gradio(engine.paths.cache)

    from modules.ui import shell
    from modules.ui.generate import output_folders
    from modules.ui.routes import add_routes
    from modules.ui.theme import easel_theme

    page = build_page(engine, flags)
    add_routes(app, engine)
    styles = shell.mount_assets(app, engine.paths.data / "user.css")
    shell.install_document(shell.head(getattr(flags, "theme", None)), shell.body_end(styles))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=easel_theme(),
        allowed_paths=[str(folder) for folder in output_folders(engine)],
        footer_links=[],
        run_history=False,
        show_error=True,
        ssr_mode=False,
        mcp_server=False,
    )
    return page


async def mount_while_running(app: FastAPI, engine: Engine, flags: Any, starting: Starting) -> AsyncExitStack:
    """Build and mount the page behind the starting page of a server that already listens.

    Runs in the server's event loop; the slow part runs in a thread. A failure is told on the starting page and
    raised. Close the returned stack when the server stops.
    """
    import asyncio

    from modules.ui.starting import remove

    stack = AsyncExitStack()
    try:
        page = await asyncio.to_thread(mount, app, engine, flags)
        # Gradio hooks these into the start of the application, which is over by now.
        mounted: Any = getattr(app.router.routes[-1], "app", None)
        await stack.enter_async_context(mounted.router.lifespan_context(mounted))
        page.run_startup_events()
        await page.run_extra_startup_events()
    except Exception as error:
        starting.error = f"The page could not be built: {error}"
        raise
    remove(app)
    starting.ready = True
    return stack
