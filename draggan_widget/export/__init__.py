"""A drag as files for other programs: videos, a replay page, tables, feature maps; and what is read from such files.

The public names stand in `__init__.pyi`; each is loaded when it is first used. Edits, latents and pictures are written
and read by functions of `draggan_widget` itself, such as `draggan_widget.save_edit`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
