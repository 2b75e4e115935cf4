/**
 * `WidgetRenderer` for a page where `react` can be imported by name: through a bundler or an import map. Nothing else
 * of the client imports this file, or needs React.
 */

import * as React from "react";

import { createWidgetRenderer } from "./widget_renderer.js";

export { createWidgetRenderer };

export const WidgetRenderer = createWidgetRenderer(React);
