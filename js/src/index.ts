// The module that anywidget loads: one View for each place where the widget is shown.

import type { AnyWidget } from "@anywidget/types";
import type { Traits } from "./kernel";
import { View } from "./view";

const widget: AnyWidget<Traits> = {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};

export default widget;
