"""Both ends of `rdit/1` in memory, joined by a way that only the test moves frames along.

A `Page` is a client and the way to a manager. Frames wait in `up` and `down`, two deques that a test may drop from,
repeat or reorder; `deliver_up` and `deliver_down` bring them to the other end, `settle` brings everything until both
ends are quiet. `lose` cuts the way: what is on it is gone, and both ends are told.

A `Peer` is the server's end alone, driven with messages as dicts; a `Server` is the client's end alone.
"""

import json
from collections import deque

import traitlets
from msgspec.structs import replace

from rdit_core import TRUSTED, ClientConnection, Limits
from rdit_core.frames import decode_client_frame, decode_server_frame
from rdit_core.messages import Error, Sync, Welcome
from rdit_core.session import seq_before_first

LIMITS = Limits()
ROUNDS = 300
"""More turns than any of the tests needs: an exchange that does not end is an error."""


class Counter(traitlets.HasTraits):
    """The cheapest widget: bare traits and a module."""

    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    data = traitlets.Any(None, allow_none=True).tag(sync=True)
    fixed = traitlets.Int(7, read_only=True).tag(sync=True)
    private = traitlets.Int(0)


class Clamped(Counter):
    """Its value stays within 0 to 100, and 13 is refused."""

    @traitlets.validate("value")
    def _within(self, proposal):
        if proposal.value == 13:
            raise traitlets.TraitError("unlucky, and this text stays here")
        return max(0, min(100, proposal.value))


class Page:
    """A client, and the way to a manager."""

    def __init__(
        self, manager, *, verdict=TRUSTED, may_see=None, authenticate=None, output=False, now=0.0, live=True, **options
    ):
        self.manager = manager
        self.now = now
        self.client = ClientConnection(**options)
        self.server = None
        self.up = deque()
        self.down = deque()
        self.events = []
        self.frames = []
        """Everything that was sent from either end, as ('up' or 'down', frame)."""
        self._connect = {"verdict": verdict, "may_see": may_see, "authenticate": authenticate, "output": output}
        self.client.start(self.now)
        if live:
            self.dial()
            self.settle()
            assert self.client.state == "live"

    def dial(self, manager=None):
        """Open a transport, to another manager if one is given. The old end of the server is not told."""
        self.manager = self.manager if manager is None else manager  # Not by truth: one without widgets is false.
        self.client.hint_online(self.now)
        assert self.client.wants_transport
        self.server = self.manager.connect(mode="v1", now_s=self.now, **self._connect)
        self.up.clear()
        self.down.clear()
        self.client.opened(self.now)

    def pull(self):
        """Put what both ends have to say on the way."""
        up = self.client.frames_to_send(self.now)
        down = self.server.frames_to_send(self.now)
        self.up.extend(up)
        self.down.extend(down)
        self.frames += [("up", frame) for frame in up] + [("down", frame) for frame in down]

    def deliver_up(self, count=None):
        """Bring frames to the server's end."""
        for _ in range(len(self.up) if count is None else count):
            self.server.receive_frame(self.up.popleft(), self.now)

    def deliver_down(self, count=None):
        """Bring frames to the client's end."""
        for _ in range(len(self.down) if count is None else count):
            self.client.receive_frame(self.down.popleft(), self.now)

    def settle(self):
        """Bring everything to the other end, and run what pages wrote, until both are quiet."""
        for _ in range(ROUNDS):
            self.pull()
            if not self.up and not self.down and not self.manager.apply_pending():
                return
            self.deliver_up()
            self.manager.apply_pending()
            self.deliver_down()
        raise AssertionError("the exchange does not end")

    def send(self):
        """The client's frames reach the server and run; what the server says to that stays on the way."""
        self.pull()
        self.deliver_up()
        self.manager.apply_pending()
        self.pull()

    def lose(self, code=None, *, told=True):
        """The transport is gone with everything on it. Without `told` the server's end does not know yet."""
        self.up.clear()
        self.down.clear()
        if told:
            self.server.receive_eof(self.now)
        self.client.receive_eof(self.now, code)

    def back(self, manager=None):
        """Dial again, and settle."""
        self.dial(manager)
        self.settle()

    def model(self, widget_id="w"):
        return self.client.get_model(widget_id)

    def edit(self, widget_id="w", /, **values):
        """Set and save, as a widget would; several values are saved together."""
        model = self.model(widget_id)
        for name, value in values.items():
            model.set(name, value)
        model.save_changes()

    def shown(self, name="value", widget_id="w"):
        return self.model(widget_id).peek(name)

    def told(self):
        """What the client told its host since the last time."""
        return self.client.events_received()

    def codes(self):
        """The codes of what it told."""
        return [getattr(event, "code", type(event).__name__) for event in self.told()]

    def batches(self):
        """Every batch that was put on the way, as records."""
        records = [decode_client_frame(frame, LIMITS) for way, frame in self.frames if way == "up"]
        return [one for one in records if type(one).__name__ == "Batch"]

    def syncs(self):
        """Every sync that was put on the way, as records."""
        records = [decode_server_frame(frame, LIMITS) for way, frame in self.frames if way == "down"]
        return [one for one in records if type(one).__name__ == "Sync"]


class Peer:
    """The server's end of a connection, driven by hand with messages as dicts.

    The numbers of batches, said and read, count from 1 here whatever the session's first one is.
    """

    def __init__(self, manager, *, verdict=TRUSTED, hello=True, now=0.0, **options):
        self.manager = manager
        self.now = now
        self.wakes = 0
        self.seq = 0
        self.seq_before_first = 0
        self.connection = manager.connect(verdict, mode="v1", wakeup=self._wake, now_s=now, **options)
        if hello is not False:
            self.hello(**(hello if isinstance(hello, dict) else {}))

    def _wake(self):
        self.wakes += 1

    def say(self, type, **fields):
        if type == "batch":
            fields["seq"] += self.seq_before_first
        self.connection.receive_frame(json.dumps({"type": type, **fields}), self.now)

    def raw(self, frame):
        self.connection.receive_frame(frame, self.now)

    def read(self):
        """What there is to read, as records."""
        frames = [decode_server_frame(frame, LIMITS) for frame in self.connection.frames_to_send(self.now)]
        return [self._counted(one) for one in frames]

    def _counted(self, message):
        """A message with its numbers of batches as they count here."""
        if isinstance(message, Welcome):
            self.seq_before_first = seq_before_first(message.session)
        before = self.seq_before_first
        if isinstance(message, Sync):
            rejects = [replace(one, seq=one.seq - before) for one in message.rejects]
            same = [(*one[:3], one[3] - before, *one[4:]) for one in message.same]
            message = replace(message, rejects=rejects, same=same)
        if isinstance(message, Sync | Welcome) and message.ack is not None:
            return replace(message, ack=message.ack - before)
        if isinstance(message, Error) and message.seq is not None:
            return replace(message, seq=message.seq - before)
        return message

    def syncs(self, *, ack=True):
        """The `sync` among what there is to read, and whatever follows once they are acknowledged."""
        found = []
        for _ in range(ROUNDS):
            new = [one for one in self.read() if type(one).__name__ == "Sync"]
            if not new:
                return found
            found += new
            if not ack:
                return found
            self.say("sync_ack", frame=new[-1].frame)
        raise AssertionError("the syncs do not end")

    def hello(self, **fields):
        self.say("hello", **fields)
        answers = self.read()
        self.welcome = next((one for one in answers if type(one).__name__ == "Welcome"), None)
        self.first = [one for one in answers if type(one).__name__ == "Sync"]
        self.others = [one for one in answers if type(one).__name__ not in ("Welcome", "Sync")]
        if self.first:
            self.say("sync_ack", frame=self.first[-1].frame)
        return self.welcome

    def resume(self, rev=None, **changed):
        """What a page would say to go on with this session."""
        welcome = self.welcome
        fields = {"epoch": welcome.epoch, "session": welcome.session, "secret": welcome.secret}
        return {**fields, "rev": self.manager.revision if rev is None else rev, **changed}

    def inst(self, widget_id="w"):
        return self.manager.store.insts[widget_id]

    def op(self, name, value, widget_id="w", **fields):
        return {
            "op": "set",
            "widget_id": widget_id,
            "inst": self.inst(widget_id),
            "property": name,
            "value": value,
            **fields,
        }

    def message(self, content, widget_id="w", **fields):
        return {"op": "msg", "widget_id": widget_id, "inst": self.inst(widget_id), "content": content, **fields}

    def batch(self, *ops, seq=None):
        """Send a batch, the next one if no number is given."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        self.say("batch", seq=seq, ops=list(ops))

    def write(self, *ops):
        """Send a batch, run it, and give the verdicts, as (op, code)."""
        self.batch(*ops)
        self.manager.apply_pending()
        return [(one.op, one.code) for sync in self.syncs() for one in sync.rejects]


class Server:
    """The client's end of a connection, driven by hand with messages as dicts."""

    def __init__(self, *, connect=True, now=0.0, **options):
        self.client = ClientConnection(**options)
        self.now = now
        self.frame = 0
        self.client.start(now)
        if connect:
            self.connect()

    def connect(self, **welcome):
        """Open the transport and say welcome. Returns the hello."""
        self.client.hint_online(self.now)
        self.client.opened(self.now)
        [hello] = self.read()
        self.welcome(**welcome)
        return hello

    def welcome(self, **fields):
        self.frame = 0
        limits = {"max_frame": 65536, "max_inflight": 2, "max_ops": 256}
        limits.update(fields.pop("limits", {}))
        text = {"protocol": 1, "epoch": "e", "session": "s", "secret": "x", "resumed": False, "ack": 0}
        self.say("welcome", **{**text, "limits": limits, "ping_ms": 25000, "ttl_ms": 120000, **fields})

    def say(self, type, **fields):
        self.client.receive_frame(json.dumps({"type": type, **fields}), self.now)

    def sync(self, **fields):
        """The next `sync`; rev and ack as before unless they are given."""
        self.frame += 1
        fields.setdefault("frame", self.frame)
        fields.setdefault("rev", self.client.rev)
        if not fields.get("more"):
            fields.setdefault("ack", 0)
        self.say("sync", **fields)

    def opening(self, widget_id="w", inst=1, kind="k", writable=None, **props):
        """An entry of `open`: all properties at revision `inst`."""
        props = props or {"value": 0, "label": ""}
        return {
            "widget_id": widget_id,
            "inst": inst,
            "kind": kind,
            "props": {name: [value, inst] for name, value in props.items()},
            "writable": list(props) if writable is None else writable,
            "esm": "",
        }

    def open(self, *openings, **fields):
        """A snapshot of these widgets; by default of one."""
        openings = openings or (self.opening(),)
        live = [[one["widget_id"], one["inst"]] for one in openings]
        self.sync(**{"rev": 1, "open": list(openings), "live": live, **fields})

    def read(self):
        """What the client has to say, as records."""
        return [decode_client_frame(frame, LIMITS) for frame in self.client.frames_to_send(self.now)]

    def batches(self):
        return [one for one in self.read() if type(one).__name__ == "Batch"]

    def edit(self, widget_id="w", /, **values):
        model = self.client.get_model(widget_id)
        for name, value in values.items():
            model.set(name, value)
        model.save_changes()

    def lose(self, code=None):
        self.client.receive_eof(self.now, code)

    def told(self):
        return self.client.events_received()


def hosted(manager, obj):
    """The object under the id `w`, and a page that shows it."""
    manager.register("w", obj)
    peer = Peer(manager)
    peer.syncs()
    return peer


def changes(syncs):
    """What they say of properties, in order."""
    return [(name, value) for sync in syncs for _, _, name, value, _ in sync.changes]
