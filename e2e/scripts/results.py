import sys

from IPython.display import HTML, display

print("first line")
print("to stderr", file=sys.stderr)

1 + 1

"hidden";  # fmt: skip  # the semicolon hides the value

display(HTML("<b class='rich'>rich</b>"))

await_me = __import__("asyncio")
await await_me.sleep(0)

print("before the fall")
undefined_name
print("never reached")
