from rdit_ref_server.flow import Flow


def test_a_burst_is_let_through_and_from_then_on_so_many_a_second():
    now_s = 0.0
    flow = Flow(burst=3, per_s=2.0, clock=lambda: now_s)
    assert [flow.take() for _ in range(5)] == [True, True, True, False, False]
    assert flow.left_out == 2
    now_s = 0.5
    assert [flow.take() for _ in range(2)] == [True, False]
    assert flow.left_out == 1
    now_s = 1000.0
    assert [flow.take() for _ in range(4)] == [True, True, True, False]
