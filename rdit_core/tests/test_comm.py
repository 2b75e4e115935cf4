import contextvars
import threading

import comm
import pytest

from rdit_core.comm import WidgetComm, hook


class Owner:
    """Keeps what comms tell it."""

    def __init__(self, comm_id="id"):
        self.calls = []
        self.comm_id = comm_id

    def comm_opened(self, comm, state):
        comm.comm_id = comm.comm_id or self.comm_id
        self.calls.append(("opened", state))

    def comm_adopted(self, comm, widget):
        self.calls.append(("adopted", widget))

    def comm_updated(self, comm, state):
        self.calls.append(("updated", state))

    def comm_message(self, comm, content, buffers):
        self.calls.append(("message", content, list(buffers)))

    def comm_closed(self, comm):
        self.calls.append(("closed",))


class Widget:
    def __init__(self):
        self.messages = []

    def handle(self, msg):
        self.messages.append(msg)


@pytest.fixture
def owner():
    return Owner()


def make():
    """What a widget library does."""
    return comm.create_comm(target_name="jupyter.widget", data={"state": {}}, metadata={"version": "2.1.0"})


def test_a_comm_opens_with_its_state_buffers_in_place(owner):
    data = {"state": {"a": 1, "rows": [None]}, "buffer_paths": [["rows", 0], ["raw"]]}
    made = WidgetComm(owner, "jupyter.widget", data, {"version": "2"}, [b"x", b"y"], topic="later")
    assert owner.calls == [("opened", {"a": 1, "rows": [b"x"], "raw": b"y"})]
    assert data["state"] == {"a": 1, "rows": [None]}
    assert made.comm_id == "id"
    assert made.target_name == "jupyter.widget"
    assert WidgetComm(owner, comm_id="mine").comm_id == "mine"


@pytest.mark.parametrize(
    ("data", "buffers", "calls"),
    [
        ({"method": "update", "state": {"a": 1}}, None, [("updated", {"a": 1})]),
        ({"method": "update", "state": {}, "buffer_paths": [["a"]]}, [b"x"], [("updated", {"a": b"x"})]),
        ({"method": "custom", "content": {"k": 1}}, [b"x"], [("message", {"k": 1}, [b"x"])]),
        ({"method": "custom", "content": None}, None, [("message", None, [])]),
        ({"method": "echo_update", "state": {"a": 1}}, None, []),
        ({"method": "later"}, None, []),
        ({}, None, []),
        (None, None, []),
    ],
)
def test_what_a_widget_sends_reaches_the_owner(owner, data, buffers, calls):
    made = WidgetComm(owner)
    owner.calls.clear()
    made.send(data, buffers=buffers)
    assert owner.calls == calls


def test_a_widget_makes_itself_known_once_by_its_handler(owner):
    made, widget = WidgetComm(owner), Widget()
    made.on_msg(None)
    made.on_msg(lambda msg: None)
    assert owner.calls == [("opened", {})]
    made.on_msg(widget.handle)
    made.on_msg(widget.handle)
    assert owner.calls[1:] == [("adopted", widget)]


def test_handlers_get_messages_and_the_end_until_the_comm_closes(owner):
    made, widget = WidgetComm(owner), Widget()
    made.handle_msg({"early": 1})
    made.handle_close({"early": 1})
    made.on_msg(widget.handle)
    made.on_close(widget.handle)
    made.handle_msg({"n": 1})
    made.handle_close({"n": 2})
    made.close()
    made.handle_msg({"n": 3})
    made.handle_close({"n": 4})
    assert widget.messages == [{"n": 1}, {"n": 2}]


def test_a_closed_comm_is_silent_and_closing_twice_is_closing_once(owner):
    made = WidgetComm(owner)
    made.close()
    made.close(deleting=True)
    made.send({"method": "update", "state": {"a": 1}})
    assert owner.calls == [("opened", {}), ("closed",)]


def test_importing_hooks_nothing():
    assert comm.create_comm == comm._create_comm
    assert not isinstance(make(), WidgetComm)


def test_an_installed_owner_gets_every_widget_of_the_process_until_it_is_uninstalled(owner):
    hook.install(owner)
    hook.install(owner)
    try:
        assert make().owner is owner
        made = []
        thread = threading.Thread(target=lambda: made.append(make()))
        thread.start()
        thread.join()
        assert made[0].owner is owner
    finally:
        hook.uninstall(owner)
        hook.uninstall(owner)
    assert not isinstance(make(), WidgetComm)
    assert comm.create_comm == comm._create_comm


@pytest.mark.parametrize("first_out", [0, 1])
def test_the_owner_that_was_installed_last_gets_the_widgets_in_whatever_order_they_go(first_out):
    owners = Owner("a"), Owner("b")
    for one in owners:
        hook.install(one)
    assert make().owner is owners[1]
    hook.uninstall(owners[first_out])
    assert make().owner is owners[1 - first_out]
    hook.uninstall(owners[1 - first_out])
    assert comm.create_comm == comm._create_comm


def test_an_owner_that_is_meant_for_some_threads_gets_their_widgets_only(owner):
    here, other = threading.get_ident(), Owner("other")
    hook.install(owner)
    hook.install(other, lambda: threading.get_ident() != here)
    try:
        made = [make()]
        thread = threading.Thread(target=lambda: made.append(make()))
        thread.start()
        thread.join()
        assert [one.owner for one in made] == [owner, other]
        hook.uninstall(owner)
        assert not isinstance(make(), WidgetComm)
    finally:
        hook.uninstall(owner)
        hook.uninstall(other)
    assert comm.create_comm == comm._create_comm


def test_capture_comes_before_install_nests_and_ends_with_its_block(owner):
    inner, installed = Owner("inner"), Owner("installed")
    hook.install(installed)
    try:
        with hook.capture(owner):
            with hook.capture(inner):
                assert make().owner is inner
            assert make().owner is owner
            with pytest.raises(KeyError), hook.capture(inner):
                raise KeyError
            assert make().owner is owner
        assert make().owner is installed
    finally:
        hook.uninstall(installed)


def test_each_thread_and_each_context_captures_for_itself(owner):
    other, seen = Owner("other"), {}
    in_both = threading.Barrier(2, timeout=20)

    def run(name, one):
        with hook.capture(one):
            in_both.wait()
            seen[name] = make().owner
            in_both.wait()

    threads = [threading.Thread(target=run, args=pair) for pair in (("owner", owner), ("other", other))]
    with hook.capture(Owner("main")):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == {"owner": owner, "other": other}
        assert not isinstance(contextvars.Context().run(make), WidgetComm)


def test_a_capture_that_ends_in_another_context_unhooks_all_the_same(owner):
    block = hook.capture(owner)
    contextvars.copy_context().run(block.__enter__)
    with pytest.raises(ValueError, match="different Context"):
        block.__exit__(None, None, None)
    assert comm.create_comm == comm._create_comm


def test_targets_that_are_no_widgets_go_to_whoever_was_there_before(owner):
    with hook.capture(owner):
        for made in (comm.create_comm("my.target"), comm.create_comm(target_name="my.target")):
            assert not isinstance(made, WidgetComm)
            assert made.target_name == "my.target"
        assert isinstance(comm.create_comm("jupyter.widget"), WidgetComm)


def test_somebody_who_replaced_the_hook_after_us_keeps_it(owner):
    before = comm.create_comm
    hook.install(owner)
    ours = comm.create_comm

    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    try:
        comm.create_comm = theirs
        assert make().owner is owner
        hook.uninstall(owner)
        assert comm.create_comm is theirs
        assert not isinstance(make(), WidgetComm)
    finally:
        comm.create_comm = before


def test_an_owner_may_refuse_to_open(owner):
    def refuse(comm, state):
        raise LookupError("full")

    owner.comm_opened = refuse
    with pytest.raises(LookupError), hook.capture(owner):
        make()
