"""Settings that A1111 does not have."""

from __future__ import annotations

from .option import Option, radio, section, slider, whole

EASEL = section(
    "easel", "Easel", "sd",
    Option(
        "read_pickles", "small files",
        "Read pickled weight files (.ckpt, .pt, .pth, .bin). The format can carry programs, which is why checkpoints in it are off; "
        "Easel's reader runs none of them and refuses what is not plain weights. \"small files\": embeddings, hypernetworks, LoRAs and "
        "upscalers, some of which exist in no other format",
        radio("never", "small files", "all"),
        restrict_api=True,
    ),
    Option(
        "lora_half_products_as_recorded", False,
        "On a processor, LoHa, LoKr and GLoRA files in half precision do nothing: what A1111 did there, for comparing with its pictures",
    ),
    Option("prompt_blend", "first", "Blend syntax a:b:0.3", radio("first", "second", "off")),
    Option("queue_after_crash", "running", "Jobs that a crash left undone", radio("running", "paused")),
    Option("queue_kept_jobs", 1000, "Finished jobs whose results are kept", whole()),
    Option("journal_megabytes", 256, "Size limit of the record that lets a job go on after a crash, in MB (0: none)", slider(0, 4096, 16)),
    Option("webhook_allowed_hosts", "", "Hosts that webhooks may be sent to, separated by commas", restrict_api=True),
)
