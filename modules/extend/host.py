"""The running program as extensions see it: its engine, its extensions, and the script runners of both pages."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from modules import events
from modules.extend.arguments import ScriptCall, check_call, script_arguments
from modules.extend.callback_order import CallbackOrder
from modules.extend.controls import ScriptInfo
from modules.extend.extensions import Extension, list_extensions
from modules.extend.files import all_script_files
from modules.extend.gradio_import import import_gradio
from modules.extend.loading import load_scripts
from modules.extend.opts import ExtensionOptions
from modules.extend.postprocessing_runner import ScriptPostprocessingRunner
from modules.extend.runner import ScriptRunner
from modules.extend.shared_state import SharedState, TotalProgress
from modules.extend.upscaler_entries import UpscalerEntry, upscaler_entries

if TYPE_CHECKING:
    from fastapi import FastAPI

    from modules.engine.engine import Engine
    from modules.pipeline.processing import StableDiffusionProcessing

log = logging.getLogger(__name__)


class Host:
    """Loads scripts when they are first needed, and builds their controls only when somebody asks for them.

    A runner's layout of arguments never changes while jobs use it: when controls are built, new instances of the scripts
    take over and jobs under way keep theirs.
    """

    def __init__(self, engine: Engine, flags: Any) -> None:
        self.engine, self.flags = engine, flags
        self.extensions: list[Extension] = []
        self.opts = ExtensionOptions(engine.options)
        self.state = SharedState(engine)
        self.total_tqdm = TotalProgress(self.state)
        self._runners: dict[bool, ScriptRunner] = {}
        self._steps: ScriptPostprocessingRunner | None = None
        self._loaded = self._told_before_ui = False
        self._lock = threading.RLock()

    def load(self) -> None:
        """Import all scripts, once; a broken one is logged and left out."""
        with self._lock:
            if self._loaded:
                return
            self._loaded, self._told_before_ui = True, False
            make_current(self)
            events.callbacks.clear()
            self.extensions = list_extensions(self.engine.paths.data, self.engine.options, self.flags)
            order = CallbackOrder(self.extensions, self.engine.options)
            events.callbacks.name_of_file, events.callbacks.order = order.name_of_file, order.ordered
            load_scripts(all_script_files(self.extensions))
            self._steps = None
            for is_img2img in (False, True):
                self._runners[is_img2img] = ScriptRunner()
                self._runners[is_img2img].initialize_scripts(is_img2img)

    def start(self, app: FastAPI, demo: Any = None) -> None:
        """Load the scripts of a server that runs and tell them; the routes they add come before the page's, which answers every path."""
        self.load()
        routes = app.router.routes
        count = len(routes)
        events.fire("app_started", demo, app)
        added = routes[count:]
        page = next((index for index, route in enumerate(routes[:count]) if getattr(route, "path", None) == ""), count)
        del routes[count:]
        routes[page:page] = added

    def reload(self) -> None:
        """Forget all callbacks and scripts and import them anew; jobs under way keep theirs."""
        with self._lock:
            events.fire("on_reload")
            events.fire("script_unloaded")
            events.callbacks.clear()
            self._loaded = False
            self.load()

    def runner(self, is_img2img: bool, *, controls: bool = False) -> ScriptRunner:
        """The scripts of a page; with `controls` those are built, which imports Gradio the first time."""
        with self._lock:
            self.load()
            if controls and not self._runners[is_img2img].controls_built:
                self._runners[is_img2img] = self._built(is_img2img)
            return self._runners[is_img2img]

    def postprocessing(self) -> ScriptPostprocessingRunner:
        """The steps of the Extras page; controls are built only where a step's arguments are not known without them."""
        with self._lock:
            self.load()
            if self._steps is None:
                self._steps = ScriptPostprocessingRunner(self.engine.options)
                self._steps.load()
                if self._steps.needs_controls:
                    with import_gradio(self.engine.paths.cache).Blocks():
                        self._steps.setup_ui()
            return self._steps

    def use(self, runner: ScriptRunner) -> None:
        """Take a runner whose controls the page built."""
        with self._lock:
            self._runners[runner.is_img2img] = runner

    def _built(self, is_img2img: bool) -> ScriptRunner:
        gradio = import_gradio(self.engine.paths.cache)
        self._tell_before_ui()
        runner = ScriptRunner()
        runner.initialize_scripts(is_img2img)
        with gradio.Blocks():
            runner.build_controls()
        return runner

    def _tell_before_ui(self) -> None:
        """Let extensions add what they add right before controls are built, once."""
        if not self._told_before_ui:
            self._told_before_ui = True
            events.fire("before_ui")

    def model(self) -> Any:
        """The model of the running job, else the selected checkpoint's, which is loaded if need be."""
        job = self.engine.current
        model = getattr(job.request, "sd_model", None) if job is not None else None
        return model or self.engine.models.get(self.engine.checkpoints.get(self.engine.options.sd_model_checkpoint))

    def upscalers(self) -> list[UpscalerEntry]:
        """The picture upscalers in menu order."""
        services = self._upscalers()
        return upscaler_entries(services) if services is not None else []

    def _upscalers(self) -> Any:
        """The running job's, which tell its progress; else the program's."""
        from modules.pipeline import runtime  # brings torch

        if runtime.is_active():
            return runtime.current().upscalers
        return getattr(getattr(self.engine, "enhancers", None), "upscalers", None)

    def check(self, kind: str, call: ScriptCall) -> None:
        """Raise RequestError for a call that the scripts of a page (`kind` is txt2img or img2img) cannot answer."""
        check_call(self.runner(kind == "img2img"), call)

    def names(self, is_img2img: bool) -> list[str]:
        """Names of a page's scripts in the order of loading: those with controls, and those whose class has a name."""
        return [script.name for script in self.runner(is_img2img, controls=True).scripts if script.name is not None]

    def infos(self, is_img2img: bool) -> list[ScriptInfo]:
        """What the API tells about a page's scripts."""
        return [script.api_info for script in self.runner(is_img2img, controls=True).scripts if script.api_info is not None]

    def attach(self, request: StableDiffusionProcessing) -> None:
        """Give a request its scripts and their arguments, by its `script_call`; then call their `setup`.

        Raises RequestError for a script that does not exist.
        """
        call = getattr(request, "script_call", None) or NO_SCRIPTS
        is_img2img = request.kind == "img2img"
        runner = self.runner(is_img2img)
        if call.names_any or runner.controls_built or runner.needs_controls():
            runner = self.runner(is_img2img, controls=True)
            args = script_arguments(runner, call)
        else:
            args = runner.idle_args()
        request.scripts, request.script_args = runner, args
        runner.setup_scrips(request, is_ui=False)


NO_SCRIPTS = ScriptCall()
_current: Host | None = None


def install(engine: Engine, flags: Any) -> Host:
    """Give an engine its scripts; they are loaded when the first request or list needs them."""
    from modules.extend.extras import execute

    host = Host(engine, flags)
    engine.scripts = host
    engine.executors["extras"] = execute
    make_current(host)
    return host


def make_current(host: Host) -> None:
    """Make a host the one that the public face speaks for."""
    global _current
    _current = host


def is_running() -> bool:
    """True once there is a host."""
    return _current is not None


def current() -> Host:
    """The host of this program; raises RuntimeError before there is one."""
    if _current is None:
        raise RuntimeError("there is no running program here: this needs an engine (webui.py, or modules.extend.host.make_current)")
    return _current
