@echo off
rem Your settings for Easel: start the program by this file.
rem PYTHON: the Python to use, 3.10-3.13. VENV_DIR: folder of its virtual environment, - to use that Python itself.
rem COMMANDLINE_ARGS: flags for every start, for instance --listen --api --medvram ("webui.bat --help" lists them).

set PYTHON=
set GIT=
set VENV_DIR=
set COMMANDLINE_ARGS=

call "%~dp0webui.bat" %*
