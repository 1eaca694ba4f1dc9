"""The public names of `draggan_widget.export`."""

from .comparison import Result as Result
from .edit_file import SavedEdit as SavedEdit
from .features import SavedFeatures as SavedFeatures
from .features import load_features as load_features
from .features import save_features as save_features
from .html import to_html as to_html
from .pictures import read_provenance as read_provenance
from .trajectories import load_trajectories as load_trajectories
from .trajectories import save_trajectories as save_trajectories
from .video import save_video as save_video
