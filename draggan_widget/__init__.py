"""DragGAN (Pan et al., SIGGRAPH 2023) as a Jupyter widget.

The public names stand in `__init__.pyi`. Each is loaded when it is first used: importing the package imports neither
torch nor anywidget.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
