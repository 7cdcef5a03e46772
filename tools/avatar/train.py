"""The training as one command: draw, train the VAE, cache the latents, train text encoder and UNet. Each stage resumes."""

from __future__ import annotations

import argparse
import os
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml
from torch.utils.data import DataLoader

from tools.avatar import dataset
from tools.avatar.schedule import Average, Clock, Journal, Together, rank, wait
from tools.avatar.vae_training import PictureBatches, VAETraining, to_input, vae_config

STAGES = ("data", "vae", "latents", "unet", "decoder")


def fit(
    module: pl.LightningModule, batches: Any, callbacks: list[pl.Callback], checkpoint: Path, resume: bool, steps: int
) -> None:
    """Runs one stage until its minutes (or `steps`) are spent; goes on from `checkpoint` when resuming."""
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        callbacks=callbacks,
    )
    known = checkpoint if resume and checkpoint.exists() else None
    trainer.fit(module, DataLoader(batches, batch_size=None), ckpt_path=known, weights_only=False)


def train_vae(config: dict[str, Any], folder: Path, resume: bool, steps: int = -1, decoder_only: bool = False) -> None:
    """Trains the autoencoder into vae.ckpt, or its decoder alone (from vae.ckpt) into decoder.ckpt."""
    part = config["vae"]
    name, minutes, lr = (
        ("decoder", part["decoder_minutes"], part["lr"] / 2) if decoder_only else ("vae", part["minutes"], part["lr"])
    )
    checkpoint = folder / f"{name}.ckpt"
    pl.seed_everything(config["data"]["seed"], verbose=False)
    drawings = dataset.Drawings(folder / "data")
    module = VAETraining(vae_config(config), lr, part["kl_weight"], decoder_only, to_input(drawings.pictures[:24]))
    if decoder_only and not checkpoint.exists():
        state = torch.load(folder / "vae.ckpt", weights_only=False)["state_dict"]
        module.net.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("ema.")})
        module.ema.load_state_dict(module.net.state_dict())
    batches = PictureBatches(drawings, part["batch"], part["crop"], config["data"]["seed"] + 1)
    clock = Clock(minutes, lr, 60)
    fit(module, batches, [clock, Together(clock), Average(part["ema"]), Journal(checkpoint)], checkpoint, resume, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoints in the run's folder")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--steps", type=int, default=-1, help="stop each stage after so many steps (for a short trial)")
    arguments = parser.parse_args()
    config = yaml.safe_load(arguments.config.read_text())
    if config["workers"] > 1:
        torch.multiprocessing.spawn(run, (config, arguments), nprocs=config["workers"])
    else:
        run(0, config, arguments)


def run(number: int, config: dict[str, Any], arguments: argparse.Namespace) -> None:
    """All stages, as worker `number`; drawing and encoding are the first worker's while the others wait."""
    folder = Path(config["folder"])
    torch.set_num_threads(config["threads"])
    warnings.filterwarnings("ignore")
    if config["workers"] > 1:
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", config["port"])
        torch.distributed.init_process_group(
            "gloo", rank=number, world_size=config["workers"], timeout=timedelta(hours=6)
        )
    if "data" in arguments.stages and rank() == 0:
        dataset.build(folder / "data", workers=min(8, os.cpu_count() or 1), **config["data"])
    wait()
    if "vae" in arguments.stages:
        train_vae(config, folder, arguments.resume, arguments.steps)
    if {"latents", "unet"} & set(arguments.stages):
        from tools.avatar import diffusion_training as diffusion

        if "latents" in arguments.stages:
            diffusion.cache_latents(config, folder)
        wait()
        if "unet" in arguments.stages:
            diffusion.train(config, folder, arguments.resume, arguments.steps)
    if "decoder" in arguments.stages:
        train_vae(config, folder, arguments.resume, arguments.steps, decoder_only=True)


if __name__ == "__main__":
    main()
