"""A widget whose form leads to another site, and which forgot to keep it from being sent."""

import anywidget

MODULE = """
export default {
  render({ el }) {
    el.innerHTML = `<form action="https://elsewhere.invalid/" target="_top">
      <input name="what" value="the visitor typed this"><button class="send">send</button>
    </form>`;
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => { window.stopped = effectiveDirective; });
  },
};
"""


class Form(anywidget.AnyWidget):
    _esm = MODULE


Form()
