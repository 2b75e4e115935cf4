// A front end of one's own in React: the widgets of a script, each in up to two places, in strict mode.
import { createElement, StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "./client/index.js";
import { WidgetRenderer } from "./client/react.js";

const query = new URLSearchParams(location.search);
const server = query.get("server");
const address = `${server.replace("http", "ws")}/ws/widgets`;
const isPlain = query.get("via") === "websocket";
const link = isPlain ? { websocket: new WebSocket(address) } : { connection: connect(address) };

function App() {
  const [widgets, setWidgets] = useState([]);
  const [places, setPlaces] = useState(["left"]);
  useEffect(() => {
    const results = new EventSource(`${server}/api/execute`);
    results.addEventListener("widget", ({ data }) => setWidgets((before) => [...before, JSON.parse(data)]));
    results.addEventListener("done", () => results.close());
    return () => {
      results.close();
      setWidgets([]);
    };
  }, []);
  const toggle = (place) =>
    setPlaces((before) => (before.includes(place) ? before.filter((other) => other !== place) : [...before, place]));
  return createElement(
    "main",
    null,
    ["left", "right"].map((place) =>
      createElement("button", { key: place, id: `toggle-${place}`, onClick: () => toggle(place) }, place),
    ),
    places.map((place) =>
      createElement(
        "section",
        { key: place, id: place },
        // The data is made anew in each render, as in many a parent.
        widgets.map((data) => createElement(WidgetRenderer, { key: data.widget_id, widgetData: { ...data }, ...link })),
      ),
    ),
  );
}

createRoot(document.getElementById("root")).render(createElement(StrictMode, null, createElement(App)));
