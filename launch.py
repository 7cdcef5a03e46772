"""Installs what is missing and starts Easel: `python launch.py [command] [flags]`, which webui.sh and webui.bat run."""

# Any Python, however old, must be able to read this file and say why it is refused.
import sys

if sys.version_info < (3, 10):
    sys.stderr.write(
        "webui: Python %d.%d (%s) is too old: install Python 3.10-3.13 or name one by python_cmd in webui-user.sh "
        "(PYTHON in webui-user.bat).\n" % (sys.version_info[0], sys.version_info[1], sys.executable)
    )
    sys.exit(1)

from modules.launcher.start import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
