"""The public names of the package: `draggan_widget.NAME` is what stands here, loaded when it is first used."""

from . import export as export
from . import inspection as inspection
from .checkpoints.hub.listing import available_generators as available_generators
from .diagnosis.doctor import doctor as doctor
from .engine.config import DragConfig as DragConfig
from .engine.edit import Edit as Edit
from .engine.keep import Keep as Keep
from .engine.loop import drag as drag
from .engine.provenance import about_drag as about_drag
from .engine.record import DragRecord as DragRecord
from .engine.step import DragStep as DragStep
from .errors import CheckpointError as CheckpointError
from .errors import ConfigError as ConfigError
from .errors import DragError as DragError
from .errors import DragganError as DragganError
from .errors import EditError as EditError
from .errors import ExportError as ExportError
from .errors import RecordError as RecordError
from .export.edit_file import load_edit as load_edit
from .export.edit_file import save_edit as save_edit
from .export.latents import load_latents as load_latents
from .export.latents import save_latents as save_latents
from .export.pictures import save_picture as save_picture
from .generators.feature_map import FeatureMap as FeatureMap
from .generators.generator import Generator as Generator
from .generators.load import load_generator as load_generator
from .session.session import DragSession as DragSession
from .widget.inspector import FeatureInspector as FeatureInspector
from .widget.lifecycle import close_all as close_all
from .widget.replay import TrajectoryReplay as TrajectoryReplay
from .widget.widget import DragWidget as DragWidget

__version__: str
