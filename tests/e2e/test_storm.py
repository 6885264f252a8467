"""test_storm.py - thousands of messages through many faults at once: none lost, none twice."""
import pytest

MESSAGES = 4000
SURELY = 2  # how often each kind strikes by its turn, whatever chance says
# Each kind, how likely, and on which action.
WEATHER = [
    ("throttle", "*", 0.03), ("error_500", "*", 0.02), ("error_503", "*", 0.02),
    ("reset_before", "*", 0.02), ("reset_after", "*", 0.02), ("late_500", "*", 0.01),
    ("truncated", "ReceiveMessage", 0.02), ("html", "ReceiveMessage", 0.01),
    ("duplicate", "ReceiveMessage", 0.03), ("twice", "ReceiveMessage", 0.03),
    ("out_of_order", "ReceiveMessage", 0.2), ("partial", "DeleteMessageBatch", 0.05),
    ("expired_handle", "DeleteMessageBatch", 0.02), ("duplicate", "DeleteMessageBatch", 0.02),
]


def send_weather(fake):
    """Kind after kind by turn, well within the 400 receives that there must be; the rest by chance.

    By chance alone the rarest kind stays away from one storm in fifty."""
    for turn, (kind, action, probability) in enumerate(WEATHER):
        fake.fault(kind, action, times=SURELY, skip=10 * turn)
        fake.fault(kind, action, probability=probability)


@pytest.mark.fault("the queue misbehaves in 14 ways at once", "fakesqs, each by turn and by chance")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fake", [7], indirect=True, ids=["seed 7"])
@pytest.mark.parametrize("processes", [1, 2], ids=["1 process", "2 processes"])
def test_many_faults_at_once(sluice_on_fake, fake, db, processes):
    s, queue = sluice_on_fake.in_parallel(2, 4), fake.queues[0]
    s.drain()  # makes the table
    made = fake.fill(queue, MESSAGES, bad=0.02)
    send_weather(fake)
    s.write()
    running = [s.start("run", "-c", s.path, "--until-empty") for _ in range(processes)]
    results = [r.wait(100) for r in running]
    hits = fake.hits()
    fake.clear()
    assert {r.rc for r in results} == {0}, results
    s.drain(within=60)  # what a given-up delete left behind is a duplicate
    fates = {fate.id: fate for fate in fake.fates(queue)}
    good = sorted(i for i, fate in fates.items() if not fate.is_bad)
    rows = sorted(i for i, in db.rows("SELECT message_id FROM user_logins"))
    assert len(fates) == MESSAGES and rows == good, "lost or doubled"
    assert len(db.dead()) == made["bad"] == MESSAGES - len(good)
    assert fake.report(queue)["deleted"] == MESSAGES
    assert all(hits[kind] >= SURELY for kind, _, _ in WEATHER), hits
