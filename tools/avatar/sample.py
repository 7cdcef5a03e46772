"""A quick look at a run: pictures by DPM++ 2M Karras (Lu et al. 2022) with guidance, without the product's pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor

from tools.avatar.captions import caption
from tools.avatar.dataset import draw
from tools.avatar.diffusion_training import AvatarNet, alphas_cumprod, build_net, decoder_name, latent_affine, load_vae
from tools.avatar.export import unet_weights
from tools.avatar.tokens import SmallVocabulary
from tools.avatar.vae_training import to_pixels


def karras_sigmas(steps: int) -> Tensor:
    """Noise levels from the schedule's highest to its lowest (Karras et al. 2022, rho 7), then 0."""
    every = ((1 - alphas_cumprod()) / alphas_cumprod()).sqrt()
    ramp = torch.linspace(0, 1, steps)
    low, high = every[0] ** (1 / 7), every[-1] ** (1 / 7)
    return torch.cat([(high + ramp * (low - high)) ** 7, torch.zeros(1)])


class Sampler:
    """Draws latents with a net; `scale` 1 runs without guidance."""

    def __init__(self, net: AvatarNet) -> None:
        self.net, self.vocabulary = net, SmallVocabulary()
        self.log_sigmas = ((1 - alphas_cumprod()) / alphas_cumprod()).sqrt().log()

    def context(self, texts: Sequence[str]) -> Tensor:
        tags = [[tag.strip() for tag in text.split(",") if tag.strip()] for text in texts]
        return self.net.context(torch.from_numpy(np.stack([self.vocabulary.encode(t) for t in tags])))

    def _denoise(self, x: Tensor, sigma: Tensor, both: Tensor, scale: float) -> Tensor:
        t = (self.log_sigmas - sigma.log()).abs().argmin().expand(2 * len(x))
        eps = self.net.unet(torch.cat([x, x]) / (sigma**2 + 1).sqrt(), t, both)
        cond, uncond = eps.chunk(2)
        return x - sigma * (uncond + scale * (cond - uncond))

    @torch.inference_mode()
    def __call__(
        self, prompts: Sequence[str], seed: int, negative: str = "", scale: float = 7.0, steps: int = 20, side: int = 16
    ) -> Tensor:
        """Latents [len(prompts), 4, side, side] in the training's units."""
        both = torch.cat([self.context(prompts), self.context([negative] * len(prompts))])
        noise = [
            torch.randn(4, side, side, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(prompts))
        ]
        sigmas = karras_sigmas(steps)
        x, old = torch.stack(noise) * (sigmas[0] ** 2 + 1).sqrt(), None
        for i in range(steps):
            denoised = self._denoise(x, sigmas[i], both, scale)
            if sigmas[i + 1] == 0:
                return denoised
            h, step = (sigmas[i] / sigmas[i + 1]).log(), sigmas[i + 1] / sigmas[i]
            blend = denoised
            if old is not None:
                r = (sigmas[i - 1] / sigmas[i]).log() / h
                blend = (1 + 1 / (2 * r)) * denoised - old / (2 * r)
            x, old = step * x - torch.expm1(-h) * blend, denoised
        return x


def load_sampler(config: dict, folder: Path, raw: bool = False) -> tuple[Sampler, int]:
    vocabulary = SmallVocabulary()
    net = build_net(config, vocabulary)
    weights, step = unet_weights(folder, raw)
    net.load_state_dict(weights)
    return Sampler(net.eval().requires_grad_(False)), step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("tools/avatar/cpu-128.yaml"))
    parser.add_argument("--out", type=Path, default=Path("training/preview.png"))
    parser.add_argument(
        "--prompt", help="one prompt for all pictures; without it, captions of drawings never trained on"
    )
    parser.add_argument("--negative", default="")
    parser.add_argument("--cfg", type=float, default=7.0)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--raw", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load(arguments.config.read_text())
    folder = Path(config["folder"])
    sampler, step = load_sampler(config, folder, arguments.raw)
    rng, truth, prompts = np.random.default_rng(99), [], []
    for index in range(arguments.count):
        attributes, picture = draw(config["data"]["seed"] + 1, index, config["data"]["size"])
        truth.append(picture.pixels)
        prompts.append(
            arguments.prompt
            or ", ".join(max((caption(attributes, rng) for _ in range(6)), key=len)).replace(
                "\N{REPLACEMENT CHARACTER}", "thing"
            )
        )
    latents = sampler(prompts, 1, arguments.negative, arguments.cfg, side=config["data"]["size"] // 8)
    vae = load_vae(config, folder, decoder_name(folder))
    shift, deviation = (row[:, None, None] for row in latent_affine(folder))
    with torch.inference_mode():
        pictures = to_pixels(vae.decode(latents * deviation + shift))
    rows = [
        np.concatenate(list(part[i : i + 8]), 1) for i in range(0, arguments.count, 8) for part in (truth, pictures)
    ]
    cv2.imwrite(str(arguments.out), np.concatenate(rows)[:, :, ::-1])
    print(f"step {step}: {arguments.out}")


if __name__ == "__main__":
    main()
