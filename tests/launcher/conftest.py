from launcher.sandbox import sandbox

__all__ = ["sandbox"]
