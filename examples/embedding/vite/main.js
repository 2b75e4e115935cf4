// rdit client --out rdit-client && npm install && npm run dev
// rdit serve ../../counter.py --allow-origin http://127.0.0.1:5173      open what it prints once, for the cookie
import { connect, renderWidget } from "rdit-client";

const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8765";
const connection = connect(`${server}/ws/widgets`);
connection.on("state", ({ state }) => (document.body.dataset.state = state));

const results = new EventSource(`${server}/api/execute`, { withCredentials: true });
results.addEventListener("done", () => results.close());
results.addEventListener("widget", ({ data }) => {
  const el = document.body.appendChild(document.createElement("div"));
  renderWidget({ widgetData: JSON.parse(data), el, connection });
});
