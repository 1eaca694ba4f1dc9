"""The Jupyter widget: traits, messages and frames over a `DragSession`."""
