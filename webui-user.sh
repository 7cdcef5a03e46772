#!/usr/bin/env bash
# Your settings for webui.sh, which reads this file at every start. Remove a '#' to use a line.

# Flags for every start ('./webui.sh --help' lists them), for instance "--listen --api --medvram"
#export COMMANDLINE_ARGS=""

# The Python to use (3.10-3.13), and the folder of its virtual environment ("-" = use that Python itself)
#python_cmd="python3.11"
#venv_dir="venv"

# Other sources of packages: a mirror of the package index, an index with other builds of torch, or a whole pip command
#export INDEX_URL="https://mirror.example/simple"
#export TORCH_INDEX_URL="https://download.pytorch.org/whl/cpu"
#export TORCH_COMMAND="pip install torch torchvision --index-url https://download.pytorch.org/whl/rocm7.2"

# Another list of requirements
#export REQS_FILE="requirements.txt"
