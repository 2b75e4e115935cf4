// The simplest client: three messages, no handshake, no library. Frozen: it must work with every later server.
const base = new URLSearchParams(location.search).get("server");
const ws = new WebSocket(`${base.replace("http", "ws")}/ws/widgets`);
const models = new Map();

function createModel(id, state) {
  const listeners = {};
  const tell = (key) => (listeners[`change:${key}`] ?? []).forEach((callback) => callback(state[key]));
  return {
    get: (key) => state[key],
    set(key, value) {
      state[key] = value;
      ws.send(JSON.stringify({ type: "widget_update", widget_id: id, property: key, value }));
      tell(key);
    },
    save_changes() {},
    on: (event, callback) => (listeners[event] ??= []).push(callback),
    receive(key, value) { state[key] = value; tell(key); },
  };
}

ws.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (message.type === "widget_update") models.get(message.widget_id)?.receive(message.property, message.value);
  if (message.type === "ack") document.body.dataset.acked = message.property;
  if (message.type === "error") document.body.dataset.error = message.message;
};

ws.onopen = () => {
  const results = new EventSource(`${base}/api/execute`);
  results.addEventListener("done", () => { results.close(); document.body.dataset.ready = "true"; });
  results.addEventListener("widget", async ({ data }) => {
    const { widget_id, esm, model: state } = JSON.parse(data);
    const el = document.body.appendChild(document.createElement("div"));
    models.set(widget_id, createModel(widget_id, state));
    const module = await import(URL.createObjectURL(new Blob([esm], { type: "text/javascript" })));
    module.default.render({ model: models.get(widget_id), el });
  });
};
window.models = models;
