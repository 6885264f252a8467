"""audit.py - after a soak: what became of every message that was sent."""
import collections


class Audit:
    """A good message has one row, a bad one has one dead letter; there is nothing else."""

    def __init__(self, fates, db):
        good = {fate.id for fate in fates if not fate.is_bad}
        bad = {fate.id for fate in fates if fate.is_bad}
        rows = collections.Counter(i for i, in db.rows("SELECT message_id FROM user_logins"))
        dead = collections.Counter(i for i, in db.rows("SELECT message_id FROM sluice.dead_letter"))
        known = db.one("SELECT count(*) FROM sluice.ledger")
        ends = rows + dead
        self.sent, self.rows, self.dead = len(fates), sum(rows.values()), sum(dead.values())
        self.lost = len((good | bad) - set(ends))
        self.doubled = sum(n - 1 for n in ends.values())
        self.unexplained = {
            "rows of bad messages": len(bad & set(rows)),
            "dead letters of good messages": len(good & set(dead)),
            "rows of no message": len(set(ends) - good - bad),
            "messages still in the queue": sum(fate.fate != "deleted" for fate in fates),
            "ledger keys too many or too few": abs(known - self.rows - self.dead),
        }

    @property
    def line(self):
        return (f"sent {self.sent}, rows {self.rows}, dead letters {self.dead}: lost {self.lost}, "
                f"doubled {self.doubled}, unexplained {sum(self.unexplained.values())}")

    def complaints(self):
        wrong = {"lost": self.lost, "doubled": self.doubled, **self.unexplained}
        if not self.sent:
            return ["nothing was sent"]
        return [f"{what}: {n}" for what, n in wrong.items() if n]
