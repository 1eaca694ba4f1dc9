import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from draggan_widget.widget.credit import BLOCKED_SECONDS, IN_FLIGHT, PROBE_SECONDS, SILENT_SECONDS, Credit


class Desk:
    """A credit with a counter and a clock."""

    def __init__(self, *clients: str, colab: bool = False):
        self.credit, self.now, self.seq = Credit(), 100.0, 0
        for client in clients:
            self.hello(client, colab)

    def hello(self, client: str, colab: bool = False) -> None:
        self.credit.hello(client, colab, self.now)

    def shown(self, client: str, seq: int) -> bool:
        return self.credit.shown(client, seq, self.now)

    def send(self, blocked: bool = False) -> bool:
        """Send a frame if it is allowed."""
        allowed = self.credit.allows(self.now, blocked)
        if allowed:
            self.seq += 1
            self.credit.sent(self.seq, self.now)
        return allowed

    def burst(self, blocked: bool = False) -> int:
        """How many frames go at this moment."""
        count = 0
        while self.send(blocked):
            count += 1
            assert count < 100
        return count


def test_nobody_gets_nothing():
    assert Desk().burst() == 0
    assert Desk().burst(blocked=True) == 0


@pytest.mark.parametrize(("colab", "limit"), [(False, IN_FLIGHT), (True, 1)])
def test_a_client_gets_its_limit_and_one_more_for_each_confirmed(colab, limit):
    desk = Desk("a", colab=colab)
    assert desk.burst() == limit
    for _ in range(5):
        assert desk.shown("a", desk.seq - limit + 1)
        assert desk.burst() == 1
        assert desk.credit.unconfirmed == limit


def test_confirming_the_newest_confirms_those_before():
    desk = Desk("a")
    desk.burst()
    desk.shown("a", 2)
    assert desk.credit.unconfirmed == 0
    assert desk.burst() == 2


def test_a_confirmation_that_comes_twice_gives_no_second_credit():
    desk = Desk("a")
    desk.burst()
    desk.shown("a", 1)
    desk.shown("a", 1)
    assert desk.burst() == 1


def test_a_late_confirmation_of_a_frame_given_up_gives_no_credit():
    desk = Desk("a")
    desk.burst()
    desk.now += PROBE_SECONDS
    assert desk.burst() == 1
    assert desk.shown("a", 1)
    assert desk.burst() == 0


def test_a_confirmation_of_a_frame_never_sent_gives_no_credit():
    desk = Desk("a")
    desk.burst()
    assert desk.shown("a", 999)
    assert desk.burst() == 0


def test_a_client_that_is_not_known_is_said_to_be_so():
    desk = Desk("a")
    assert desk.shown("b", 1) is False
    assert desk.credit.clients == 1


def test_a_lost_credit_is_probed_once_a_second():
    desk = Desk("a")
    assert desk.burst() == 2
    desk.now += PROBE_SECONDS - 0.01
    assert desk.burst() == 0
    desk.now += 0.01
    assert desk.burst() == 1
    assert desk.credit.unconfirmed == 2
    desk.shown("a", desk.seq)
    assert desk.burst() == 2


def test_a_silent_client_gets_no_frame_until_it_says_hello():
    desk, sent = Desk("a"), 0
    for _ in range(200):
        sent += desk.burst()
        desk.now += 0.1
    assert sent <= 2 + SILENT_SECONDS / PROBE_SECONDS
    assert desk.credit.clients == 0
    assert desk.shown("a", desk.seq) is False
    desk.hello("a")
    assert desk.burst() == 2


def test_any_word_of_a_client_shows_that_it_lives():
    desk, sent = Desk("a"), 0
    for _ in range(200):
        sent += desk.burst()
        desk.now += 0.1
        desk.credit.heard("a", desk.now)
    desk.credit.heard("nobody", desk.now)
    assert desk.credit.clients == 1
    assert 15 <= sent <= 25


def test_a_client_with_nothing_to_confirm_may_be_silent_for_long():
    desk = Desk("a")
    desk.burst()
    desk.shown("a", 2)
    desk.now += 3600
    assert desk.burst() == 2
    desk.now += SILENT_SECONDS
    desk.burst()
    assert desk.credit.clients == 1
    desk.now += 0.01
    desk.burst()
    assert desk.credit.clients == 0


def test_a_busy_kernel_falls_to_a_slow_cap_and_does_not_stop_dead():
    desk, sent = Desk("a"), 0
    for _ in range(1000):
        sent += desk.burst(blocked=True)
        desk.now += 0.01
    rate = (sent - IN_FLIGHT) / 10.0
    assert 2 <= rate <= 1 / BLOCKED_SECONDS
    assert desk.credit.unconfirmed == IN_FLIGHT


def test_a_client_heard_while_the_kernel_is_busy_continues_at_its_own_speed():
    desk, sent = Desk("a"), 0
    for _ in range(100):
        sent += desk.burst(blocked=True)
        desk.shown("a", desk.seq)
        desk.now += 0.01
    assert sent == 200


def test_silence_while_the_kernel_was_busy_is_not_held_against_a_client():
    desk = Desk("a")
    for _ in range(100):
        desk.burst(blocked=True)
        desk.now += 0.3
    desk.burst()
    assert desk.credit.clients == 1


def test_the_slower_of_two_clients_sets_the_speed():
    desk = Desk("quick", "slow")
    assert desk.burst() == 2
    desk.shown("quick", 2)
    assert desk.burst() == 0
    desk.shown("slow", 1)
    assert desk.burst() == 1


def test_a_dead_client_beside_a_living_one_is_given_up():
    desk = Desk("living", "dead")
    for _ in range(100):
        desk.burst()
        desk.shown("living", desk.seq)
        desk.now += 0.1
    assert desk.credit.clients == 1
    assert desk.burst() == 2


class AnyOrder(RuleBasedStateMachine):
    """Messages late, twice, lost or from nowhere: never more in flight than allowed, and nothing grows."""

    clients = st.sampled_from("abc")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.limits: dict[str, int] = {}
        self.last_sent = float("-inf")

    @rule(client=clients, colab=st.booleans())
    def hello(self, client: str, colab: bool) -> None:
        self.desk.hello(client, colab)
        self.limits[client] = 1 if colab else IN_FLIGHT

    @rule(client=clients, back=st.integers(-3, 12))
    def shown(self, client: str, back: int) -> None:
        before = self.desk.credit.unconfirmed
        self.desk.shown(client, self.desk.seq - back)
        assert self.desk.credit.unconfirmed <= before

    @rule(seconds=st.sampled_from([0.001, 0.1, 0.25, 0.9, 1.0, 4.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.desk.now += seconds

    @rule(blocked=st.booleans())
    def send(self, blocked: bool) -> None:
        free = all(len(c.flying) < c.limit for c in self.desk.credit._clients.values())
        if self.desk.send(blocked):
            assert free or self.desk.now - self.last_sent >= (BLOCKED_SECONDS if blocked else PROBE_SECONDS)
            self.last_sent = self.desk.now

    @invariant()
    def bounded(self) -> None:
        clients = self.desk.credit._clients
        assert set(clients) <= set(self.limits)
        for name, client in clients.items():
            assert client.limit == self.limits[name]
            assert len(client.flying) <= client.limit
            assert (client.owing_since is None) == (not client.flying)
        assert self.desk.credit.unconfirmed <= IN_FLIGHT


AnyOrder.TestCase.settings = settings(deadline=None, max_examples=40, stateful_step_count=40)
test_any_order_of_messages_keeps_the_bounds = AnyOrder.TestCase
