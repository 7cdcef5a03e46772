@echo off
rem Starts Easel: finds a Python and hands over to launch.py, which installs what is missing.
rem Your settings belong into webui-user.bat, which calls this file.
setlocal
set "HERE=%~dp0"
if exist "%HERE%webui.settings.bat" call "%HERE%webui.settings.bat"
if defined PYTHON set "PYTHON=%PYTHON:"=%"
if not defined PYTHON call :find_python
if not defined PYTHON goto no_python
if exist "%PYTHON%" set PYTHON="%PYTHON%"

:start
%PYTHON% "%HERE%launch.py" %*
set "STATUS=%ERRORLEVEL%"
if exist "%HERE%tmp\restart" (
    set "SD_WEBUI_RESTARTING=1"
    goto start
)
goto end

:no_python
echo webui: no Python 3.10-3.13 on this machine: install one from https://www.python.org/downloads/ or name it by PYTHON in webui-user.bat. 1>&2
set "STATUS=1"

:end
if not "%STATUS%"=="0" if not defined CI pause
exit /b %STATUS%

:find_python
for %%V in (3.13 3.12 3.11 3.10) do if not defined PYTHON py -%%V -c "" >nul 2>nul && set "PYTHON=py -%%V"
if defined PYTHON exit /b 0
python -c "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))" >nul 2>nul && set "PYTHON=python"
exit /b 0
