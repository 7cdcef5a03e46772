"""Making finished pictures better: upscalers, face restoration and the steps of the Extras page."""
