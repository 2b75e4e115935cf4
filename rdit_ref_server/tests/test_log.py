import threading

from rdit_ref_server.log import EventLog


def say(log, text, statement=1, name="stdout"):
    return log.append("stream", statement, name=name, text=text)


def texts(events):
    return [(event.id, event.fields["text"]) for event in events if event.kind == "stream"]


def test_ids_grow_by_one_over_runs():
    log = EventLog()
    assert [log.append("statement", 1).id, log.append("done", None).id] == [1, 2]
    assert log.begin_again().id == 3
    assert log.append("statement", 1).id == 4
    assert log.last_id == 4


def test_a_reader_gets_what_it_has_not_seen():
    log = EventLog()
    for index in range(1, 6):
        log.append("statement", index)
    assert [event.id for event in log.read(3)[0]] == [4, 5]
    assert log.read(5) == ([], False)


def test_neighbouring_texts_come_as_one_under_the_last_id():
    log = EventLog()
    log.append("statement", 1)
    say(log, "a")
    say(log, "b")
    say(log, "c", name="stderr")
    say(log, "d", statement=2)
    say(log, "e", statement=2)
    assert texts(log.read(0)[0]) == [(3, "ab"), (4, "c"), (6, "de")]


def test_a_reader_in_the_middle_of_merged_texts_gets_the_rest():
    log = EventLog()
    say(log, "a")
    say(log, "b")
    assert texts(log.read(1)[0]) == [(2, "b")]


def test_a_run_is_done_until_the_next_begins():
    log = EventLog()
    assert not log.is_done
    log.append("done", None, status="ok")
    assert log.read(0)[1]
    log.begin_again()
    assert not log.is_done


def test_a_new_run_forgets_the_old():
    log = EventLog()
    say(log, "old")
    log.begin_again()
    say(log, "new")
    assert [event.kind for event in log.read(0)[0]] == ["reset", "stream"]
    assert [event.kind for event in log.read(1)[0]] == ["reset", "stream"]


def test_who_saw_more_than_there_is_begins_anew():
    log = EventLog()
    say(log, "a")
    assert [(event.id, event.kind) for event in log.read(99)[0]] == [(0, "reset"), (1, "stream")]


def test_a_reader_of_an_earlier_log_begins_anew():
    log = EventLog(first_id=1_000)
    assert log.last_id == 999
    say(log, "a")
    assert [(event.id, event.kind) for event in log.read(17)[0]] == [(0, "reset"), (1_000, "stream")]
    assert [(event.id, event.kind) for event in log.read(999)[0]] == [(0, "reset"), (1_000, "stream")]
    assert [event.id for event in log.read(0)[0]] == [1_000]
    assert log.read(1_000)[0] == []


def test_listeners_hear_of_every_event_until_they_leave():
    log, heard = EventLog(), []
    unsubscribe = log.subscribe(lambda: heard.append(log.last_id))
    say(log, "a")
    log.begin_again()
    unsubscribe()
    unsubscribe()
    say(log, "b")
    assert heard == [1, 2]


def test_a_closed_log_is_done():
    log, heard = EventLog(), []
    log.subscribe(lambda: heard.append(True))
    log.close()
    assert log.is_done
    assert heard == [True]


def test_a_full_log_lets_go_of_the_oldest_text_and_says_so():
    log = EventLog(max_bytes=100_000)
    log.append("statement", 1)
    for index in range(300):
        say(log, f"{index:04}" + "x" * 996)
    events, _ = log.read(0)
    assert events[0].kind == "statement"
    assert "no longer kept" in texts(events)[0][1]
    assert texts(events)[-1][1].endswith("0299" + "x" * 996)
    assert sum(len(text) for _, text in texts(events)) < 110_000
    ids = [event.id for event in events]
    assert ids == sorted(ids)


def test_there_is_one_note_per_statement_however_much_is_gone():
    log = EventLog(max_events=100)
    for index in range(1000):
        say(log, f"{index}\n")
        log.append("display", 1, data={"text/plain": "x"}, metadata={})
    events, _ = log.read(0)
    assert len(events) <= 110
    assert sum("no longer kept" in text for _, text in texts(events)) == 1


def test_statements_and_the_end_are_never_dropped():
    log = EventLog(max_events=50)
    for index in range(1, 201):
        log.append("statement", index)
        say(log, "x", statement=index)
    log.append("done", None, status="ok")
    kinds = [event.kind for event in log.read(0)[0]]
    assert kinds.count("statement") == 200
    assert kinds[-1] == "done"


def test_many_threads_get_each_id_once():
    log = EventLog()
    threads = [threading.Thread(target=lambda: [say(log, "x", name=str(log)) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.last_id == 1600
    assert texts(log.read(0)[0]) == [(1600, "x" * 1600)]
